"""The relation parts of a block of logits that has a row for each item and a column for each target.

Here is what stands around the compiled passes of `nn/column_kernels.py` and `nn/entry_kernels.py`: products, and where
which target's values lie. What each part adds, and its gradient, is that of `nn/contributions.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from attrformer.nn import column_kernels, entry_kernels, row_product_kernels
from attrformer.nn.block_products import COLUMNS, PAIRS, ROWS
from attrformer.nn.contributions import ContributionInputs, FeatureContribution, RowContribution
from attrformer.nn.fixed import LowCopies

FEW_ROWS = 96
"""Distinct rows up to which all histories of a block share one product."""

MARKED_ROWS = 1 << 14
"""Rows up to which those that are named are marked in the list of all, which takes less than sorting."""

Rows = slice | Tensor
"""Histories of a batch: a range, or their numbers, int64 `[b]`."""

Gradients = tuple[Tensor, Tensor]
"""Gradients of the weights but for gate and factor `[b, t, s]`, and of the gate but for the factor `[b, t]`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A block: b histories with t targets each, their columns filled up to n."""

    batch: int
    targets: int
    columns: int

    def row(self, values: Tensor) -> Tensor:
        """Values `[b, t]` as a row over the columns, `[n]`."""
        return F.pad(values.flatten(), (0, self.columns - self.batch * self.targets))

    def of_row(self, values: Tensor) -> Tensor:
        """The inverse of `row` for the last dimension, `[..., n]` to `[..., b, t]`."""
        return cut(values[..., : self.batch * self.targets], -1, self.batch, self.targets)

    def diagonal(self, values: Tensor) -> Tensor:
        """Values `[b, t]` in the columns of their history, 0 in those of others, `[b, n]`."""
        out = values.new_zeros(self.batch, self.batch, self.targets)
        out.diagonal(dim1=0, dim2=1).copy_(values.t())
        return F.pad(out.flatten(1), (0, self.columns - self.batch * self.targets))


def bits(values: Tensor) -> NDArray[Any]:
    """An array of the same memory; of bfloat16 its bits."""
    if values.dtype != torch.bfloat16:
        return values.numpy()
    found: NDArray[Any] = values.view(torch.int16).numpy().view("uint16")
    return found


def cut(values: Tensor, dimension: int, *sizes: int) -> Tensor:
    """A dimension in two."""
    found: Tensor = values.unflatten(dimension, sizes)  # type: ignore[no-untyped-call]
    return found


def _distinct(named: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Which of `count` rows are named, ascending, and where among them each one that is named stands."""
    if count > MARKED_ROWS:
        found: tuple[Tensor, Tensor] = torch.unique(named, return_inverse=True)
        return found
    place = torch.zeros(count, dtype=torch.long)
    place[named] = 1
    return place.nonzero().squeeze(1), place.cumsum(0).sub_(1)[named]


