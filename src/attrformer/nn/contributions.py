"""What one relation adds to the logits of a block of targets, and the gradient of that.

Every part computes catalogue evidence `e_a(t, j)` (docs/paper.md, part 3) and adds
`g_a(t) * log(1 + e_a(t, j) / eps_a)` to the
logits; the division by eps_a is already in the weights it is given. The formulas are written by hand because a block
must never be kept for a later backward pass: the fused objective asks for the gradient at once. The plain counterpart,
by automatic differentiation, stands in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from attrformer.nn.fixed import LowCopies
from attrformer.nn.tables import DenseRows, FeatureGroups, SparseRows


@dataclass(frozen=True, slots=True, eq=False)
class ContributionInputs:
    """The differentiable inputs of one part.

    Args:
        weights: `[b, t, s]`, what the history says, divided by eps_a; `[b, 1, s]` where all targets share it.
        gate: `[b, t]`, g_a(h_t).
    """

    weights: Tensor
    gate: Tensor

    def block(self, rows: slice) -> ContributionInputs:
        """The same inputs for some sequences only."""
        return ContributionInputs(self.weights[rows], self.gate[rows])


class Block(Protocol):
    """The evidence of one part for one block, ready to be added and differentiated."""

    def add_to(self, logits: Tensor) -> None:
        """Adds the part to logits `[b, t, items]` in place."""

    def gradients(self, gradient: Tensor, factor: Tensor, needs_weights: bool) -> tuple[Tensor | None, Tensor]:
        """Gradients of weights and gate; the block is used up by it.

        Args:
            gradient: that of the logits but for `factor`, `[b, t, items]`; left as it is.
            factor: `[b, t, 1]`, by which `gradient` is to be multiplied.
            needs_weights: whether the gradient of the weights is asked for.
        """

    def spoken(self) -> tuple[Tensor | None, Tensor]:
        """Items, or None where it is the whole catalogue, and the evidence for them; to be asked before `gradients`."""


class Contribution(Protocol):
    """One relation's path to the whole catalogue."""

    def block(self, rows: slice, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """Evidence of one part for some sequences.

        Args:
            rows: the sequences.
            inputs: already cut to them.
            copies: of tables in the type of the large products, while training; None: the tables themselves are read.
        """


WeightGradient = Callable[[Tensor], Tensor]


class DenseBlock:
    """Evidence over columns that may be the catalogue itself, or groups of items that share their evidence.

    Args:
        evidence: `[b, t, columns]` (t may be 1), scaled by 1 / eps; owned by the block from here on.
        gate: `[b, t]`.
        weight_gradient: carries the gradient of the evidence back to the weights.
        spread: adds values `[b, t, columns]` to logits `[b, t, items]`; None where the columns are the items.
        gather: its transpose, from `[b, t, items]` to `[b, t, columns]`.
        items: catalogue size, where the columns are not the items.
    """

    def __init__(
        self,
        evidence: Tensor,
        gate: Tensor,
        weight_gradient: WeightGradient,
        spread: Callable[[Tensor, Tensor], None] | None = None,
        gather: Callable[[Tensor], Tensor] | None = None,
        items: int = 0,
    ) -> None:
        # log1p takes less time than log, and scores never need the sum with 1.
        self.evidence, self._log = evidence, torch.log1p(evidence)
        self._gate, self._weight_gradient = gate.unsqueeze(2), weight_gradient
        self._spread, self._gather, self._items = spread, gather, items

    def add_to(self, logits: Tensor) -> None:
        """Adds gate times log evidence to logits `[b, t, items]` in place."""
        if self._spread is None:
            logits.addcmul_(self._log, self._gate)
        else:
            self._spread(logits, self._log * self._gate)

    def gradients(self, gradient: Tensor, factor: Tensor, needs_weights: bool) -> tuple[Tensor | None, Tensor]:
        """Gradients of weights (None where not needed) and gate; see `Block`."""
        if self._gather is not None:
            gradient = self._gather(gradient)
        gate, scaled = self._gate * factor, self.evidence.add_(1.0)
        if self._log.shape[1] == 1 and gradient.shape[1] != 1:
            of_gate = torch.bmm(gradient, self._log.transpose(1, 2)).mul_(factor).squeeze(2)
            if not needs_weights:
                return None, of_gate
            summed = torch.bmm(gate.transpose(1, 2), gradient)
            return self._weight_gradient(summed.div_(scaled)), of_gate
        # Nobody reads the logarithm again: its memory, which is in the cache, takes the product.
        of_gate = self._log.mul_(gradient).sum(2).mul_(factor.squeeze(2))
        if not needs_weights:
            return None, of_gate
        # The gate is applied after the product with the table, where there is less to multiply.
        return self._weight_gradient(torch.div(gradient, scaled, out=scaled)) * gate, of_gate

    def spoken(self) -> tuple[Tensor | None, Tensor]:
        """None, for the whole catalogue, and the evidence."""
        evidence = self.evidence
        if self._spread is None:
            return None, evidence
        of_items = evidence.new_zeros(*evidence.shape[:2], self._items)
        self._spread(of_items, evidence)
        return None, of_items


class EntryBlock:
    """Evidence held as a list of (item, weight) entries for each target; an item may appear in several entries.

    Entries of one item share its logarithm in proportion to their weight, so that their sum is exact.
    """

    def __init__(
        self, items: Tensor, entries: Tensor, gate: Tensor, weight_gradient: WeightGradient, columns: int
    ) -> None:
        self._items, self._gate, self._weight_gradient = items, gate.unsqueeze(2), weight_gradient
        total = torch.zeros(*entries.shape[:2], columns, device=entries.device)
        total.scatter_add_(2, items, entries)
        evidence = total.gather(2, items)
        self._share = entries / evidence.clamp_min(1e-30)
        self._entries, self._log = entries, torch.log1p(evidence)
        self._scaled = evidence.add_(1.0)

    def add_to(self, logits: Tensor) -> None:
        """Adds gate times log evidence to logits `[b, t, items]` in place."""
        logits.scatter_add_(2, self._items, self._log * self._share * self._gate)

    def gradients(self, gradient: Tensor, factor: Tensor, needs_weights: bool) -> tuple[Tensor | None, Tensor]:
        """Gradients of weights (None where not needed) and gate; see `Block`."""
        at_entries = gradient.gather(2, self._items).mul_(factor)
        of_gate = torch.linalg.vecdot(at_entries, self._log * self._share)
        of_weights = self._weight_gradient(at_entries.div_(self._scaled)) * self._gate if needs_weights else None
        return of_weights, of_gate

    def spoken(self) -> tuple[Tensor | None, Tensor]:
        """The items of the entries and their weights."""
        return self._items, self._entries


class UnionBlock:
    """Evidence over the union of the items that the rows of one sequence name, each item once.

    Args:
        columns: int64 `[b, u]`, the items; unused places repeat item 0 and have no evidence.
        rows: float32 `[b, s, u]`, the rows of the relation over these items.
        inputs: weights `[b, t, s]` and gate.
    """

    def __init__(self, columns: Tensor, rows: Tensor, inputs: ContributionInputs) -> None:
        # The functions hold what they read and not this object, or all of it would wait for the garbage collector.
        named = columns.unsqueeze(1).expand(-1, inputs.gate.shape[1], -1)
        self._columns = named
        weights = inputs.weights.expand(-1, inputs.gate.shape[1], -1)
        self._dense = DenseBlock(
            torch.bmm(weights, rows),
            inputs.gate,
            lambda gradient: torch.bmm(gradient, rows.transpose(1, 2)),
            spread=lambda logits, values: _void(logits.scatter_add_(2, named, values)),
            gather=lambda gradient: gradient.gather(2, named),
        )

    def add_to(self, logits: Tensor) -> None:
        """Adds gate times log evidence to logits `[b, t, items]` in place."""
        self._dense.add_to(logits)

    def gradients(self, gradient: Tensor, factor: Tensor, needs_weights: bool) -> tuple[Tensor | None, Tensor]:
        """Gradients of weights (None where not needed) and gate; see `Block`."""
        return self._dense.gradients(gradient, factor, needs_weights)

    def spoken(self) -> tuple[Tensor | None, Tensor]:
        """The items of the union and the evidence for them."""
        return self._columns, self._dense.evidence


@dataclass(frozen=True, slots=True, eq=False)
class RowContribution:
    """Evidence as a weighted sum of relation rows, one row for each position of the history.

    Args:
        table: the relation.
        rows: int64 `[b, s]`, the row that each position stands for (its fold included).
    """

    table: DenseRows | SparseRows
    rows: Tensor

    def block(self, rows: slice, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """Rows of the positions over the catalogue, or over the items they name."""
        named = self.rows[rows]
        if inputs.gate.shape[1] == 1:
            # A single target reads each row once: there is nothing that a copy of the rows could be used for again.
            weights = inputs.weights.squeeze(1)
            return DenseBlock(self.table.sums(named, weights), inputs.gate, lambda g: self.table.products(named, g))
        if isinstance(self.table, SparseRows):
            return UnionBlock(*self.table.union(named), inputs)
        values = self.table.values if copies is None else copies.of(self.table.values)
        gathered = values.index_select(0, named.flatten()).view(*named.shape, -1)
        evidence = torch.bmm(inputs.weights.to(gathered.dtype), gathered).float()

        def weight_gradient(gradient: Tensor) -> Tensor:
            return torch.bmm(gradient.to(gathered.dtype), gathered.transpose(1, 2)).float()

        return DenseBlock(evidence, inputs.gate, weight_gradient)


@dataclass(frozen=True, slots=True, eq=False)
class EntryContribution:
    """Evidence as a list of items for each target, its weights given by the caller.

    Args:
        items: int32 or int64 `[b, t, e]`; t may be 1.
        columns: number of items.
    """

    items: Tensor
    columns: int

    def block(self, rows: slice, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """The entries of some sequences, for every target."""
        targets = inputs.gate.shape[1]
        items = self.items[rows].long().expand(-1, targets, -1)
        entries = inputs.weights.expand(-1, targets, -1)
        return EntryBlock(items, entries, inputs.gate, lambda gradient: gradient, self.columns)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureContribution:
    """Evidence as the product of a profile in an attribute's feature space and the features of every item.

    Items with the same values share their evidence, so all is computed once for each group of such items.

    Args:
        groups: the distinct feature vectors of the catalogue.
    """

    groups: FeatureGroups

    def block(self, rows: slice, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """Evidence for each group of equal items."""
        groups = self.groups

        def spread(logits: Tensor, values: Tensor) -> None:
            logits.add_(values.flatten(0, 1).index_select(1, groups.of_item).view_as(logits))

        def gather(gradient: Tensor) -> Tensor:
            flat = gradient.flatten(0, 1)
            out = torch.zeros(len(flat), groups.count, device=flat.device)
            return out.index_add_(1, groups.of_item, flat).view(*gradient.shape[:2], groups.count)

        def weight_gradient(gradient: Tensor) -> Tensor:
            return groups.to_values(gradient)

        return DenseBlock(
            groups.from_values(inputs.weights), inputs.gate, weight_gradient, spread, gather, len(groups.of_item)
        )


def _void(value: object) -> None:
    del value
