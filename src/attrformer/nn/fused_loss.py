"""The training objective: cross-entropy to a posterior target over the whole catalogue, fused with the logits.

docs/paper.md, part 3, "Posterior target" and "Catalogue evidence".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from attrformer.nn import scores
from attrformer.nn.column_loss import ColumnPass, takes
from attrformer.nn.contributions import Contribution, ContributionInputs
from attrformer.nn.fixed import LowCopies
from attrformer.nn.workers import each_share

FEW_ROWS = 32


@dataclass(frozen=True, slots=True, eq=False)
class PosteriorTarget:
    """target_t(j) = (n_j + alpha_0 pi_t(j)) / (sum n + alpha_0).

    pi_t is a mixture of relation evidence, popularity and uniform.

    Args:
        items: int64 `[b, t, w]`, the next w items of each target position.
        counts: float32 `[b, t, w]`, the decayed count n of each; 0 where the sequence has ended.
        strength: alpha_0, at least 0.
        popularity: float32 `[items]`, the popularity component, summing to one.
        mixture: weights of relation evidence, popularity and uniform in pi; they sum to one.
        relation: which part gives the relation component; its weight goes to uniform where it has no evidence.
        even: float32 `[items]`, what stands for the uniform distribution where the items are a sample; None: it does.
    """

    items: Tensor
    counts: Tensor
    strength: float
    popularity: Tensor
    mixture: tuple[float, float, float]
    relation: int | None
    even: Tensor | None = None


class LogitBlocks:
    """Walks over blocks of sequences and makes the logits of each, content part and relation parts together.

    Args:
        hidden: `[b, t, d]`.
        table: `[items, d]`, the output representation of the catalogue.
        parts: the relation parts with their inputs.
        block_elements: about how many logits a block may hold.
        precision: type of the products (bfloat16 where the device gains from it).
        copies: of the parts' tables in that type; None: the tables themselves are read.
    """

    def __init__(
        self,
        hidden: Tensor,
        table: Tensor,
        parts: list[tuple[Contribution, ContributionInputs]],
        block_elements: int,
        precision: torch.dtype,
        copies: LowCopies | None = None,
    ) -> None:
        self.hidden, self.table = hidden.to(precision), table.to(precision)
        # The product with a transposed view takes a fifth longer, and copying the table as long as fifty rows of it.
        few = hidden.shape[0] * hidden.shape[1] < FEW_ROWS
        self._columns = self.table.t() if few else self.table.t().contiguous()
        self.parts, self._copies = parts, copies
        self._step = max(1, block_elements // max(1, hidden.shape[1] * table.shape[0]))

    def __iter__(self) -> Any:
        for rows in self.rows():
            # No name here keeps a block, so that the next one finds its memory free and still in the cache.
            yield rows, *self.block(rows)

    def rows(self) -> list[slice]:
        """The sequences of each block."""
        count = self.hidden.shape[0]
        return [slice(start, min(start + self._step, count)) for start in range(0, count, self._step)]

    def block(self, rows: slice) -> tuple[Tensor, list[Any]]:
        """The logits of a block, `[b, t, items]`, and the relation parts in it."""
        blocks = [part.block(rows, inputs.block(rows), self._copies) for part, inputs in self.parts]
        hidden = self.hidden[rows]
        flat = (hidden.flatten(0, 1) @ self._columns).float()
        logits = flat.view(*hidden.shape[:2], len(self.table))
        for block in blocks:
            block.add_to(logits)
        return logits, blocks

    def add_gradients(self, rows: slice, gradient: Tensor, of_hidden: Tensor, of_table: Tensor, factor: Tensor) -> None:
        """Carries the gradient of a block of logits, times `factor` `[b, t, 1]`, back to hidden state and table."""
        low, hidden = gradient.flatten(0, 1).to(self.table.dtype), self.hidden[rows].flatten(0, 1)
        back = (low @ self.table).to(of_hidden.dtype).mul_(factor.flatten(0, 1))
        hidden = (hidden * factor.flatten(0, 1)).to(low.dtype)
        of_hidden[rows] = back.view_as(of_hidden[rows])
        if low.dtype == of_table.dtype:
            of_table.addmm_(low.t(), hidden)
        else:
            of_table += (low.t() @ hidden).to(of_table.dtype)

    def subtract_items(self, rows: slice, items: Tensor, shares: Tensor, of_hidden: Tensor, of_table: Tensor) -> None:
        """Takes shares `[b, t, w]` of items out of the gradient of the logits, row by row of the table."""
        shares = shares.unsqueeze(3)
        of_hidden[rows] -= (shares * self.table[items]).sum(2)
        of_table.index_add_(0, items.flatten(), (self.hidden[rows].unsqueeze(2) * -shares).flatten(0, 2))


Term = tuple[Tensor | None, Tensor, Tensor]
"""A part of the target: items `[b, t, n]` (None: the whole catalogue), values for them, and by what to multiply these,
`[b, t, 1]`."""


def _subtract_target(gradient: Tensor, terms: list[Term], total: Tensor) -> None:
    for where, values, times in terms:
        if where is None:
            gradient.addcmul_(values, times * -total)
        else:
            gradient.scatter_add_(2, where, values * (times * -total))


def _target_terms(rows: slice, logits: Tensor, blocks: list[Any], target: PosteriorTarget) -> tuple[Tensor, list[Term]]:
    """Sum of target * logits `[b, t]`, and what the target is made of, the upcoming items first."""
    counts = target.counts[rows]
    total = counts.sum(2, keepdim=True) + target.strength
    shares = counts / total.clamp_min(1e-12)
    items = target.items[rows]
    value = (logits.gather(2, items) * shares).sum(2)
    terms: list[Term] = [(items, shares, torch.ones_like(total))]
    if target.strength <= 0:
        return value, terms
    prior = target.strength / total
    from_relation, from_popularity, uniform = target.mixture
    flat = prior * uniform
    if from_relation > 0 and target.relation is not None:
        # Values over the catalogue are never scaled by themselves: each such pass takes as long as adding a part.
        where, evidence = blocks[target.relation].spoken()
        spoken = evidence.sum(2, keepdim=True)
        times = prior * from_relation / spoken.clamp_min(1e-12)
        flat = flat + prior * from_relation * (spoken <= 0)
        at = logits if where is None else logits.gather(2, where)
        value = value + torch.linalg.vecdot(at, evidence) * times.squeeze(2)
        terms.append((where, evidence, times))
    else:
        flat = flat + prior * from_relation
    if from_popularity > 0:
        popular = prior * from_popularity
        value = value + torch.matmul(logits, target.popularity) * popular.squeeze(2)
        terms.append((None, target.popularity, popular))
    # An accelerator is not waited for.
    if flat.device.type != "cpu" or bool((flat > 0).any()):
        even = target.even
        value = value + (logits.mean(2) if even is None else torch.matmul(logits, even)) * flat.squeeze(2)
        each = (torch.ones_like(target.popularity), flat / logits.shape[2]) if even is None else (even, flat)
        terms.append((None, *each))
    return value, terms


class _FusedPass:
    """One forward pass that also makes all gradients, block by block."""

    def __init__(
        self, setup: dict[str, Any], hidden: Tensor, table: Tensor, flat: tuple[Tensor, ...], needs: tuple[bool, ...]
    ) -> None:
        inputs = [ContributionInputs(*flat[k : k + 2]) for k in range(0, len(flat), 2)]
        parts = list(zip(setup["parts"], inputs, strict=True))
        self.walk = LogitBlocks(hidden, table, parts, setup["elements"], setup["precision"], setup["copies"])
        self.target: PosteriorTarget = setup["target"]
        self.correction: Tensor | None = setup["correction"]
        self.needs = needs
        self.scale = setup["mask"] / setup["mask"].sum().clamp_min(1.0)
        self.of_hidden = torch.zeros_like(hidden)
        self.of_flat = [torch.zeros_like(tensor) for tensor in flat]
        self.table = table

    def run(self) -> tuple[Tensor, Tensor]:
        """The loss and the gradient of the table; the other gradients lie in `of_hidden` and `of_flat`."""
        rows = self.walk.rows()
        results = each_share(self._share, rows, self.table.device)
        loss, of_table = results[0]
        for other_loss, other_table in results[1:]:
            loss, of_table = loss + other_loss, of_table.add_(other_table)
        return loss, of_table

    @torch.no_grad()
    def _share(self, share: list[slice]) -> tuple[Tensor, Tensor]:
        of_table = torch.zeros_like(self.table)
        loss = of_table.new_zeros(())
        for rows in share:
            loss += self._block(rows, of_table)
        return loss, of_table

    def _block(self, rows: slice, of_table: Tensor) -> Tensor:
        logits, blocks = self.walk.block(rows)
        scale = self.scale[rows]
        value, terms = _target_terms(rows, logits, blocks, self.target)
        if self.correction is not None:
            logits.add_(self.correction)
        peak = logits.amax(2, keepdim=True)
        gradient = logits.sub_(peak).exp_()
        total = gradient.sum(2, keepdim=True)
        loss = ((total.log() + peak).squeeze(2) - value).mul_(scale).sum()
        # It is no probability yet: what divides it by the total is applied to the results, which are smaller.
        factor = scale.unsqueeze(2) / total
        if blocks or self.target.strength > 0:
            _subtract_target(gradient, terms, total)
            self._part_gradients(rows, gradient, factor, blocks)
            self.walk.add_gradients(rows, gradient, self.of_hidden, of_table, factor)
        else:
            # Nobody else asks for the probabilities: the target items wait for the products as well.
            self.walk.add_gradients(rows, gradient, self.of_hidden, of_table, factor)
            items, shares, _ = terms[0]
            assert items is not None
            self.walk.subtract_items(rows, items, shares * scale.unsqueeze(2), self.of_hidden, of_table)
        return loss

    def _part_gradients(self, rows: slice, gradient: Tensor, factor: Tensor, blocks: list[Any]) -> None:
        for k, block in enumerate(blocks):
            of_weights, of_gate = block.gradients(gradient, factor, self.needs[2 * k])
            if of_weights is not None:
                shared = self.of_flat[2 * k].shape[1] == 1
                self.of_flat[2 * k][rows] = of_weights.sum(1, keepdim=True) if shared else of_weights
            self.of_flat[2 * k + 1][rows] = of_gate


class _FusedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, setup: dict[str, Any], hidden: Tensor, table: Tensor, *flat: Tensor) -> Tensor:
        compiled = takes(setup, hidden, table, flat)
        work = (ColumnPass if compiled else _FusedPass)(setup, hidden, table, flat, ctx.needs_input_grad[3:])
        loss, of_table = work.run()
        ctx.save_for_backward(work.of_hidden, of_table, *work.of_flat)
        return loss

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *(saved * outputs[0] for saved in ctx.saved_tensors))


def fused_cross_entropy(
    hidden: Tensor,
    table: Tensor,
    parts: list[tuple[Contribution, ContributionInputs]],
    target: PosteriorTarget,
    mask: Tensor,
    *,
    block_elements: int = 1 << 20,
    precision: torch.dtype = torch.float32,
    copies: LowCopies | None = None,
    correction: Tensor | None = None,
    compiled: bool = True,
) -> Tensor:
    """Mean cross-entropy of the masked targets to their posterior, gradient computed in the forward pass.

    Logits are made for a block of sequences, turned into their own gradient in place and dropped, so that memory
    depends on `block_elements` and never on targets times items.

    Args:
        hidden: `[b, t, d]`, the content part's queries.
        table: `[items, d]`, the output representation of the catalogue.
        parts: relation parts and their inputs.
        target: what the upcoming behaviours are.
        mask: float32 `[b, t]`, 0 for positions that are not targets.
        block_elements: about how many logits a block may hold; at least one sequence is always taken.
        precision: type of the matrix products with the item table.
        copies: of the parts' tables, in whose type the products with these are made; None: in that of the tables.
        correction: `[items]`, added to the logits in the normaliser, where the items are a sample; None adds nothing.
        compiled: whether compiled passes may do it (`nn/column_loss.py`), whose results are equal but for rounding.

    Returns:
        The loss, a scalar.
    """
    setup = {"target": target, "mask": mask, "parts": [part for part, _ in parts], "elements": block_elements}
    setup |= {"precision": precision, "copies": copies, "correction": correction, "compiled": compiled}
    flat = [tensor for _, inputs in parts for tensor in (inputs.weights, inputs.gate)]
    loss: Tensor = _FusedCrossEntropy.apply(setup, hidden, table, *flat)  # type: ignore[no-untyped-call]
    return loss


@torch.no_grad()
def score_catalogue(
    hidden: Tensor,
    table: Tensor,
    parts: list[tuple[Contribution, ContributionInputs]],
    *,
    block_elements: int = 1 << 20,
    precision: torch.dtype = torch.float32,
) -> Tensor:
    """Logits of every item, float32 `[b, t, items]`, by the blocks of the loss, or `nn/scores.py` in validation."""
    if precision == torch.float32 and scores.takes(hidden, table, parts):
        return scores.scores(hidden, table, parts)
    walk = LogitBlocks(hidden, table, parts, block_elements, precision)
    return torch.cat([logits for _, logits, _ in walk])
