"""How the values of an attribute became codes, kept so that items and users that come later are read alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attribute_columns import attribute_from_column
from attrformer.data.attributes import LEVEL_SEPARATOR, NUMBER_KINDS, Attribute, AttributeKind
from attrformer.data.tables import Table
from attrformer.relations.array_checks import FLOATS, INTEGERS, require_array, require_that
from attrformer.relations.clusters import GROUPED, Clusters

STORED_AS: Final = "reading"
"""Key of the encoder of a relation in saved models, as the first versions named it."""


@dataclass(frozen=True, slots=True, eq=False)
class AttributeEncoder:
    """From the column of an attribute to value codes.

    Args:
        kind: of the column.
        edges: float64, where numbers and times are cut into buckets; empty for other kinds.
        buckets: int64 `[values]`, the bucket or group that each value code stands for; empty for categorical and
            multi-valued attributes, whose labels say it.
        separator: what stands between the values of a text, where it was declared.
        clusters: the groups that vectors, texts and places of users belong to; None for other kinds.
        date_order: what stands first in the dates that times were read from, where their form left it open.
    """

    kind: AttributeKind
    edges: NDArray[np.float64]
    buckets: NDArray[np.int64]
    separator: str = ""
    clusters: Clusters | None = None
    date_order: str = ""

    @property
    def described(self) -> str:
        """Kind and separator, or order of dates, in one text, for files."""
        more = self.separator or self.date_order
        return f"{self.kind.value} {more}" if more else self.kind.value

    @classmethod
    def from_described(cls, text: str, edges: NDArray[np.float64], buckets: NDArray[np.int64]) -> AttributeEncoder:
        """The encoder whose `described` is the text."""
        kind, _, more = text.partition(" ")
        if kind == AttributeKind.TIME:
            return cls(AttributeKind.TIME, edges, buckets, date_order=more)
        return cls(AttributeKind(kind), edges, buckets, more)

    def read(self, table: Table, name: str, codes: NDArray[np.int32], count: int) -> Attribute:
        """An attribute of a table that came later, read as in training.

        Args:
            table: one row for each user or item.
            name: the column.
            codes: int32 `[rows]`, the user or item of each row; -1 where the row is not used.
            count: how many users or items there are.

        Raises:
            DataError: a value does not fit the attribute.
        """
        table = replace(table, date_order=self.date_order or None)
        return attribute_from_column(table, name, self.kind, codes, count, self.separator)

    @classmethod
    def of(cls, attribute: Attribute, buckets: int) -> tuple[AttributeEncoder, Attribute]:
        """The encoder of an attribute, and the attribute with its numbers cut into at most `buckets` buckets.

        Vectors, texts and places become at most so many groups.
        """
        nothing = np.empty(0, dtype=np.int64)
        if attribute.kind in GROUPED:
            clusters = Clusters.fit(attribute, buckets)
            encoder = cls(attribute.kind, np.empty(0), np.arange(len(clusters)), clusters=clusters)
            return encoder, clusters.grouped(attribute)
        if attribute.kind not in NUMBER_KINDS:
            return cls(attribute.kind, np.empty(0), nothing, attribute.separator), attribute
        edges = attribute.bucket_edges(buckets)
        return cls(attribute.kind, edges, np.arange(len(edges) + 1), date_order=attribute.date_order), attribute.cut(
            edges
        )

    def keeping(self, codes: NDArray[np.int64]) -> AttributeEncoder:
        """The same encoder where only some value codes are kept, which are then numbered in their order."""
        return replace(self, buckets=self.buckets[codes]) if len(self.buckets) else self

    @staticmethod
    def to_arrays(encoder: AttributeEncoder | None) -> tuple[dict[str, NDArray[Any]], str | dict[str, Any] | None]:
        """Its arrays and what else is stored; none where it is not known how a column was read.

        Args:
            encoder: to be stored, or None.
        """
        if encoder is None:
            return {}, None
        arrays: dict[str, NDArray[Any]] = {"edges": encoder.edges, "buckets": encoder.buckets}
        if encoder.clusters is None:
            return arrays, encoder.described
        groups, told = encoder.clusters.to_arrays()
        arrays |= {f"groups/{name}": array for name, array in groups.items()}
        return arrays, {"kind": encoder.kind.value, "groups": told}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], described: str | dict[str, Any] | None
    ) -> AttributeEncoder | None:
        """The inverse of `to_arrays`.

        Raises:
            KeyError: an array is missing.
        """
        if described is None:
            return None
        if isinstance(described, str):
            return cls.from_described(described, arrays["edges"], arrays["buckets"])
        own = {name.removeprefix("groups/"): array for name, array in arrays.items() if name.startswith("groups/")}
        clusters = Clusters.from_arrays(own, described["groups"])
        return cls(AttributeKind(described["kind"]), arrays["edges"], arrays["buckets"], clusters=clusters)

    def check(self, name: str) -> None:
        """Looks through what was read from files.

        Args:
            name: of the column, for the error.

        Raises:
            ValueError: an array is no such one.
        """
        require_array(f"edges of '{name}'", self.edges, FLOATS, (-1,))
        require_that(bool((np.diff(self.edges) >= 0).all()), f"edges of '{name}' are not ascending")
        most = len(self.edges) if self.clusters is None else len(self.clusters) - 1
        require_array(f"buckets of '{name}'", self.buckets, INTEGERS, (-1,), least=0, most=most)
        require_that((self.clusters is None) == (self.kind not in GROUPED), f"'{name}' is of another kind")
        if self.clusters is not None:
            self.clusters.check(name, self.kind)

    def spoken(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """The labels as people read them: times, which are kept as seconds, as dates."""
        if self.kind is not AttributeKind.TIME:
            return labels
        dates = self.edges.astype("datetime64[s]").astype("datetime64[D]").astype(str).tolist()
        bounds = ["", *dates, ""]
        return tuple(f"{bounds[bucket]}..{bounds[bucket + 1]}" for bucket in self.buckets)

    def exact(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """The labels, where numbers are rounded in them with all their digits."""
        if not len(self.buckets):
            return labels
        if self.clusters is not None:
            exact = self.clusters.exact()
            return tuple(exact[group] for group in self.buckets.tolist())
        bounds = ["", *(repr(edge) for edge in self.edges.tolist()), ""]
        return tuple(f"{bounds[bucket]}..{bounds[bucket + 1]}" for bucket in self.buckets)

    def codes(self, attribute: Attribute, labels: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The values of an attribute that was read later.

        Args:
            attribute: of the kind of this encoder, numbers as they are.
            labels: external value of each code.

        Returns:
            int64 `[n]` rows, ascending, and int64 `[n]` value codes, of a row the one of the largest weight first; a
            value without a code is left out.
        """
        rows, codes, _ = self.entries(attribute, labels)
        return rows, codes

    def unseen(self, attribute: Attribute, labels: tuple[str, ...]) -> list[str]:
        """The values of an attribute that have no code; a level of a hierarchy only where none above it has one either.

        Args:
            attribute: of the kind of this encoder, whose values are codes.
            labels: external value of each code.
        """
        known = set(labels)
        found = [value for value in attribute.vocabulary if value not in known]
        if self.kind is not AttributeKind.HIERARCHY:
            return found
        return [value for value in found if value.partition(LEVEL_SEPARATOR)[0] not in known]

    def entries(
        self, attribute: Attribute, labels: tuple[str, ...]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64] | None]:
        """What `codes` gives, and the weight of each value; see `value_weights`."""
        if self.clusters is not None:
            groups = self.clusters.groups(attribute)
            lookup = np.full(len(self.clusters), -1, dtype=np.int64)
            lookup[self.buckets] = np.arange(len(self.buckets))
            rows = np.flatnonzero((groups >= 0) & (lookup[groups] >= 0))
            return rows, lookup[groups[rows]], None
        if len(self.buckets):
            attribute = attribute.cut(self.edges)
            lookup = np.full(len(self.edges) + 1, -1, dtype=np.int64)
            lookup[self.buckets] = np.arange(len(self.buckets))
        else:
            known = {label: code for code, label in enumerate(labels)}
            lookup = np.array([known.get(value, -1) for value in attribute.vocabulary], dtype=np.int64)
        owner = np.repeat(np.arange(len(attribute)), np.diff(attribute.offsets))
        codes, weights = lookup[attribute.codes], value_weights(attribute)
        if weights is not None:
            order = np.lexsort((-weights, owner))
            codes, weights = codes[order], weights[order]
        kept = codes >= 0
        return owner[kept], codes[kept], None if weights is None else weights[kept]


def value_weights(attribute: Attribute) -> NDArray[np.float64] | None:
    """How much each value of each row counts beside the others of the row, float64 `[codes]`; None for alike.

    Tags count in proportion to their scores. Of a hierarchy each level counts twice as much as the one above it, as a
    share of the squared norm: half of what is known of an item is then its deepest level, and items that share all
    levels but this one are about half as related as items that share all of them.

    Args:
        attribute: whose values are codes.
    """
    if attribute.kind is AttributeKind.WEIGHTED:
        return attribute.weights.astype(np.float64)
    if attribute.kind is AttributeKind.HIERARCHY:
        return np.power(np.sqrt(2.0), depths(attribute.vocabulary)[attribute.codes]).astype(np.float64)
    return None


def depths(labels: tuple[str, ...]) -> NDArray[np.int64]:
    """How deep each value of a hierarchy lies, 0 for the top level, int64 `[values]`."""
    return np.array([label.count(LEVEL_SEPARATOR) for label in labels], dtype=np.int64)
