"""What one relation adds to the logits of a block of targets, and the gradient of that.

Every part computes catalogue evidence `e_a(t, j)` (SPEC part 3) and adds `g_a(t) * log(1 + e_a(t, j) / eps_a)` to the logits.
The formulas are written by hand because a block must never be kept for a later backward pass: the fused objective asks for the
gradient at once. The plain counterpart, by automatic differentiation, stands in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from attrformer.nn.tables import DenseRows, SparseRows


@dataclass(frozen=True, slots=True, eq=False)
class PartInputs:
    """The differentiable inputs of one part.

    Args:
        weights: `[b, t, s]`, what the history says; `[b, 1, s]` where it is the same for every target.
        gate: `[b, t]`, g_a(h_t).
        inverse_epsilon: scalar, 1 / eps_a.
    """

    weights: Tensor
    gate: Tensor
    inverse_epsilon: Tensor

    def block(self, rows: slice) -> PartInputs:
        """The same inputs for some sequences only."""
        return PartInputs(self.weights[rows], self.gate[rows], self.inverse_epsilon)


class Block(Protocol):
    """The evidence of one part for one block, ready to be added and differentiated."""

    def add_to(self, logits: Tensor) -> None:
        """Adds the part to logits `[b, t, items]` in place."""

    def gradients(self, gradient: Tensor, needs_weights: bool) -> tuple[Tensor | None, Tensor, Tensor]:
        """Gradients of weights, gate and inverse epsilon from that of the logits."""

    def distribution(self) -> tuple[Tensor | None, Tensor]:
        """The evidence scaled to sum to one, as (items or None when dense, values)."""


class Part(Protocol):
    """One relation's path to the whole catalogue."""

    def block(self, rows: slice, inputs: PartInputs) -> Block:
        """Evidence for the sequences in `rows`; `inputs` are already cut to them."""


class DenseBlock:
    """Evidence held as `[b, t, items]` (t may be 1)."""

    def __init__(self, evidence: Tensor, inputs: PartInputs, weight_gradient: WeightGradient) -> None:
        self._evidence, self._inputs, self._weight_gradient = evidence, inputs, weight_gradient
        self._scaled = evidence * inputs.inverse_epsilon + 1.0
        self._log = torch.log(self._scaled)

    def add_to(self, logits: Tensor) -> None:
        logits.addcmul_(self._log, self._inputs.gate.unsqueeze(2))

    def gradients(self, gradient: Tensor, needs_weights: bool) -> tuple[Tensor | None, Tensor, Tensor]:
        gate, inverse = self._inputs.gate.unsqueeze(2), self._inputs.inverse_epsilon
        if self._log.shape[1] == 1 and gradient.shape[1] != 1:
            of_gate = torch.bmm(gradient, self._log.transpose(1, 2)).squeeze(2)
            of_log = torch.bmm(gate.transpose(1, 2), gradient)
        else:
            of_gate = torch.linalg.vecdot(gradient, self._log)
            of_log = gradient * gate
        of_scaled = of_log.div_(self._scaled)
        of_inverse = torch.dot(of_scaled.flatten(), self._evidence.flatten())
        of_weights = self._weight_gradient(of_scaled.mul_(inverse)) if needs_weights else None
        return of_weights, of_gate, of_inverse

    def distribution(self) -> tuple[Tensor | None, Tensor]:
        return None, self._evidence / self._evidence.sum(2, keepdim=True).clamp_min(1e-12)


class WeightGradient(Protocol):
    """Carries the gradient of evidence back to the weights it was made from."""

    def __call__(self, gradient: Tensor) -> Tensor: ...