def ends_of(weights: list[Tensor], targets: int) -> Tensor:
    """How many positions some targets next to each other may read, by the weights of all parts, int64 `[b, tiles]`.

    A weight of 0 alone says nothing, as it may be learned; that of every part is 0 behind the place of a target.

    Args:
        weights: `[b, t, s]` of each part.
        targets: t.
    """
    ends = torch.zeros(len(weights[0]) if weights else 0, -(-targets // COLUMNS) * COLUMNS, dtype=torch.long)
    for own in weights:
        ends[:, :targets] = ends[:, :targets].maximum(((own != 0) * torch.arange(1, own.shape[2] + 1)).amax(2))
    return ends.view(len(ends), ends.shape[1] // COLUMNS, COLUMNS).amax(2)


class DenseColumns:
    """A part with evidence for every item and target.

    Args:
        part: whole rows.
        inputs: cut to the block.
        rows: the histories of the block.
        shape: of the block.
        evidence: `[items, n]`, filled in; it ends as the gradient over 1 + evidence.
        copies: of tables in the type of the evidence; None: the tables have it.
        ends: int64 `[b, tiles]`, positions that each `row_product_kernels.COLUMNS` targets may read.
    """

    def __init__(
        self,
        part: RowContribution,
        inputs: ContributionInputs,
        rows: Rows,
        shape: Shape,
        evidence: Tensor,
        copies: LowCopies | None,
        ends: Tensor,
    ) -> None:
        values = part.table.values if copies is None else copies.of(part.table.values)
        named, weights = part.rows[rows], inputs.weights
        self._shape, self._evidence = shape, evidence
        distinct, place = _distinct(named, len(values))
        self._place = place.unsqueeze(1).expand(-1, shape.targets, -1)
        self._together = len(distinct) <= max(FEW_ROWS, named.shape[1])
        # A part may read fewer positions than others do.
        self._table, self._named, self._ends = values, named, ends.clamp_max(named.shape[1])
        self._in_place = not self._together and values.dtype == evidence.dtype == torch.bfloat16 and PAIRS
        if self._in_place:
            said = weights.transpose(1, 2).to(evidence.dtype).contiguous()
            arrays = (bits(values), named.numpy(), bits(said), self._ends.numpy(), bits(evidence))
            row_product_kernels.evidence(*arrays)
        elif self._together:
            self._rows = values.index_select(0, distinct)
            summed = torch.zeros(shape.columns, len(distinct))
            shape.of_row(summed.t()).permute(1, 2, 0).scatter_add_(2, self._place, weights)
            torch.mm(self._rows.t(), summed.t().to(evidence.dtype), out=evidence)
        else:
            self._rows = values.index_select(0, named.flatten()).view(*named.shape, -1)
            found = torch.bmm(self._rows.transpose(1, 2), weights.transpose(1, 2).to(evidence.dtype))
            evidence[:, shape.batch * shape.targets :] = 0
            shape.of_row(evidence).copy_(found.transpose(0, 1))

    def of_weights(self) -> Tensor:
        """Gradient of the weights but for gate and factor, `[b, t, s]`, from the gradient over 1 + evidence."""
        if self._together:
            return self._shape.of_row((self._rows @ self._evidence).float()).permute(1, 2, 0).gather(2, self._place)
        if self._in_place:
            return self._in_rows()
        return torch.bmm(self._rows, self._shape.of_row(self._evidence).transpose(0, 1)).transpose(1, 2).float()

    def _in_rows(self) -> Tensor:
        (batch, length), targets = self._named.shape, self._shape.targets
        named = F.pad(self._named, (0, -length % ROWS)).contiguous()
        out = torch.zeros(batch, named.shape[1], self._ends.shape[1] * COLUMNS)
        gradient = self._evidence[:, : batch * targets]
        arrays = (bits(self._table), named.numpy(), bits(gradient), self._ends.numpy(), out.numpy())
        row_product_kernels.of_weights(*arrays)
        return out[:, :length, :targets].transpose(1, 2)


class GroupColumns:
    """Parts whose evidence is that of groups of items.

    Args:
        parts: of every block.
        items: size of the catalogue.
    """

    def __init__(self, parts: list[FeatureContribution], items: int) -> None:
        self.parts, self.starts = [part.groups for part in parts], [0]
        for groups in self.parts:
            self.starts.append(self.starts[-1] + groups.count)
        numbers = [groups.of_item.int() + start for groups, start in zip(self.parts, self.starts, strict=False)]
        self.numbers = torch.stack(numbers, 1) if numbers else torch.empty(items, 0, dtype=torch.int32)
        self.lists = [groups.listed() for groups in self.parts]

    def evidence(self, inputs: list[ContributionInputs], shape: Shape) -> tuple[Tensor, Tensor]:
        """Evidence of every group, and gate times its logarithm, both `[groups, n]`."""
        evidence, values = torch.zeros(self.starts[-1], shape.columns), torch.empty(self.starts[-1], shape.columns)
        for k, (groups, own) in enumerate(zip(self.parts, inputs, strict=True)):
            place = slice(self.starts[k], self.starts[k + 1])
            listed, into = self.lists[k], evidence[place]
            # The targets of the profile become columns.
            profile = into[: groups.values] if listed is None else torch.zeros(groups.values, shape.columns)
            shape.of_row(profile).copy_(own.weights.expand(-1, shape.targets, -1).permute(2, 0, 1))
            if listed is not None:
                column_kernels.add_listed(profile.numpy(), *(t.numpy() for t in listed), into.numpy())
            gate = shape.row(own.gate).numpy()
            column_kernels.group_values(into.numpy(), gate, values[place].numpy())
        return evidence, values

    def gradients(self, k: int, evidence: Tensor, of_values: Tensor, shape: Shape) -> Gradients:
        """Of part k, from what `evidence` gave and the gradient of its values; that is used up."""
        place = slice(self.starts[k], self.starts[k + 1])
        own, of_gate = of_values[place], torch.zeros(shape.columns)
        column_kernels.group_gradients(evidence[place].numpy(), own.numpy(), of_gate.numpy())
        listed, values = self.lists[k], self.parts[k].values
        of_profile = own[:values] if listed is None else torch.zeros(values, shape.columns)
        if listed is not None:
            column_kernels.add_to_listed(own.numpy(), *(t.numpy() for t in listed), of_profile.numpy())
        return shape.of_row(of_profile).permute(1, 2, 0), shape.of_row(of_gate)


class RowColumns:
    """A part with few entries in each row, of which a history names the union.

    Args:
        table: indices, values and counts as `entry_kernels.add_rows` reads them, and the row of each position, int64
            `[b, s]`.
        inputs: cut to the block.
        shape: of the block.
    """

    def __init__(
        self, table: tuple[Tensor, Tensor, Tensor | None, Tensor], inputs: ContributionInputs, shape: Shape
    ) -> None:
        indices, values, counts, named = table
        counts = indices.new_empty(0) if counts is None else counts
        self._table = tuple(tensor.contiguous().numpy() for tensor in (indices, values, counts, named))
        self._inputs, self._found = inputs, ()
        self._wide = -(-shape.targets // entry_kernels.WIDTH) * entry_kernels.WIDTH

    @classmethod
    def of_items(cls, items: Tensor, inputs: ContributionInputs, shape: Shape) -> RowColumns:
        """A part that lists the same items for all targets of a history: each is a row of one entry.

        Args:
            items: `[b, s]`, -1 for entries that do not count.
            inputs: cut to the block.
            shape: of the block.
        """
        named = torch.arange(items.numel()).view(items.shape)
        flat = items.reshape(-1, 1)
        return cls((flat.clamp_min(0).int(), (flat >= 0).float(), None, named), inputs, shape)

    def add_to(self, logits: Tensor) -> None:
        """Adds the part to logits `[items, n]`."""
        weights, (batch, targets) = self._inputs.weights, self._inputs.gate.shape
        filled = torch.zeros(batch, weights.shape[2], self._wide)
        filled[:, :, :targets] = weights.expand(-1, targets, -1).transpose(1, 2)
        gate = self._inputs.gate.contiguous().numpy()
        self._found = entry_kernels.add_rows(logits.numpy(), *self._table, filled.numpy(), gate)

    def gradients(self, block: Tensor) -> Gradients:
        """See `Gradients`; the part is used up.

        Args:
            block: gradient of the logits but for the factor, `[items, n]`.
        """
        batch, targets = self._inputs.gate.shape
        of_weights, of_gate = torch.zeros(batch, self._table[-1].shape[1], self._wide), torch.zeros(batch, targets)
        entry_kernels.rows_gradients(block.numpy(), *self._table, self._found, of_weights.numpy(), of_gate.numpy())
        return of_weights[:, :, :targets].transpose(1, 2), of_gate


class EntryColumns:
    """A part that lists items for each target.

    Args:
        items: `[b, t, e]`, -1 for entries that do not count.
        inputs: cut to the block.
    """

    def __init__(self, items: Tensor, inputs: ContributionInputs) -> None:
        self._items = items.contiguous().numpy()
        self._weights = inputs.weights.expand(-1, inputs.gate.shape[1], -1).contiguous().numpy()
        self._gate = inputs.gate.contiguous().numpy()
        self._found = ()

    def add_to(self, logits: Tensor) -> None:
        """Adds the part to logits `[items, n]`."""
        self._found = entry_kernels.add_entries(logits.numpy(), self._items, self._weights, self._gate)

    def gradients(self, block: Tensor) -> Gradients:
        """See `Gradients`; the part is used up.

        Args:
            block: gradient of the logits but for the factor, `[items, n]`.
        """
        of_weights, of_gate = torch.empty(self._weights.shape), torch.empty(self._gate.shape)
        entry_kernels.entry_gradients(block.numpy(), self._items, self._found, of_weights.numpy(), of_gate.numpy())
        return of_weights, of_gate
