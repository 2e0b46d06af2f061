"""Rows of a relation over the candidates of a step: whole ones, and those that name items by their largest entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy
import torch
from torch import Tensor

from attrformer.compiled import can_compile
from attrformer.csr import offsets_of
from attrformer.nn.candidates import Candidates
from attrformer.nn.contributions import (
    Block,
    ContributionInputs,
    DenseBlock,
    EntryBlock,
    RowContribution,
    UnionBlock,
)
from attrformer.nn.fixed import LowCopies
from attrformer.nn.tables import DenseRows, SparseRows

MANY_ROWS: Final = 256
"""Fewer rows are not worth importing numba for."""

MANY_ENTRIES: Final = 1 << 16
"""Fewer entries are not worth importing numba for."""

FEW: float = 0.3
"""Share of the candidates that a sequence's rows name, above which they are added up over all candidates."""


@dataclass(frozen=True, slots=True, eq=False)
class CandidateRows:
    """Rows of a relation that name items by the k largest entries, over the candidates of a step.

    Args:
        indices: int32 `[n, k]`, places among the candidates; entries of other items hold place 0, value 0.
        values: float32 `[n, k]`.
        columns: number of candidates.
        counts: int32 `[n]`, entries of each row, which come first then; None: any place may hold one.
    """

    indices: Tensor
    values: Tensor
    columns: int
    counts: Tensor | None = None

    @classmethod
    def of(cls, table: SparseRows, rows: Tensor, candidates: Candidates) -> CandidateRows:
        """Some rows cut to the candidates.

        Args:
            table: of all rows.
            rows: int64 `[n]`.
            candidates: of the step.
        """
        if len(rows) >= MANY_ROWS and table.compiles:
            return cls._compiled(table, rows, candidates)
        indices, values = table.entries(rows)
        indices, inside = candidates.among(indices)
        return cls(indices.int(), values * inside, candidates.count)

    @classmethod
    def _compiled(cls, table: SparseRows, rows: Tensor, candidates: Candidates) -> CandidateRows:
        from attrformer.nn.row_kernels import cut

        starts, ends = table.ranges(rows)
        shape = (len(rows), max(1, int((ends - starts).max())))
        items, values = torch.zeros(shape, dtype=torch.int32), torch.zeros(shape)
        counts = torch.empty(len(rows), dtype=torch.int32)
        flat = [tensor.numpy() for tensor in (table.indices.flatten(), table.values.flatten(), starts, ends)]
        out = [tensor.numpy() for tensor in (items, values, counts)]
        cut(*flat, candidates.places.numpy(), candidates.count, *out)
        return cls(items, values, candidates.count, counts)

    def block(self, rows: Tensor, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """Evidence of some sequences.

        Args:
            rows: int64 `[b, s]`.
            inputs: of the same sequences.
            copies: see `Contribution.block`; they are not read.
        """
        if copies is None and inputs.gate.shape[1] == 1:
            # Scores of a part of a large catalogue, which are made as those of the whole.
            whole = SparseRows(self.indices, self.values, self.columns)
            return RowContribution(whole, rows).block(slice(None), inputs)
        places, values = self.indices[rows].long(), self.values[rows]
        columns, local = named(places, values > 0, self.columns)
        if columns.shape[1] < FEW * self.columns:
            dense = torch.zeros(*rows.shape, columns.shape[1], device=rows.device)
            return UnionBlock(columns, dense.scatter_add_(2, local, values), inputs)
        weights = inputs.weights.expand(-1, inputs.gate.shape[1], -1)
        if rows.device.type == "cpu":
            return _sparse_block(places, values, weights, inputs.gate, self.columns)
        dense = torch.zeros(*rows.shape, self.columns, device=rows.device).scatter_add_(2, places, values)
        return DenseBlock(torch.bmm(weights, dense), inputs.gate, lambda g: torch.bmm(g, dense.transpose(1, 2)))


def _sparse_block(places: Tensor, values: Tensor, weights: Tensor, gate: Tensor, columns: int) -> Block:
    """Evidence over all candidates by sparse products, which take a quarter of the time of dense ones on a CPU."""
    tables = []
    for columns_of, values_of in zip(places.int().numpy(), values.numpy(), strict=True):
        used = values_of > 0
        entries = values_of[used], columns_of[used], offsets_of(used.sum(1)).astype(np.int32)
        tables.append(scipy.sparse.csr_array(entries, shape=(len(used), columns)))

    def added(own: Any, by: Tensor) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray((own @ by.detach().numpy().T).T))

    evidence = [added(table.T, each) for table, each in zip(tables, weights, strict=True)]

    def weight_gradient(gradient: Tensor) -> Tensor:
        return torch.stack([added(table, each) for table, each in zip(tables, gradient, strict=True)])

    return DenseBlock(torch.stack(evidence), gate, weight_gradient)


