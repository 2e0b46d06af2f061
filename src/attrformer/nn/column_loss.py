"""The fused loss on a CPU with compiled passes: blocks have a row for each item and a column for each target.

It computes what `nn/fused_loss.py` computes, which stays the reference and does whatever is not known here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from attrformer.compiled import can_compile
from attrformer.nn.candidate_rows import CandidateRowContribution, CandidateRows, CandidateWholeRows, SomeEntries
from attrformer.nn.contributions import ContributionInputs, EntryContribution, FeatureContribution, RowContribution
from attrformer.nn.tables import DenseRows, SparseRows
from attrformer.nn.workers import each_share

if TYPE_CHECKING:
    from attrformer.nn.column_parts import DenseColumns, EntryColumns, RowColumns, Rows, Shape

LEAST_LOGITS: Final = 1 << 20
"""Fewer logits of a batch are not worth importing numba for."""

MOST_COLUMNS: Final = 128
"""Targets of a block where several histories share it; what a step reads anew for each is little beside them."""


def takes(setup: dict[str, Any], hidden: Tensor, table: Tensor, flat: tuple[Tensor, ...]) -> bool:
    """Whether the loss is computed here: it is to be, numba is there, and all parts and the target are known.

    Args:
        setup: as `fused_cross_entropy` makes it.
        hidden: `[b, t, d]`.
        table: `[items, d]`.
        flat: weights and gate of each part.
    """
    count, parts, target = hidden.shape[0] * hidden.shape[1] * table.shape[0], setup["parts"], setup["target"]
    if not setup["compiled"] or count < LEAST_LOGITS or table.device.type != "cpu" or not parts:
        return False
    if any(tensor.dtype != torch.float32 for tensor in (hidden, table, *flat)):
        return False
    if not all(_known(part, len(table)) for part in parts) or not can_compile():
        return False
    if target.strength > 0 and target.mixture[0] > 0 and target.relation is not None:
        return _is_dense(parts[target.relation], flat[2 * target.relation], hidden.shape[1])
    return True


def _known(part: object, items: int) -> bool:
    if type(part) in (EntryContribution, FeatureContribution, SomeEntries):
        return True
    if isinstance(part, CandidateRowContribution):
        return part.table.values.dtype == torch.float32
    if type(part) is not RowContribution:
        return False
    table = part.table
    whole = table.starts is None if isinstance(table, SparseRows) else table.values.shape[1] == items
    return table.values.dtype == torch.float32 and whole


def _is_dense(part: object, weights: Tensor, targets: int) -> bool:
    if not isinstance(part, RowContribution | CandidateRowContribution):
        return False
    return isinstance(part.table, DenseRows | CandidateWholeRows) and (weights.shape[1] > 1 or targets == 1)


WIDER: Final = 2
"""How many times the logits that are asked for a block holds: there is less beside them than in the plain way."""


class ColumnPass:
    """One forward pass that also makes all gradients, block by block; see `fused_cross_entropy`.

    Args:
        setup: as `fused_cross_entropy` makes it.
        hidden: `[b, t, d]`.
        table: `[items, d]`.
        flat: weights and gate of each part.
        needs: for each of `flat`, whether its gradient is asked for.
    """

    def __init__(
        self, setup: dict[str, Any], hidden: Tensor, table: Tensor, flat: tuple[Tensor, ...], needs: tuple[bool, ...]
    ) -> None:
        # Here and not above: numba takes most of a second to import.
        from attrformer.nn.column_parts import GroupColumns, ends_of

        precision, targets = setup["precision"], hidden.shape[1]
        self.parts, self.needs, self.copies = setup["parts"], needs, setup["copies"]
        most = WIDER * setup["elements"] // max(1, targets * table.shape[0])
        self.step = max(1, min(most, MOST_COLUMNS // targets))
        numbers = range(len(self.parts))
        self.of_groups = [k for k in numbers if isinstance(self.parts[k], FeatureContribution)]
        self.dense = [k for k in numbers if _is_dense(self.parts[k], flat[2 * k], targets)]
        self.others = [k for k in numbers if k not in self.of_groups and k not in self.dense]
        order: Tensor | None = None  # Histories that read the same whole rows share a block; two hardly have any.
        if self.dense and self.step > 2:
            order = self.parts[self.dense[-1]].rows[:, 0].argsort(stable=True)
        self.order = order

        def ordered(values: Tensor) -> Tensor:
            return values if order is None else values.index_select(0, order)

        self.low_table = table.detach().to(precision)
        self.columns = self.low_table.t().contiguous()
        self.hidden, *read = [ordered(tensor.detach()) for tensor in (hidden.to(precision), *flat)]
        self.inputs = [ContributionInputs(*read[k : k + 2]) for k in range(0, len(read), 2)]
        self.of_hidden, self.of_flat = torch.zeros(hidden.shape), [torch.zeros_like(tensor) for tensor in read]
        self.scale = ordered(setup["mask"] / setup["mask"].sum().clamp_min(1.0))
        target = setup["target"]
        self.target = replace(target, items=ordered(target.items), counts=ordered(target.counts))
        self.groups = GroupColumns([self.parts[k] for k in self.of_groups], len(table))
        self.ends = ends_of([self.inputs[k].weights for k in self.dense], targets)
        self.prior = self._prior()
        self.correction: Tensor = torch.zeros(len(table)) if setup["correction"] is None else setup["correction"]

    def _prior(self) -> Tensor:
        """What the prior of the target says of every item, `[w, items]`; nothing where it has no strength."""
        popularity: Tensor = self.target.popularity
        if self.target.strength <= 0:
            return popularity.new_empty(0, len(popularity))
        even = self.target.even
        return torch.stack([popularity, torch.full_like(popularity, 1 / len(popularity)) if even is None else even])

    def run(self) -> tuple[Tensor, Tensor]:
        """The loss and the gradient of the table; the other gradients lie in `of_hidden` and `of_flat`."""
        rows = [slice(start, start + self.step) for start in range(0, len(self.hidden), self.step)]
        (loss, of_table), *others = each_share(self._share, rows, self.low_table.device)
        for other_loss, other_table in others:
            loss, of_table = loss + other_loss, of_table.add_(other_table)
        if self.order is not None:
            back = self.order.argsort()
            self.of_hidden, *self.of_flat = (found.index_select(0, back) for found in (self.of_hidden, *self.of_flat))
        return loss, of_table

    @torch.no_grad()
    def _share(self, share: list[slice]) -> tuple[Tensor, Tensor]:
        of_table = torch.zeros(self.low_table.shape)
        loss = of_table.new_zeros(())
        for rows in share:
            loss += ColumnBlock(self, rows).loss(of_table)
        return loss, of_table


class ColumnBlock:
    """The logits of some histories, and their gradient in the same memory.

    Args:
        whole: the pass.
        rows: the histories, in the order of the pass.
    """

    def __init__(self, whole: ColumnPass, rows: slice) -> None:
        from attrformer.nn import column_kernels
        from attrformer.nn.column_parts import DenseColumns, Shape, bits
        from attrformer.nn.shared_columns import SharedColumns

        self.whole, self.rows, self.kernels = whole, rows, column_kernels
        hidden = whole.hidden[rows]
        batch, targets = hidden.shape[:2]
        lanes = column_kernels.LANES
        shape = self.shape = Shape(batch, targets, -(-batch * targets // lanes) * lanes)
        self.hidden = torch.nn.functional.pad(hidden.flatten(0, 1), (0, 0, 0, shape.columns - batch * targets))
        self.inputs = [own.block(rows) for own in whole.inputs]
        named = rows if whole.order is None else whole.order[rows]
        self.content = whole.low_table @ self.hidden.t()
        size = (len(whole.low_table), shape.columns)
        self.evidence = torch.empty(
            len(whole.dense), *size, dtype=self.content.dtype if whole.copies else torch.float32
        )
        self.dense: list[DenseColumns] = [
            DenseColumns(whole.parts[k], self.inputs[k], named, shape, out, whole.copies, whole.ends[rows])
            for k, out in zip(whole.dense, self.evidence, strict=True)
        ]
        gates = [shape.row(self.inputs[k].gate) for k in whole.dense]
        self.gates = torch.stack(gates) if gates else torch.empty(0, shape.columns)
        self.of_groups = whole.groups.evidence([self.inputs[k] for k in whole.of_groups], shape)
        self.logits = torch.empty(size)
        column_kernels.add_parts(
            self.logits.numpy(), bits(self.content), whole.groups.numbers.numpy(), self.of_groups[1].numpy(),
            bits(self.evidence), self.gates.numpy(),
        )  # fmt: skip
        self.listed = {k: _listed(whole.parts[k], self.inputs[k], named, shape) for k in whole.others if self._lists(k)}
        for part in self.listed.values():
            part.add_to(self.logits)
        self.of_histories = [k for k in whole.others if k not in self.listed]
        parts = [whole.parts[k] for k in self.of_histories]
        inputs = [self.inputs[k] for k in self.of_histories]
        self.shared = SharedColumns(parts, inputs, named, shape) if parts else None
        if self.shared is not None:
            self.shared.add_to(self.logits)

    def _lists(self, number: int) -> bool:
        part = self.whole.parts[number]
        return isinstance(part, EntryContribution | SomeEntries) or isinstance(part.table, SparseRows | CandidateRows)

    def loss(self, of_table: Tensor) -> Tensor:
        """The loss of the block; its gradients are written into the pass and added to that of the table."""
        shape, kernels, logits = self.shape, self.kernels, self.logits.numpy()
        counts = self.whole.target.counts[self.rows].flatten(0, 1)
        total_count = counts.sum(1, keepdim=True) + self.whole.target.strength
        shares = (counts / total_count.clamp_min(1e-12)).numpy()
        items = self.whole.target.items[self.rows].flatten(0, 1).contiguous().numpy()
        value = torch.zeros(shape.columns)
        kernels.at_targets(logits, items, shares, value.numpy())
        prior, of_relation = self._prior(total_count, value)
        peak, total, weighted = torch.empty(shape.columns), torch.zeros(shape.columns), torch.zeros_like(prior)
        kernels.softmax(
            logits, self.whole.correction.numpy(), self.whole.prior.numpy(), peak.numpy(), total.numpy(),
            weighted.numpy(),
        )  # fmt: skip
        value += (prior * weighted).sum(0)
        scale = shape.row(self.whole.scale[self.rows])
        loss = ((total.log() + peak - value) * scale).sum()
        # It is no probability yet: what divides it by the total is applied to the results, which are smaller.
        kernels.subtract_targets(logits, items, shares, total.numpy())
        if len(prior):
            kernels.subtract_outer(logits, self.whole.prior.numpy(), (prior * total).numpy())
        if of_relation is not None:
            evidence, times = of_relation
            kernels.subtract_evidence(logits, evidence, (times * total).numpy())
        self._gradients(scale / total, of_table)
        return loss

    def _prior(self, total_count: Tensor, value: Tensor) -> tuple[Tensor, tuple[Any, Tensor] | None]:
        """By what the prior of each target is multiplied, `[w, n]`, and evidence and factor of its relation's part.

        Args:
            total_count: `[b t, 1]`.
            value: `[n]`; the relation's part of target times logits is added.
        """
        from attrformer.nn.column_parts import bits

        target, shape = self.whole.target, self.shape
        if target.strength <= 0:
            return torch.empty(0, shape.columns), None
        prior = shape.row(target.strength / total_count)
        from_relation, from_popularity, uniform = target.mixture
        if from_relation <= 0 or target.relation is None:
            return torch.stack([prior * from_popularity, prior * (uniform + from_relation)]), None
        evidence = bits(self.evidence[self.whole.dense.index(target.relation)])
        spoken, products = torch.zeros_like(prior), torch.zeros_like(prior)
        self.kernels.evidence_sums(self.logits.numpy(), evidence, spoken.numpy(), products.numpy())
        times = prior * from_relation / spoken.clamp_min(1e-12)
        value += products * times
        flat = prior * (uniform + from_relation * (spoken <= 0))
        return torch.stack([prior * from_popularity, flat]), (evidence, times)

    def _gradients(self, factor: Tensor, of_table: Tensor) -> None:
        from attrformer.nn.column_parts import bits

        whole, shape = self.whole, self.shape
        evidence, values = self.of_groups
        of_values, of_gates = torch.zeros_like(values), torch.zeros_like(self.gates)
        self.kernels.take_gradients(
            self.logits.numpy(), bits(self.content), whole.groups.numbers.numpy(), of_values.numpy(),
            bits(self.evidence), of_gates.numpy(),
        )  # fmt: skip
        own = shape.of_row(factor)
        for k, part, of_gate in zip(whole.dense, self.dense, shape.of_row(of_gates), strict=True):
            self._put(k, own, part.of_weights() if whole.needs[2 * k] else None, of_gate)
        for place, k in enumerate(whole.of_groups):
            self._put(k, own, *whole.groups.gradients(place, evidence, of_values, shape))
        for k, listed in self.listed.items():
            self._put(k, own, *listed.gradients(self.logits))
        if self.shared is not None:
            for k, (of_weights, of_gate) in zip(
                self.of_histories, self.shared.gradients(self.logits, own), strict=True
            ):
                whole.of_flat[2 * k][self.rows], whole.of_flat[2 * k + 1][self.rows] = of_weights, of_gate * own
        # The content has become the gradient of the logits, in the type of the products.
        of_hidden = (whole.columns @ self.content).t() * factor.unsqueeze(1)
        whole.of_hidden[self.rows] = of_hidden[: shape.batch * shape.targets].view(shape.batch, shape.targets, -1)
        of_rows = self.content @ (self.hidden * factor.unsqueeze(1)).to(self.content.dtype)
        self.kernels.add_table(of_table.numpy(), bits(of_rows))

    def _put(self, k: int, factor: Tensor, of_weights: Tensor | None, of_gate: Tensor) -> None:
        """Writes the gradients of part k, those of the weights times gate and factor `[b, t]`."""
        whole = self.whole
        whole.of_flat[2 * k + 1][self.rows] = of_gate * factor
        if of_weights is None or not whole.needs[2 * k]:
            return
        of_weights = of_weights * (self.inputs[k].gate * factor).unsqueeze(2)
        shared = whole.of_flat[2 * k].shape[1] == 1
        whole.of_flat[2 * k][self.rows] = of_weights.sum(1, keepdim=True) if shared else of_weights


def _listed(part: Any, inputs: ContributionInputs, rows: Rows, shape: Shape) -> EntryColumns | RowColumns:
    from attrformer.nn.column_parts import EntryColumns, RowColumns

    if not isinstance(part, EntryContribution | SomeEntries):
        table = part.table
        return RowColumns((table.indices, table.values, getattr(table, "counts", None), part.rows[rows]), inputs, shape)
    items = part.items[rows]
    if items.shape[1] == 1:
        return RowColumns.of_items(items.squeeze(1), inputs, shape)
    return EntryColumns(items, inputs)
