"""Attributes of users and items: value codes in CSR rows, or a number, a vector or a text for each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import offsets_of


class AttributeKind(str, Enum):
    """How the values of an attribute are to be read."""

    CATEGORICAL = "categorical"
    MULTI = "multi"
    NUMERIC = "numeric"
    TIME = "time"
    VECTOR = "vector"
    TEXT = "text"
    HIERARCHY = "hierarchy"
    LOCATION = "location"
    WEIGHTED = "weighted"


LEVEL_SEPARATOR: Final = " > "
"""Between the levels of a hierarchy."""

VECTOR_KINDS: Final = frozenset({AttributeKind.VECTOR, AttributeKind.LOCATION})
"""Kinds whose values are rows of `Attribute.vectors`."""

NUMBER_KINDS: Final = frozenset({AttributeKind.NUMERIC, AttributeKind.TIME})
"""Kinds whose values are `Attribute.numbers`, which are cut into buckets where codes are wanted."""

CODED_KINDS: Final = frozenset(
    {AttributeKind.CATEGORICAL, AttributeKind.MULTI, AttributeKind.HIERARCHY, AttributeKind.WEIGHTED}
)
"""Kinds whose values are codes of a vocabulary."""


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """One attribute of every user or every item.

    Args:
        name: the column it came from.
        kind: how its values are read.
        offsets: int64 `[n + 1]`, row r owns `codes[offsets[r]:offsets[r + 1]]`.
        codes: int32, value codes; a missing value is an empty row. Empty throughout where values are no codes: numbers,
            times, vectors, texts and locations.
        vocabulary: the external value of each code, as text; empty where values are no codes. Each level of a hierarchy
            is a value of its own, written with the levels above it.
        numbers: float64 `[n]`, NaN where missing; `[0]` for categorical and multi-valued attributes. Times are seconds.
        separator: what stands between the values of a text, where it was declared.
        weights: float32, above 0, how much each of `codes` counts, for weighted sets; `[0]` for other kinds.
        vectors: float32 `[n, d]`, a missing one all NaN; for locations degrees of latitude and longitude, `[n, 2]`;
            `[0, 0]` for other kinds.
        texts: `[n]`, "" where missing; empty for other kinds. Where `vectors` are given as well, an encoder has made
            these of the texts.
        encoder: the name of that encoder; empty where there is none.
        date_order: what stands first in the dates that times were read from, where their form left it open.
    """

    name: str
    kind: AttributeKind
    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    vocabulary: tuple[str, ...]
    numbers: NDArray[np.float64]
    separator: str = ""
    weights: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    texts: tuple[str, ...] = ()
    encoder: str = ""
    date_order: str = ""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        return f"Attribute({self.name}, {self.described()})"

    def described(self) -> str:
        """The kind, and how many values there are where they are counted."""
        if self.kind is AttributeKind.VECTOR:
            return f"{self.kind.value}, {self.vectors.shape[1]:,} numbers each"
        return f"{self.kind.value}, {len(self.vocabulary):,} values" if self.vocabulary else self.kind.value

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether each user or item has a value, bool `[n]`."""
        if self.kind in NUMBER_KINDS:
            return ~np.isnan(self.numbers)
        if self.kind in VECTOR_KINDS:
            return np.asarray(np.isfinite(self.vectors).any(axis=1))
        if self.kind is AttributeKind.TEXT:
            return np.array([text != "" for text in self.texts], dtype=bool)
        return np.diff(self.offsets) > 0

    def take(self, rows: NDArray[np.int64]) -> Attribute:
        """The same attribute for the given rows only, in their order; the vocabulary is kept."""
        lengths = np.diff(self.offsets)[rows]
        offsets = offsets_of(lengths)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        places = np.repeat(self.offsets[rows], lengths) + within
        return replace(
            self,
            offsets=offsets,
            codes=self.codes[places],
            numbers=self.numbers[rows] if len(self.numbers) else self.numbers,
            weights=self.weights[places] if len(self.weights) else self.weights,
            vectors=self.vectors[rows] if len(self.vectors) else self.vectors,
            texts=tuple(self.texts[row] for row in rows.tolist()) if self.texts else self.texts,
        )

    def bucketed(self, buckets: int) -> Attribute:
        """A numeric or time attribute cut at its quantiles into ordered buckets, as a categorical attribute.

        Args:
            buckets: the most buckets; fewer where values repeat.
        """
        return self.cut(self.bucket_edges(buckets))

    def bucket_edges(self, buckets: int) -> NDArray[np.float64]:
        """The quantiles at which `bucketed` cuts, ascending, float64, at most `buckets - 1` of them."""
        known = self.numbers[~np.isnan(self.numbers)]
        if not len(known):
            return np.empty(0)
        return np.unique(np.quantile(known, np.linspace(0, 1, buckets + 1)[1:-1]))

    def cut(self, edges: NDArray[np.float64]) -> Attribute:
        """A numeric or time attribute cut at the given edges, as a categorical attribute.

        Args:
            edges: ascending; bucket b reaches from edge b - 1, which belongs to it, to edge b.
        """
        known = ~np.isnan(self.numbers)
        codes = np.searchsorted(edges, self.numbers[known], side="right").astype(np.int32)
        offsets = offsets_of(known)
        bounds = ["", *(f"{edge:g}" for edge in edges), ""]
        vocabulary = tuple(f"{low}..{high}" for low, high in pairwise(bounds))
        return Attribute(self.name, AttributeKind.CATEGORICAL, offsets, codes, vocabulary, np.empty(0))