def named(places: Tensor, used: Tensor, columns: int) -> tuple[Tensor, Tensor]:
    """The columns that some entries of each sequence name, each once.

    Args:
        places: int64 `[b, s, k]`.
        used: bool `[b, s, k]`, which of them count.
        columns: how many there are.

    Returns:
        int64 columns `[b, u]`, unused places holding column 0, and where among them each entry is, int64 `[b, s, k]`;
        an entry that does not count is somewhere.
    """
    flat = places.flatten(1)
    marks = torch.zeros(len(places), columns, dtype=torch.int32, device=places.device)
    marks.scatter_reduce_(1, flat, used.flatten(1).int(), "amax")
    number = marks.cumsum(1, dtype=torch.int32)
    count = max(1, int(number[:, -1].max()))
    number = number.sub_(1).clamp_min_(0).long()
    found = torch.zeros(len(places), count, dtype=torch.long, device=places.device)
    row, column = marks.nonzero(as_tuple=True)
    found[row, number[row, column]] = column
    return found, number.gather(1, flat).view(places.shape)


@dataclass(frozen=True, slots=True, eq=False)
class CandidateWholeRows:
    """Whole rows over the candidates, of which the positions of a history share some.

    Args:
        values: float32 `[n, c]`.
    """

    values: Tensor

    def block(self, rows: Tensor, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """Evidence of some sequences: what is said of positions with the same row is added up first.

        Args:
            rows: int64 `[b, s]`.
            inputs: of the same sequences.
            copies: see `Contribution.block`.
        """
        distinct, place = torch.unique(rows, return_inverse=True)
        if 2 * len(distinct) > rows.shape[1] or inputs.weights.shape[1] == 1:
            return RowContribution(DenseRows(self.values, self.values.shape[1]), rows).block(
                slice(None), inputs, copies
            )
        table = self.values[distinct].to(self.values.dtype if copies is None else copies.precision)
        spread = torch.nn.functional.one_hot(place, len(distinct)).to(inputs.weights.dtype)
        by_row = torch.bmm(inputs.weights, spread).to(table.dtype)

        def weight_gradient(gradient: Tensor) -> Tensor:
            of_rows = (gradient.flatten(0, 1).to(table.dtype) @ table.t()).float().view(by_row.shape)
            return torch.bmm(of_rows, spread.transpose(1, 2))

        evidence = (by_row.flatten(0, 1) @ table).float().view(*by_row.shape[:2], table.shape[1])
        return DenseBlock(evidence, inputs.gate, weight_gradient)


@dataclass(frozen=True, slots=True, eq=False)
class CandidateRowContribution:
    """Evidence as a weighted sum of rows over the candidates.

    Args:
        table: the rows.
        rows: int64 `[b, s]`, the row of each position.
    """

    table: CandidateRows | CandidateWholeRows
    rows: Tensor

    def block(self, rows: slice, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """See `Contribution.block`."""
        return self.table.block(self.rows[rows], inputs, copies)


@dataclass(frozen=True, slots=True, eq=False)
class SomeEntries:
    """Evidence as a list of entries for each target, of which only some are of candidates.

    Args:
        items: int32 `[b, t, e]`, places among the candidates, -1 for entries of other items; t may be 1.
        columns: number of candidates.
    """

    items: Tensor
    columns: int

    @classmethod
    def of(cls, items: Tensor, candidates: Candidates) -> SomeEntries:
        """Entries of items, placed among the candidates.

        Args:
            items: int32 or int64 `[b, t, e]`.
            candidates: of the step.
        """
        if items.numel() < MANY_ENTRIES or items.device.type != "cpu" or not can_compile():
            places = candidates.places[items]
            return cls(places.masked_fill_(places >= candidates.count, -1), candidates.count)
        from attrformer.nn.row_kernels import place

        out = torch.empty(items.shape, dtype=torch.int32)
        place(items.flatten().numpy(), candidates.places.numpy(), candidates.count, out.view(-1).numpy())
        return cls(out, candidates.count)

    def block(self, rows: slice, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """See `Contribution.block`."""
        targets = inputs.gate.shape[1]
        items = self.items[rows].long().expand(-1, targets, -1)
        inside, items = (items >= 0).float(), items.clamp_min(0)
        entries = inputs.weights.expand(-1, targets, -1) * inside
        return EntryBlock(items, entries, inputs.gate, lambda gradient: gradient * inside, self.columns)
