"""What relations of learned pairs add to the logits: the values R_a(i_s, j) themselves have gradients here.

As in `nn.contributions`, the gradients are written by hand and a block is never kept. `Contribution` gives gradients of
one tensor, so that the weights of the history and what the pairs are made of are packed into one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from attrformer.nn.contributions import Block, ContributionInputs
from attrformer.nn.fixed import LowCopies
from attrformer.nn.tables import SparseRows

_ELEMENTS: Final = 1 << 22
"""Values of pairs that are made at a time on a CPU."""

_ON_ACCELERATOR: Final = 1 << 4
"""How many times as many on an accelerator, where starting an operation takes long."""

_SHARED: Final = 1 << 26
"""Most values of pairs that are made once for all histories of a block."""

Back = Callable[[Tensor, Tensor], Tensor]
"""From the gradient of the evidence but for the gate `[b, t, columns]`, and the gate `[b, t, 1]`, to the packed one."""


def packed(weights: Tensor, pairs: Tensor) -> Tensor:
    """The differentiable inputs of learned pairs in one tensor, `[b, 1, t s + s w]`.

    Args:
        weights: `[b, t, s]`, beta_a / eps_a.
        pairs: `[b, s, w]`, what the pairs of each position are made of.
    """
    return torch.cat([weights.flatten(1), pairs.flatten(1)], 1).unsqueeze(1)


def unpacked(inputs: ContributionInputs, length: int) -> tuple[Tensor, Tensor]:
    """The inverse of `packed`: weights `[b, t, s]` and pairs `[b, s, w]`.

    Args:
        inputs: with the packed tensor as their weights.
        length: s.
    """
    batch, targets = inputs.gate.shape
    both = inputs.weights.squeeze(1)
    cut = targets * length
    return both[:, :cut].view(batch, targets, length), both[:, cut:].view(batch, length, -1)


class PairBlock:
    """Evidence over the catalogue, or over the items that a sequence names, whose values have gradients.

    Args:
        evidence: `[b, t, columns]`, scaled by 1 / eps; owned by the block from here on.
        gate: `[b, t]`.
        back: carries the gradient of the evidence back to the packed inputs.
        columns: int64 `[b, t, columns]`, the items; None where the columns are the catalogue.
        entries: items and weights of the entries, where the evidence is mostly 0; None elsewhere.
    """

    def __init__(
        self,
        evidence: Tensor,
        gate: Tensor,
        back: Back,
        columns: Tensor | None = None,
        entries: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self._evidence, self._log = evidence, torch.log1p(evidence)
        self._gate, self._back, self._columns, self._entries = gate.unsqueeze(2), back, columns, entries

    def add_to(self, logits: Tensor) -> None:
        """Adds gate times log evidence to logits `[b, t, items]` in place."""
        if self._columns is None:
            logits.addcmul_(self._log, self._gate)
        else:
            logits.scatter_add_(2, self._columns, self._log * self._gate)

    def gradients(self, gradient: Tensor, factor: Tensor, needs_weights: bool) -> tuple[Tensor | None, Tensor]:
        """Gradients of the packed inputs (None where not needed) and the gate; see `Block`."""
        if self._columns is not None:
            gradient = gradient.gather(2, self._columns)
        of_gate = self._log.mul_(gradient).sum(2).mul_(factor.squeeze(2))
        if not needs_weights:
            return None, of_gate
        scaled = self._evidence.add_(1.0)
        return self._back(torch.div(gradient, scaled, out=scaled), self._gate * factor), of_gate

    def spoken(self) -> tuple[Tensor | None, Tensor]:
        """Items, or None where it is the whole catalogue, and the evidence for them."""
        if self._entries is not None:
            return self._entries
        return self._columns, self._evidence


@dataclass(frozen=True, slots=True, eq=False)
class VectorContribution:
    """Evidence from the products of the vectors of a history with those of all items, negative ones cut off.

    The packed pairs are the vectors of the positions, carried over by M_a, `[b, s, d]`.

    Args:
        vectors: `[items, d]`.
        items: int64 `[b, s]`, the items of the positions, which say nothing of themselves.
    """

    vectors: Tensor
    items: Tensor

    def block(self, rows: slice, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """Evidence for the whole catalogue; values of pairs are kept only where they are few."""
        items = self.items[rows]
        weights, projected = unpacked(inputs, items.shape[1])
        table = self.vectors if copies is None else copies.of(self.vectors)
        cuts = list(_cuts(len(items), items.shape[1] * len(table), table.device))
        kept: list[Tensor] = []
        shared = _shared_sums(projected, table, items, weights)
        sums: list[Tensor] = [] if shared is None else [shared]
        for cut in cuts if shared is None else []:
            values = _products(projected[cut], table, items[cut])
            sums.append(torch.bmm(weights[cut].to(values.dtype), values).float())
            if len(cuts) == 1:
                kept.append(values)

        def back(gradient: Tensor, gate: Tensor) -> Tensor:
            of_weights, of_projected = torch.empty_like(weights), torch.empty_like(projected)
            gated = weights * gate
            for number, cut in enumerate(cuts):
                values = kept[number] if kept else _products(projected[cut], table, items[cut])
                low = gradient[cut].to(values.dtype)
                of_weights[cut] = torch.bmm(low, values.transpose(1, 2)) * gate[cut]
                of_values = torch.bmm(gated[cut].to(values.dtype).transpose(1, 2), low)
                # Several times as fast as a mask; the block is used up by its gradients.
                of_values.mul_(values.sign_())
                of_projected[cut] = (of_values.flatten(0, 1) @ table).view_as(of_projected[cut])
            return packed(of_weights, of_projected)

        return PairBlock(sums[0] if len(sums) == 1 else torch.cat(sums), inputs.gate, back)


@dataclass(frozen=True, slots=True, eq=False)
class KeptPairsContribution:
    """Evidence from the kept pairs of each position; the packed pairs are their values, at least 0, `[b, s, k]`.

    Args:
        kept: int64 `[b, s, k]`, items; an unused place holds item 0 and has the value 0.
        columns: number of items.
    """

    kept: Tensor
    columns: int

    def block(self, rows: slice, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """Evidence over the items that the positions name, or for a single target over the catalogue."""
        kept = self.kept[rows]
        weights, values = unpacked(inputs, kept.shape[1])
        made = self._single if weights.shape[1] == 1 else self._union
        return made(kept, weights, values, inputs.gate)

    def entries(self, row: int, inputs: ContributionInputs) -> tuple[Tensor, Tensor]:
        """Items and their weights of one history with a single target, int64 and float32 `[s k]`; an item may repeat.

        Args:
            row: of the history within the batch.
            inputs: of the whole batch.
        """
        weights, values = unpacked(inputs.block(slice(row, row + 1)), self.kept.shape[1])
        return self.kept[row].flatten(), (values * weights.transpose(1, 2)).flatten()

    def _single(self, kept: Tensor, weights: Tensor, values: Tensor, gate: Tensor) -> Block:
        share = weights.transpose(1, 2)
        items, entries = kept.flatten(1).unsqueeze(1), (values * share).flatten(1).unsqueeze(1)
        evidence = torch.zeros(len(kept), 1, self.columns, device=values.device).scatter_add_(2, items, entries)

        def back(gradient: Tensor, gate: Tensor) -> Tensor:
            at = (gradient.gather(2, items) * gate).view_as(values)
            return packed((at * values).sum(2).unsqueeze(1), at * share)

        return PairBlock(evidence, gate, back, entries=(items, entries))

    def _union(self, kept: Tensor, weights: Tensor, values: Tensor, gate: Tensor) -> Block:
        batch, length = kept.shape[:2]
        named = SparseRows(kept.flatten(0, 1), values.flatten(0, 1), self.columns)
        items, local = named.union_places(torch.arange(batch * length, device=kept.device).view(batch, length))
        rows = torch.zeros(batch, length, items.shape[1], device=kept.device).scatter_add_(2, local, values)

        def back(gradient: Tensor, gate: Tensor) -> Tensor:
            of_weights = torch.bmm(gradient, rows.transpose(1, 2)) * gate
            of_rows = torch.bmm((weights * gate).transpose(1, 2), gradient)
            return packed(of_weights, of_rows.gather(2, local))

        return PairBlock(torch.bmm(weights, rows), gate, back, items.unsqueeze(1).expand(-1, weights.shape[1], -1))


class _KeptProducts(torch.autograd.Function):
    """Products of vectors with some rows of a table each, which are read again for the gradient and never kept."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, table: Tensor, kept: Tensor) -> Tensor:
        ctx.save_for_backward(table, kept)
        ctx.shape = queries.shape
        found = torch.empty(kept.shape, device=queries.device, dtype=queries.dtype)
        for cut in _cuts(len(kept), kept.shape[1] * table.shape[1], table.device):
            found[cut] = torch.bmm(table[kept[cut]], queries[cut].unsqueeze(2)).squeeze(2)
        return found

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        table, kept = ctx.saved_tensors
        found = torch.empty(ctx.shape, device=table.device, dtype=outputs[0].dtype)
        for cut in _cuts(len(kept), kept.shape[1] * table.shape[1], table.device):
            found[cut] = torch.bmm(outputs[0][cut].unsqueeze(1), table[kept[cut]]).squeeze(1)
        return found, None, None