class SparseBlock:
    """Evidence held as a list of (item, weight) entries for each target; an item may appear in several entries.

    Entries of one item share its logarithm in proportion to their weight, so that their sum is exact.
    """

    def __init__(self, items: Tensor, entries: Tensor, inputs: PartInputs, weight_gradient: WeightGradient, columns: int) -> None:
        self._items, self._inputs, self._weight_gradient = items, inputs, weight_gradient
        total = torch.zeros(*entries.shape[:2], columns, device=entries.device)
        total.scatter_add_(2, items, entries)
        self._evidence = total.gather(2, items)
        self._share = torch.where(self._evidence > 0, entries / self._evidence, 0.0)
        self._entries = entries
        self._log = torch.log1p(self._evidence * inputs.inverse_epsilon)

    def add_to(self, logits: Tensor) -> None:
        logits.scatter_add_(2, self._items, self._log * self._share * self._inputs.gate.unsqueeze(2))

    def gradients(self, gradient: Tensor, needs_weights: bool) -> tuple[Tensor | None, Tensor, Tensor]:
        at_entries = gradient.gather(2, self._items)
        of_gate = torch.linalg.vecdot(at_entries, self._log * self._share)
        inverse = self._inputs.inverse_epsilon
        of_scaled = at_entries.mul_(self._inputs.gate.unsqueeze(2)).div_(1.0 + self._evidence * inverse)
        # Sum over distinct items of d * e equals the sum over entries of d * entry.
        of_inverse = torch.dot(of_scaled.flatten(), self._entries.flatten())
        of_weights = self._weight_gradient(of_scaled.mul_(inverse)) if needs_weights else None
        return of_weights, of_gate, of_inverse

    def distribution(self) -> tuple[Tensor | None, Tensor]:
        return self._items, self._entries / self._entries.sum(2, keepdim=True).clamp_min(1e-12)


@dataclass(frozen=True, slots=True, eq=False)
class RowPart:
    """Evidence as a weighted sum of relation rows, one row for each position of the history.

    Args:
        table: the relation.
        rows: int64 `[b, s]`, the row that each position stands for (its fold included).
    """

    table: DenseRows | SparseRows
    rows: Tensor

    def block(self, rows: slice, inputs: PartInputs) -> Block:
        named = self.rows[rows]
        table = self.table
        if isinstance(table, DenseRows):
            evidence = table.evidence(inputs.weights, named)
            return DenseBlock(evidence, inputs, lambda gradient: table.weight_gradient(gradient, named))
        weights = inputs.weights.expand(-1, inputs.gate.shape[1], -1)
        items, entries = table.entries(weights, named)
        shared = inputs.weights.shape[1] == 1
        return SparseBlock(items, entries, inputs, lambda g: _unshare(table.weight_gradient(g, named), shared), table.columns)


@dataclass(frozen=True, slots=True, eq=False)
class EntryPart:
    """Evidence as a list of items for each target, its weights given by the caller.

    Args:
        items: int64 `[b, t, e]`.
        columns: number of items.
    """

    items: Tensor
    columns: int

    def block(self, rows: slice, inputs: PartInputs) -> Block:
        weights = inputs.weights.expand(-1, inputs.gate.shape[1], -1)
        items = self.items[rows].expand(-1, inputs.gate.shape[1], -1)
        shared = inputs.weights.shape[1] == 1
        return SparseBlock(items, weights.contiguous(), inputs, lambda g: _unshare(g, shared), self.columns)


@dataclass(frozen=True, slots=True, eq=False)
class FeaturePart:
    """Evidence as the product of a profile in an attribute's feature space and the features of every item.

    Args:
        features: Phi_a as `[values, items]`, or int64 `[items]` codes where every item has at most one value
            (then `known` tells which items have one).
        values: number of attribute values.
        known: float32 `[items]` or None.
    """

    features: Tensor
    values: int
    known: Tensor | None = None

    def block(self, rows: slice, inputs: PartInputs) -> Block:
        profile = inputs.weights
        flat = profile.flatten(0, 1)
        if self.known is None:
            evidence = (flat @ self.features).unflatten(0, profile.shape[:2])
            return DenseBlock(evidence, inputs, lambda g: (g.flatten(0, 1) @ self.features.t()).unflatten(0, g.shape[:2]))
        evidence = flat.index_select(1, self.features).mul_(self.known).unflatten(0, profile.shape[:2])
        return DenseBlock(evidence, inputs, self._profile_gradient)

    def _profile_gradient(self, gradient: Tensor) -> Tensor:
        assert self.known is not None
        flat = (gradient * self.known).flatten(0, 1)
        out = torch.zeros(flat.shape[0], self.values, device=flat.device)
        return out.index_add_(1, self.features, flat).unflatten(0, gradient.shape[:2])


def _unshare(gradient: Tensor, shared: bool) -> Tensor:
    return gradient.sum(1, keepdim=True) if shared else gradient
