"""What each part of a score says about one history, at some items or at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.nn.changing_values import ChangingContribution
from attrformer.nn.contributions import (
    Contribution,
    ContributionInputs,
    EntryContribution,
    FeatureContribution,
    RowContribution,
)
from attrformer.nn.offsets import OffsetContribution
from attrformer.nn.tables import SparseRows
from attrformer.nn.vector_contributions import KeptPairsContribution

Codes = NDArray[np.int64]
Values = NDArray[np.float32]


class CompiledContribution(Protocol):
    """One part of the score for one history."""

    def at(self, items: Codes) -> Values:
        """What the part adds to the score of each item, float32 `[n]`."""

    def add_to(self, total: Values, spare: Values) -> None:
        """Adds the same to every item of the catalogue.

        Args:
            total: float32 `[items]`, added to in place.
            spare: float32 `[items]`, overwritten.
        """


@dataclass(frozen=True, slots=True, eq=False)
class CompiledEntries:
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
    def of(cls, items: NDArray[Any], weights: Values, gate: float) -> CompiledEntries:
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

    def at(self, items: Codes) -> Values:
        """See `CompiledContribution.at`."""
        if not len(self.items):
            return np.zeros(len(items), dtype=np.float32)
        place = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        evidence = np.where(self.items[place] == items, self.evidence[place], np.float32(0.0))
        return np.log1p(evidence) * np.float32(self.gate)

    def add_to(self, total: Values, spare: Values) -> None:
        """See `CompiledContribution.add_to`."""
        total[self.items] += np.log1p(self.evidence) * np.float32(self.gate)


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRows:
    """Evidence as a weighted sum of whole rows.

    Args:
        values: float32 `[rows, items]`, the relation.
        rows: int64 `[s]`, each once.
        weights: float32 `[s]`, scaled by 1 / eps.
        gate: g_a(h).
    """

    values: Values
    rows: Codes
    weights: Values
    gate: float

    @classmethod
    def of(cls, values: Values, rows: Codes, weights: Values, gate: float) -> CompiledRows:
        """From rows of which some may be the same."""
        distinct, which = np.unique(rows, return_inverse=True)
        total = np.bincount(which.reshape(-1), weights).astype(np.float32)
        return cls(values, distinct, total, gate)

    def at(self, items: Codes) -> Values:
        """See `CompiledContribution.at`."""
        evidence = np.zeros(len(items), dtype=np.float32)
        for row, weight in zip(self.rows, self.weights, strict=True):
            evidence += self.values[row].take(items) * weight
        return self.added(evidence)

    def added(self, evidence: Values) -> Values:
        """What some evidence, scaled by 1 / eps, adds to a score; the more, the more of it there is.

        Args:
            evidence: float32 `[n]`.
        """
        found: Values = np.log1p(evidence) * np.float32(self.gate)
        return found

    def add_to(self, total: Values, spare: Values) -> None:
        """See `CompiledContribution.add_to`."""
        if len(self.rows) == 1:
            np.multiply(self.values[self.rows[0]], self.weights[0], out=spare)
        else:
            np.matmul(self.weights, self.values[self.rows], out=spare)
        np.log1p(spare, out=spare)
        spare *= np.float32(self.gate)
        total += spare


@dataclass(frozen=True, slots=True, eq=False)
class CompiledCatalogue:
    """What is added to each item.

    Args:
        values: float32 `[items]`.
    """

    values: Values

    @classmethod
    def of(cls, evidence: Values, gate: float) -> CompiledCatalogue:
        """From the evidence for each item, scaled by 1 / eps, and the gate g_a(h)."""
        return cls(np.log1p(evidence) * np.float32(gate))

    def at(self, items: Codes) -> Values:
        """See `CompiledContribution.at`."""
        return self.values.take(items)

    def add_to(self, total: Values, spare: Values) -> None:
        """See `CompiledContribution.add_to`."""
        total += self.values


@dataclass(frozen=True, slots=True, eq=False)
class CompiledGroups:
    """What is added to each group of items with equal attribute values.

    Args:
        values: float32 `[groups]`.
        of_item: int64 or int32 `[items]`.
    """

    values: Values
    of_item: NDArray[Any]

    @classmethod
    def of(cls, evidence: Values, of_item: NDArray[Any], gate: float) -> CompiledGroups:
        """From the evidence for each group, scaled by 1 / eps, and the gate g_a(h)."""
        return cls(np.log1p(np.maximum(evidence, 0.0)) * np.float32(gate), of_item)

    def at(self, items: Codes) -> Values:
        """See `CompiledContribution.at`."""
        return self.values.take(self.of_item.take(items))

    def add_to(self, total: Values, spare: Values) -> None:
        """See `CompiledContribution.add_to`."""
        self.write_to(spare)
        total += spare

    def write_to(self, out: Values) -> None:
        """What is added to every item.

        Args:
            out: float32 `[items]`, overwritten.
        """
        # numpy would first widen the numbers of the groups to 64 bits.
        torch.index_select(torch.from_numpy(self.values), 0, torch.from_numpy(self.of_item), out=torch.from_numpy(out))


@dataclass(frozen=True, slots=True, eq=False)
class CompiledState:
    """What is added to items by the value that each has at the time of this history; other histories have other groups.

    Args:
        groups: of this history.
    """

    groups: CompiledGroups

    def at(self, items: Codes) -> Values:
        """See `CompiledContribution.at`."""
        return self.groups.at(items)

    def add_to(self, total: Values, spare: Values) -> None:
        """See `CompiledContribution.add_to`."""
        self.groups.add_to(total, spare)


def compiled_contributions(
    parts: list[tuple[Contribution, ContributionInputs]], row: int
) -> list[CompiledContribution]:
    """The compiled contributions of all relations for one history of a batch that asks about one place each.

    Args:
        parts: as the network gives them.
        row: of the history within the batch.
    """
    return [_compiled(part, inputs, row) for part, inputs in parts]


def _compiled(part: Contribution, inputs: ContributionInputs, row: int) -> CompiledContribution:
    weights, gate = _array(inputs.weights)[row, 0], float(_array(inputs.gate)[row, 0])
    if isinstance(part, EntryContribution):
        return CompiledEntries.of(_array(part.items)[row, 0], weights, gate)
    if isinstance(part, RowContribution) and isinstance(part.table, SparseRows):
        rows = _array(part.rows)[row]
        values = _array(part.table.values)[rows] * weights[:, None]
        return CompiledEntries.of(_array(part.table.indices)[rows].ravel(), values.ravel(), gate)
    if isinstance(part, RowContribution) and part.table.values.shape[1] < part.table.columns:
        evidence = _array(part.table.sums(part.rows[row : row + 1], inputs.weights[row : row + 1, 0])[0, 0])
        named = np.flatnonzero(evidence)
        return CompiledEntries(named, evidence[named], gate)
    if isinstance(part, RowContribution):
        return CompiledRows.of(_array(part.table.values), _array(part.rows)[row], weights, gate)
    if isinstance(part, FeatureContribution):
        evidence = _array(part.groups.from_values(inputs.weights[row : row + 1])[0, 0])
        return CompiledGroups.of(evidence, _array(part.groups.of_item), gate)
    if isinstance(part, KeptPairsContribution):
        items, entries = part.entries(row, inputs)
        return CompiledEntries.of(_array(items), _array(entries), gate)
    if isinstance(part, OffsetContribution):
        return CompiledGroups(weights * np.float32(gate), _array(part.of_item))
    if isinstance(part, ChangingContribution):
        evidence = np.append(weights, np.float32(0))
        return CompiledState(CompiledGroups.of(evidence, _array(part.codes(slice(row, row + 1)))[0, 0], gate))
    only = slice(row, row + 1)
    columns, spoken = part.block(only, inputs.block(only)).spoken()
    values = _array(spoken)[0, 0]
    if columns is None:
        return CompiledCatalogue.of(values, gate)
    return CompiledEntries.of(_array(columns)[0, 0], values, gate)


def _array(values: Tensor) -> NDArray[Any]:
    return values.detach().cpu().numpy()
