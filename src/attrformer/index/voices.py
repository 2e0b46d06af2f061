"""What each part of a score says about one history: the items that it names, and its value at any item."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from attrformer.nn.parts import EntryPart, FeaturePart, Part, PartInputs, RowPart
from attrformer.nn.tables import FeatureGroups, SparseRows

Codes = NDArray[np.int64]
Values = NDArray[np.float32]

_WHOLE = 1 << 16
"""Items up to which evidence made of several whole rows is added up to find its strongest ones."""

_ROWS = 4
"""Rows that are asked for their strongest items where that takes too long."""


class Voice(Protocol):
    """One part of the score for one history."""

    def strongest(self, most: int) -> Codes:
        """The items with the largest evidence, at most so many; none where evidence counts against an item."""

    def at(self, items: Codes) -> Values:
        """What the part adds to the score of each item, float32 `[n]`."""


@dataclass(frozen=True, slots=True, eq=False)
class EntryVoice:
    """Evidence for a list of items, each once.

    Args:
        items: int64 `[n]`, ascending.
        evidence: float32 `[n]`, above 0, scaled by 1 / eps.
        gate: g_a(h).
    """

    items: Codes
    evidence: Values
    gate: float

    @classmethod
    def of(cls, items: NDArray[Any], weights: Values, gate: float) -> EntryVoice:
        """From entries in which an item may appear several times; those without weight are left out."""
        kept = np.flatnonzero(weights > 0)
        items, weights = items[kept], weights[kept]
        if not len(items):
            return cls(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32), gate)
        # Item and weight as one number: numbers are sorted several times as fast as their order is found.
        both = np.sort(items.astype(np.int64) << 32 | weights.astype(np.float32).view(np.int32))
        items, weights = both >> 32, (both & 0xFFFFFFFF).astype(np.int32).view(np.float32)
        first = np.flatnonzero(np.concatenate([[True], items[1:] != items[:-1]]))
        return cls(items[first], np.add.reduceat(weights, first), gate)

    def strongest(self, most: int) -> Codes:
        """See `Voice.strongest`."""
        if self.gate <= 0:
            return self.items[:0]
        if len(self.items) <= most:
            return self.items
        return self.items[np.argpartition(-self.evidence, most)[:most]]

    def at(self, items: Codes) -> Values:
        """See `Voice.at`."""
        if not len(self.items):
            return np.zeros(len(items), dtype=np.float32)
        place = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        evidence = np.where(self.items[place] == items, self.evidence[place], np.float32(0.0))
        return np.log1p(evidence) * np.float32(self.gate)


@dataclass(frozen=True, slots=True, eq=False)
class DenseVoice:
    """Evidence as a weighted sum of whole rows.

    Args:
        values: float32 `[rows, items]`, the relation.
        rows: int64 `[s]`, each once.
        weights: float32 `[s]`, scaled by 1 / eps.
        gate: g_a(h).
        known: the strongest items of single rows, which are looked for once.
    """

    values: Values
    rows: Codes
    weights: Values
    gate: float
    known: dict[tuple[int, int], Codes]

    @classmethod
    def of(
        cls, values: Values, rows: Codes, weights: Values, gate: float, known: dict[tuple[int, int], Codes]
    ) -> DenseVoice:
        """From rows of which some may be the same."""
        distinct, which = np.unique(rows, return_inverse=True)
        total = np.bincount(which.reshape(-1), weights).astype(np.float32)
        return cls(values, distinct, total, gate, known)

    def strongest(self, most: int) -> Codes:
        """See `Voice.strongest`; of many long rows, the strongest items of the rows that weigh most."""
        if self.gate <= 0 or not most:
            return np.empty(0, dtype=np.int64)
        if len(self.rows) > 1 and self.values.shape[1] <= _WHOLE:
            return _largest(self.weights @ self.values[self.rows], most)
        rows = self.rows[np.argsort(-self.weights)[:_ROWS]]
        each = -(-most // len(rows))
        return np.unique(np.concatenate([self._of_row(int(row), each) for row in rows]))[:most]

    def _of_row(self, row: int, most: int) -> Codes:
        key = (row, most)
        if key not in self.known:
            self.known[key] = _largest(self.values[row], most)
        return self.known[key]

    def at(self, items: Codes) -> Values:
        """See `Voice.at`."""
        added: Values = np.log1p(self.weights @ self.values[self.rows[:, None], items]) * np.float32(self.gate)
        return added


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """The items of each group of items with equal attribute values, the most popular first.

    Args:
        items: int32 `[items]`, grouped.
        starts: int64 `[groups + 1]`, cuts `items`.
    """

    items: NDArray[np.int32]
    starts: Codes

    @classmethod
    def of(cls, groups: FeatureGroups, popularity: Values) -> Postings:
        """Sorts the catalogue by group."""
        of_item = groups.of_item.cpu().numpy()
        order = np.lexsort((-popularity, of_item)).astype(np.int32)
        return cls(order, np.concatenate([[0], np.cumsum(np.bincount(of_item, minlength=groups.count))]))

    def first(self, groups: Codes, most: int) -> Codes:
        """Items of some groups, one group after the other, at most so many."""
        sizes = self.starts[groups + 1] - self.starts[groups]
        before = np.cumsum(sizes) - sizes
        used = np.flatnonzero(before < most)
        lists = [self.items[self.starts[group] : self.starts[group + 1]] for group in groups[used]]
        return np.concatenate([self.items[:0], *lists])[:most].astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class GroupVoice:
    """Evidence for each group of items with equal attribute values.

    Args:
        evidence: float32 `[groups]`, scaled by 1 / eps.
        of_item: int64 `[items]`.
        postings: the items of each group.
        gate: g_a(h).
    """

    evidence: Values
    of_item: Codes
    postings: Postings
    gate: float

    def strongest(self, most: int) -> Codes:
        """See `Voice.strongest`."""
        if self.gate <= 0:
            return np.empty(0, dtype=np.int64)
        groups = np.flatnonzero(self.evidence > 0)
        return self.postings.first(groups[np.argsort(-self.evidence[groups], kind="stable")], most)

    def at(self, items: Codes) -> Values:
        """See `Voice.at`."""
        by_group = np.log1p(np.maximum(self.evidence, 0.0)) * np.float32(self.gate)
        return by_group[self.of_item[items]]


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What is looked up in the relations again and again; it belongs to one state of one model.

    Args:
        popularity: float32 `[items]`, training interactions of each item.
    """

    popularity: Values
    postings: dict[str, Postings] = field(default_factory=dict)
    rows: dict[str, dict[tuple[int, int], Codes]] = field(default_factory=dict)

    def voices(self, names: list[str], parts: list[tuple[Part, PartInputs]], row: int) -> list[Voice]:
        """The voices of all parts for one history of a batch that asks about one place each.

        Args:
            names: of the parts.
            parts: as the network gives them.
            row: of the history within the batch.

        Raises:
            TypeError: a part is of a kind that is not known here.
        """
        return [self._voice(name, part, inputs, row) for name, (part, inputs) in zip(names, parts, strict=True)]

    def _voice(self, name: str, part: Part, inputs: PartInputs, row: int) -> Voice:
        weights, gate = _array(inputs.weights)[row, 0], float(_array(inputs.gate)[row, 0])
        if isinstance(part, EntryPart):
            return EntryVoice.of(_array(part.items)[row, 0], weights, gate)
        if isinstance(part, RowPart) and isinstance(part.table, SparseRows):
            rows = _array(part.rows)[row]
            values = _array(part.table.values)[rows] * weights[:, None]
            return EntryVoice.of(_array(part.table.indices)[rows].ravel(), values.ravel(), gate)
        if isinstance(part, RowPart):
            known = self.rows.setdefault(name, {})
            return DenseVoice.of(_array(part.table.values), _array(part.rows)[row], weights, gate, known)
        if isinstance(part, FeaturePart):
            groups = part.groups
            if name not in self.postings:
                self.postings[name] = Postings.of(groups, self.popularity)
            evidence = _array(groups.from_values(inputs.weights[row : row + 1])[0, 0])
            return GroupVoice(evidence, _array(groups.of_item), self.postings[name], gate)
        raise TypeError(f"no voice is written for {type(part).__name__}")


def _largest(evidence: Values, most: int) -> Codes:
    named = np.flatnonzero(evidence > 0)
    if len(named) <= most:
        return named
    return named[np.argpartition(-evidence[named], most)[:most]]


def _array(values: Tensor) -> NDArray[Any]:
    return values.detach().cpu().numpy()
