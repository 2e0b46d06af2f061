"""Relations that are rows over the catalogue (co-occurrence, edge tables, most from outside), as a module."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from attrformer.nn import pair_values
from attrformer.nn.batch import Batch
from attrformer.nn.contributions import Contribution, RowContribution
from attrformer.nn.recency import RecencyProfile
from attrformer.nn.relations.base import RECENCY_DECAY, ContributingModule, Gate, ModuleOptions, scattered
from attrformer.nn.tables import DenseRows, SparseRows
from attrformer.relations.row_table import RowRelation

if TYPE_CHECKING:
    from typing_extensions import Self

OWN_RECENCY_DECAY = {"cooccurrence_next": 0.5, "cooccurrence_wide": 0.97}
"""Where the recency profiles of some relations start."""

MANY_ROWS = 256
"""Fewer positions are not worth importing numba for."""

_AT_A_TIME = 16
"""Entries of each sparse row that are compared with the positions at a time."""


class RowModule(ContributingModule):
    """A relation given as rows over the catalogue (co-occurrence, edges), its values fixed, its reading learned.

    Args:
        relation: the rows.
        gate: its gate.
        recency: its recency profile.
    """

    attends: ClassVar[bool] = True

    def __init__(self, relation: RowRelation, gate: Gate, recency: RecencyProfile) -> None:
        super().__init__(gate, recency)
        self.keys, self.folds, self.padding = relation.keys, relation.folds, relation.columns
        self.columns = relation.columns
        for name in ("dense", "indices", "values", "starts"):
            block = getattr(relation, name)
            self.register_buffer(name, None if block is None else torch.from_numpy(block), persistent=False)
        self.longest = 0 if relation.starts is None else int(np.diff(relation.starts).max(initial=0))
        self.pair_scale = float(gate.inverse_epsilon().detach())

    @classmethod
    def make(cls, relation: RowRelation, options: ModuleOptions) -> Self:
        """See `RelationModule.make`."""
        recency = options.recency(OWN_RECENCY_DECAY.get(relation.name, RECENCY_DECAY))
        return cls(relation, Gate(options.width, options.epsilon), recency)

    dense: Tensor | None
    indices: Tensor | None
    values: Tensor | None
    starts: Tensor | None

    @property
    def table(self) -> DenseRows | SparseRows:
        """The relation as a tensor table."""
        if self.dense is not None:
            return DenseRows(self.dense, self.columns)
        assert self.indices is not None and self.values is not None
        return SparseRows(self.indices, self.values, self.columns, self.starts, self.longest)

    def lookup(self, batch: Batch) -> Tensor:
        """The table row of every position, its fold's block included, `[b, l]`."""
        return batch.folds.clamp_max(self.folds).unsqueeze(1) * self.keys + batch.items.clamp_max(self.keys - 1)

    def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Contribution, Tensor]:
        """The rows of the positions, weighted by recency."""
        assert looked_up is not None
        return RowContribution(self.table, looked_up), weights

    def named(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """The kept entries of the rows of all positions; whole rows are those of small catalogues."""
        table = self.table
        if not isinstance(table, SparseRows):
            return None
        items, values = table.entries(self.lookup(batch)[batch.items != self.padding])
        return items.flatten(), (values / values.amax(1, keepdim=True).clamp_min(1e-12)).flatten()

    def add_named(self, batch: Batch, total: Tensor) -> None:
        """See `ContributingModule.add_named`; by a compiled pass, exactly as without, where there are many rows."""
        table = self.table
        if batch.items.numel() < MANY_ROWS or not isinstance(table, SparseRows) or not table.compiles:
            super().add_named(batch, total)
            return
        from attrformer.nn.row_kernels import add_strengths

        ranges = table.ranges(self.lookup(batch)[batch.items != self.padding])
        tensors = (table.indices.flatten(), table.values.flatten(), *ranges, total)
        add_strengths(*(tensor.numpy() for tensor in tensors))

    def attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """log(1 + R_a(i_t, i_s) / eps) from the rows, eps as it started, `[b, l, l]`."""
        assert looked_up is not None
        known = batch.items.clamp_max(self.columns - 1)
        whole = self.dense is not None and self.dense.shape[1] >= self.columns
        if self.dense is not None and whole and self.dense.dtype == torch.float32 and pair_values.takes(batch.items):
            return pair_values.of_rows(self.dense, looked_up, known, self.pair_scale)
        return torch.log1p(self.table.pairs(looked_up, known) * self.pair_scale)

    def values_between(self, batch: Batch, items: Tensor) -> Tensor:
        """See `ContributingModule.values_between`."""
        return self.table.pairs(self.lookup(batch), items)

    def onnx_attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """See `RelationModule.onnx_attention_values`; every kept entry is compared with every position."""
        if self.indices is None or self.values is None:
            return self.attention_values(batch, looked_up, gaps)
        assert looked_up is not None
        wanted = batch.items.clamp_max(self.columns - 1)
        indices, values = self.indices[looked_up].long(), self.values[looked_up]
        total = torch.zeros(*looked_up.shape, looked_up.shape[1], device=values.device)
        for start in range(0, indices.shape[2], _AT_A_TIME):
            part = slice(start, start + _AT_A_TIME)
            same = indices[:, :, None, part] == wanted[:, None, :, None]
            total = total + (same * values[:, :, None, part]).sum(3)
        return torch.log1p(total * self.pair_scale)

    def onnx_contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> Tensor:
        """See `ContributingModule.onnx_contribution`."""
        assert looked_up is not None
        if self.dense is not None:
            known, missing = len(self.dense), self.columns - self.dense.shape[1]
            if missing:
                weights, looked_up = weights * (looked_up < known).unsqueeze(1), looked_up.clamp_max(known - 1)
            evidence = torch.bmm(weights, self.dense[looked_up]).squeeze(1)
            return torch.log1p(F.pad(evidence, (0, missing)) if missing else evidence)
        assert self.indices is not None and self.values is not None
        entries = self.values[looked_up] * weights.squeeze(1).unsqueeze(2)
        items = self.indices[looked_up].long().flatten(1)
        return torch.log1p(scattered(items, entries.flatten(1), self.columns))