def kept_products(queries: Tensor, table: Tensor, kept: Tensor) -> Tensor:
    """Products of each vector with some rows of a table, `[n, k]`.

    Args:
        queries: `[n, d]`.
        table: `[items, d]`, without a gradient.
        kept: int64 `[n, k]`, rows of the table.
    """
    found: Tensor = _KeptProducts.apply(queries, table, kept)  # type: ignore[no-untyped-call]
    return found


def _products(projected: Tensor, table: Tensor, items: Tensor) -> Tensor:
    """max(0, products) of vectors `[b, s, d]` with all rows of a table, 0 for an item with itself, `[b, s, items]`."""
    values = (projected.flatten(0, 1).to(table.dtype) @ table.t()).clamp_min_(0.0).view(*items.shape, len(table))
    # Padding has no products, so that it does not matter whose is cleared.
    return values.scatter_(2, items.clamp_max(len(table) - 1).unsqueeze(2), 0.0)


def _shared_sums(projected: Tensor, table: Tensor, items: Tensor, weights: Tensor) -> Tensor | None:
    """The sums over the histories where many of them have one target each, `[b, 1, items]`; None where they do not.

    An item that several positions have in common is multiplied once.
    """
    if weights.shape[1] != 1 or len(items) == 1 or items.device.type != "cpu":
        return None
    named, place = torch.unique(items, return_inverse=True)
    if len(named) * len(table) > _SHARED:
        return None
    # Positions of one item have the same vector, so that any of them will do.
    any_of = torch.empty_like(named).scatter_(0, place.flatten(), torch.arange(items.numel()))
    rows = _products(projected.flatten(0, 1)[any_of].unsqueeze(0), table, named.unsqueeze(0)).squeeze(0)
    summed = F.embedding_bag(place, rows, per_sample_weights=weights.squeeze(1).to(rows.dtype), mode="sum")
    return summed.float().unsqueeze(1)


def _cuts(rows: int, each: int, device: torch.device) -> Iterator[slice]:
    """Slices of rows that hold about as many values as are made at a time, so many in each row."""
    step = max(1, _ELEMENTS * (1 if device.type == "cpu" else _ON_ACCELERATOR) // max(each, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
