"""Relation parts of a block of logits whose evidence is the same for all targets of a history.

What they add, and its gradient, is that of `nn/contributions.py`. Imported only where numba can be.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from attrformer.nn import shared_kernels
from attrformer.nn.block_products import COLUMNS, ROWS
from attrformer.nn.column_parts import Gradients, Rows, Shape, cut
from attrformer.nn.contributions import ContributionInputs, RowContribution


class SharedColumns:
    """Parts whose evidence is the same for all targets of a history.

    Args:
        parts: whole rows.
        inputs: of each, cut to the block.
        rows: the histories of the block.
        shape: of the block.
    """

    def __init__(
        self, parts: list[RowContribution], inputs: list[ContributionInputs], rows: Rows, shape: Shape
    ) -> None:
        self._shape, (batch, targets) = shape, (shape.batch, shape.targets)
        tables = [part.table.values[part.rows[rows]] for part in parts]
        self._sizes = [table.shape[1] for table in tables]
        if all(size == 1 for size in self._sizes):
            named = torch.cat(tables, 1)
            scaled = named * torch.cat([own.weights for own in inputs], 1)
            scaled.add_(1.0)
            self._slopes = named / scaled
        else:
            summed = [torch.bmm(own.weights, table) for own, table in zip(inputs, tables, strict=True)]
            scaled = torch.cat(summed, 1).add_(1.0)
            self._slopes = torch.cat([table / scaled[:, k : k + 1] for k, table in enumerate(tables)], 1)
        # Parts first, then histories.
        self._log = scaled.log_().transpose(0, 1).flatten(0, 1)
        gates = torch.zeros(len(parts), batch, shape.columns)
        given = torch.stack([own.gate for own in inputs])
        for row in range(batch):
            gates[:, row, row * targets : (row + 1) * targets] = given[:, row]
        self._gates = gates.flatten(0, 1)

    def add_to(self, logits: Tensor) -> None:
        """Adds the parts to logits `[items, n]`."""
        if self._shape.columns % COLUMNS:
            logits.addmm_(self._log.t(), self._gates)
        else:
            shared_kernels.add_outer(logits.numpy(), self._log.numpy(), self._gates.numpy())

    def gradients(self, block: Tensor, factor: Tensor) -> list[Gradients]:
        """Of each part, those of the weights `[b, 1, s]` whole.

        Args:
            block: gradient of the logits but for the factor, `[items, n]`.
            factor: `[b, t]`.
        """
        (batch, count), gates = (self._shape.batch, len(self._sizes)), self._gates * self._shape.row(factor)
        # Beside each logarithm, how much it grows with the weight of each row of the tables.
        found = self._products(torch.cat([self._log, self._slopes.flatten(0, 1)]), block)
        of_gates = cut(self._shape.of_row(found[: len(self._log)]), 0, count, batch)
        named = found[len(self._log) :].view(batch, -1, found.shape[1])
        own = gates.view(count, batch, -1).transpose(0, 1)
        own = own if len(self._sizes) == named.shape[1] else own.repeat_interleave(torch.tensor(self._sizes), 1)
        of_weights = torch.split((named * own).sum(2).unsqueeze(1), self._sizes, 2)
        return [(of_weights[k], of_gates[k].diagonal().t()) for k in range(count)]

    def _products(self, rows: Tensor, block: Tensor) -> Tensor:
        """Rows `[k, items]` times the block `[items, n]`."""
        if block.shape[1] % COLUMNS:
            return rows @ block
        out = torch.zeros(len(rows) + -len(rows) % ROWS, block.shape[1])
        shared_kernels.product(F.pad(rows, (0, 0, 0, len(out) - len(rows))).numpy(), block.numpy(), out.numpy())
        return out[: len(rows)]
