"""Item attributes as relations: R_a(i, j) = phi_a(i)^T M_a phi_a(j)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import positions_in_rows
from attrformer.data.attributes import CODED_KINDS, LEVEL_SEPARATOR, NUMBER_KINDS, Attribute, AttributeKind
from attrformer.relations import wording
from attrformer.relations.array_checks import FLOATS, INTEGERS, require_array
from attrformer.relations.attribute_encoder import AttributeEncoder, value_weights
from attrformer.relations.base import Arrays, Labels, NewItems, Relation, Sources, chosen
from attrformer.relations.naming import relation_name

if TYPE_CHECKING:
    from typing_extensions import Self

OPTION = "relations.item_attributes"

_PARTS = ("codes", "weights", "diagonal")


@dataclass(frozen=True, slots=True, eq=False)
class ItemAttributeRelation(Relation):
    """phi_a of every item and the starting diagonal of M_a; M_a itself is learned.

    Args:
        column: of the items' table.
        codes: int64 `[items, m]`, value codes in slots; unused slots hold code 0 with weight 0.
        weights: float32 `[items, m]`, phi_a: each row has norm 1 or 0 (missing value: relates to nothing).
        diagonal: float32 `[values]`, s_a at the start: squared inverse document frequency, scaled to a maximum of 1.
        labels: external value of each code.
        reading: how items that come later are read; None where a model was saved without it.
    """

    kind: ClassVar[str] = "item_attribute"
    relates_items: ClassVar[bool] = True

    column: str
    codes: NDArray[np.int64]
    weights: NDArray[np.float32]
    diagonal: NDArray[np.float32]
    labels: tuple[str, ...]
    reading: AttributeEncoder | None = None

    @property
    def name(self) -> str:
        """The kind and the column, such as "item_brand"."""
        return relation_name("item", self.column)

    @property
    def source(self) -> str:
        """The column."""
        return self.column

    @property
    def item_columns(self) -> Mapping[str, AttributeEncoder | None]:
        """See `Relation.item_columns`."""
        return {self.column: self.reading}

    @property
    def value_labels(self) -> tuple[str, ...]:
        """The values as people read them: times, which are kept as seconds, as dates."""
        return self.labels if self.reading is None else self.reading.spoken(self.labels)

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One for each column that the options name and that two items share a value of."""
        available = sources.item_attributes
        made = [
            item_attribute_relation(available[name], buckets=options.buckets, max_values=options.max_values)
            for name in chosen(options.item_attributes, available, OPTION)
            if available[name].kind in CODED_KINDS | NUMBER_KINDS
        ]
        return [relation for relation in made if relation is not None]

    def with_items(self, new: NewItems) -> Self:
        """phi_a with new items, their values as in training; values that were not there then relate to nothing."""
        assert self.reading is not None
        attribute = new.attributes[self.column]
        owner, values, strength = self.reading.entries(attribute, self.labels)
        codes, weights = phi_rows(owner, values, len(attribute), self.codes.shape[1], strength)
        wider = [(0, 0), (0, codes.shape[1] - self.codes.shape[1])]
        return replace(
            self,
            codes=np.concatenate([np.pad(self.codes, wider), codes]),
            weights=np.concatenate([np.pad(self.weights, wider), weights]),
        )

    def dense(self) -> NDArray[np.float32]:
        """Phi_a, float32 `[items, values]`; for tests and small catalogues."""
        out = np.zeros((len(self.codes), len(self.labels)), dtype=np.float32)
        np.add.at(out, (np.arange(len(self.codes))[:, None], self.codes), self.weights)
        return out

    def row(self, key: int) -> NDArray[np.float32]:
        """R_a(key, j) for every item j before any learning, float32 `[items]`."""
        phi = np.zeros(len(self.labels), dtype=np.float32)
        np.add.at(phi, self.codes[key], self.weights[key])
        out: NDArray[np.float32] = ((phi * self.diagonal)[self.codes] * self.weights).sum(1)
        return out

    def likeness(self, key: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
        """The cosine of the values; only the rows that are asked for are read. See `Relation.likeness`."""
        own = np.zeros(len(self.labels), dtype=np.float64)
        np.add.at(own, self.codes[key], self.weights[key])
        cosines: NDArray[np.float64] = (own[self.codes[others]] * self.weights[others]).sum(1)
        return np.minimum(cosines, 1.0)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `Relation.to_arrays`."""
        arrays, encoder = AttributeEncoder.to_arrays(self.reading)
        arrays |= {part: getattr(self, part) for part in _PARTS}
        return arrays, {"column": self.column, "labels": list(self.labels), "reading": encoder}

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> Self:
        """See `Relation.from_arrays`."""
        parts = {part: arrays[part] for part in _PARTS}
        reading = AttributeEncoder.from_arrays(arrays, described.get("reading"))
        return cls(described["column"], labels=tuple(described["labels"]), reading=reading, **parts)

    def check(self, items: int, users: int) -> None:
        """See `Relation.check`."""
        values, name = len(self.labels), self.column
        require_array(f"codes of '{name}'", self.codes, INTEGERS, (items, -1), least=0, most=values - 1)
        require_array(f"weights of '{name}'", self.weights, FLOATS, self.codes.shape)
        require_array(f"diagonal of '{name}'", self.diagonal, FLOATS, (values,))
        if self.reading is not None:
            self.reading.check(name)

    def parameter_axes(self, relations: Mapping[str, Relation]) -> dict[str, list[Labels]]:
        """See `Relation.parameter_axes`."""
        labels = self.exact_labels
        return {"log_diagonal": [labels], "left": [labels, None], "right": [labels, None]}

    @property
    def exact_labels(self) -> tuple[str, ...]:
        """The values in full precision, by which those of two models are matched."""
        return self.labels if self.reading is None else self.reading.exact(self.labels)

    def deepest_shared(self, source: int, target: int, shared: int) -> int:
        """The value in common that says most: of levels that two items share, the deepest; else the value as given.

        Args:
            source: an item.
            target: another item.
            shared: a value that both have.

        Returns:
            A value code: of a hierarchy the deepest level below `shared` that both items have.
        """
        if self.reading is None or self.reading.kind is not AttributeKind.HIERARCHY:
            return shared
        held = [set(self.codes[item][self.weights[item] > 0].tolist()) for item in (source, target)]
        below = f"{self.labels[shared]}{LEVEL_SEPARATOR}"
        levels = [code for code in sorted(held[0] & held[1]) if self.labels[code].startswith(below)]
        return max(levels, key=lambda code: self.labels[code].count(LEVEL_SEPARATOR), default=shared)

    def reason(self, own: int, other: int, title: str) -> str:
        """The sentence that explains an answer by a pair of values.

        Args:
            own: value code of the item of the history.
            other: value code of the answer.
            title: of the item of the history.
        """
        labels = self.value_labels
        if own == other:
            return wording.shared(self.column, labels[own], title)
        return wording.paired(self.column, labels[own], labels[other], title)


def item_attribute_relation(attribute: Attribute, *, buckets: int, max_values: int) -> ItemAttributeRelation | None:
    """Turns an item attribute into a relation.

    Args:
        attribute: one row for each item; numbers and times are cut into buckets.
        buckets: most buckets of a number.
        max_values: the commonest values that are kept.

    Returns:
        The relation, or None where no value is shared by two items, so that the attribute relates nothing.
    """
    reading, attribute = AttributeEncoder.of(attribute, buckets)
    items, strength = len(attribute), value_weights(attribute)
    owner = np.repeat(np.arange(items), np.diff(attribute.offsets))
    frequency = np.bincount(attribute.codes, minlength=len(attribute.vocabulary))
    held = frequency
    if attribute.kind is AttributeKind.WEIGHTED and strength is not None:
        # A tag that everybody has a little of is rarer than its count says.
        shares = strength**2 / np.bincount(owner, strength**2, items)[owner]
        held = np.bincount(attribute.codes, shares, len(frequency))
    shared = np.flatnonzero((frequency >= 2) & (held < items * (1 - 1e-9)))
    kept = np.sort(shared[np.argsort(-held[shared], kind="stable")[:max_values]])
    if len(kept) == 0:
        return None
    renumber = np.full(len(frequency), -1, dtype=np.int64)
    renumber[kept] = np.arange(len(kept))
    codes = renumber[attribute.codes]
    known = codes >= 0
    idf = np.log(items / held[kept])
    code_slots, weights = phi_rows(
        owner[known], codes[known], items, strength=None if strength is None else strength[known]
    )
    diagonal = (idf**2 / (idf**2).max()).astype(np.float32)
    labels = tuple(attribute.vocabulary[code] for code in kept)
    return ItemAttributeRelation(attribute.name, code_slots, weights, diagonal, labels, reading.keeping(kept))


def phi_rows(
    owner: NDArray[np.int64],
    codes: NDArray[np.int64],
    items: int,
    slots: int = 1,
    strength: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """phi_a of items in slots.

    Args:
        owner: int64 `[n]`, the item that has each value, ascending.
        codes: int64 `[n]`, the values.
        items: how many items there are.
        slots: least slots of an item.
        strength: float64 `[n]`, above 0, how much each value counts beside the others of its item; None for alike.

    Returns:
        int64 codes and float32 weights, both `[items, m]`, as `ItemAttributeRelation` holds them.
    """
    counts = np.bincount(owner, minlength=items)
    width = max(int(counts.max(initial=0)), slots)
    within = positions_in_rows(counts)
    code_slots = np.zeros((items, width), dtype=np.int64)
    weights = np.zeros((items, width), dtype=np.float32)
    code_slots[owner, within] = codes
    if strength is None:
        weights[owner, within] = 1.0 / np.sqrt(counts[owner])
    else:
        weights[owner, within] = strength / np.sqrt(np.bincount(owner, strength**2, items))[owner]
    return code_slots, weights
