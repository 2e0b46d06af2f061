"""The training objective: cross-entropy to a posterior target over the whole catalogue, fused with the logits.

SPEC part 3, "Posterior target" and "Catalogue evidence".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from attrformer.nn.parts import Part, PartInputs


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
    """

    items: Tensor
    counts: Tensor
    strength: float
    popularity: Tensor
    mixture: tuple[float, float, float]
    relation: int | None


class LogitBlocks:
    """Walks over blocks of sequences and makes the logits of each, content part and relation parts together.

    Args:
        hidden: `[b, t, d]`.
        table: `[items, d]`, the output representation of the catalogue.
        parts: the relation parts with their inputs.
        block_elements: about how many logits a block may hold.
        precision: type of the products (bfloat16 where the device gains from it).
    """

    def __init__(
        self,
        hidden: Tensor,
        table: Tensor,
        parts: list[tuple[Part, PartInputs]],
        block_elements: int,
        precision: torch.dtype,
    ) -> None:
        self.hidden, self.table = hidden.to(precision), table.to(precision)
        # The product with a transposed view takes a fifth longer.
        self._columns = self.table.t().contiguous()
        self.parts = parts
        self._step = max(1, block_elements // max(1, hidden.shape[1] * table.shape[0]))

    def __iter__(self) -> Any:
        for start in range(0, self.hidden.shape[0], self._step):
            rows = slice(start, min(start + self._step, self.hidden.shape[0]))
            # No name here keeps a block, so that the next one finds its memory free and still in the cache.
            yield rows, *self._block(rows)

    def _block(self, rows: slice) -> tuple[Tensor, list[Any]]:
        blocks = [part.block(rows, inputs.block(rows)) for part, inputs in self.parts]
        hidden = self.hidden[rows]
        flat = (hidden.flatten(0, 1) @ self._columns).float()
        logits = flat.view(*hidden.shape[:2], len(self.table))
        for block in blocks:
            block.add_to(logits)
        return logits, blocks

    def add_gradients(
        self, rows: slice, gradient: Tensor, of_hidden: Tensor, of_table: Tensor, factor: Tensor | None = None
    ) -> None:
        """Carries the gradient of a block of logits, times `factor` `[b, t, 1]`, back to hidden state and table."""
        low, hidden = gradient.flatten(0, 1).to(self.table.dtype), self.hidden[rows].flatten(0, 1)
        back = (low @ self.table).to(of_hidden.dtype)
        if factor is not None:
            back.mul_(factor.flatten(0, 1))
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


def _subtract_target(gradient: Tensor, terms: list[Any], scale: Tensor) -> None:
    for where, share in terms:
        scaled = share * scale.unsqueeze(2)
        if where is None:
            gradient.sub_(scaled)
        else:
            gradient.scatter_add_(2, where, -scaled)


def _target_terms(rows: slice, logits: Tensor, blocks: list[Any], target: PosteriorTarget) -> tuple[Tensor, list[Any]]:
    """Sum of target * logits `[b, t]`, and how to subtract the target from the probabilities."""
    counts = target.counts[rows]
    total = counts.sum(2, keepdim=True) + target.strength
    shares = counts / total.clamp_min(1e-12)
    items = target.items[rows]
    value = (logits.gather(2, items) * shares).sum(2)
    terms: list[Any] = [(items, shares)]
    if target.strength <= 0:
        return value, terms
    prior = target.strength / total.squeeze(2)
    from_relation, from_popularity, uniform = target.mixture
    flat = prior * uniform
    if from_relation > 0 and target.relation is not None:
        where, distribution = blocks[target.relation].distribution()
        distribution = distribution * (prior * from_relation).unsqueeze(2)
        flat = flat + prior * from_relation * (distribution.sum(2) <= 0)
        at = logits if where is None else logits.gather(2, where)
        value = value + (at * distribution).sum(2)
        terms.append((where, distribution))
    else:
        flat = flat + prior * from_relation
    if from_popularity > 0:
        popular = (prior * from_popularity).unsqueeze(2)
        value = value + torch.matmul(logits, target.popularity) * popular.squeeze(2)
        terms.append((None, popular * target.popularity))
    if bool((flat > 0).any()):
        value = value + logits.mean(2) * flat
        terms.append((None, (flat / logits.shape[2]).unsqueeze(2)))
    return value, terms


class _FusedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, setup: dict[str, Any], hidden: Tensor, table: Tensor, *flat: Tensor) -> Tensor:
        inputs = [PartInputs(*flat[k : k + 2]) for k in range(0, len(flat), 2)]
        target: PosteriorTarget = setup["target"]
        mask: Tensor = setup["mask"]
        walk = LogitBlocks(
            hidden, table, list(zip(setup["parts"], inputs, strict=True)), setup["elements"], setup["precision"]
        )
        scale = mask / mask.sum().clamp_min(1.0)
        of_hidden, of_table = torch.zeros_like(hidden), torch.zeros_like(table)
        of_flat = [torch.zeros_like(tensor) for tensor in flat]
        needs = ctx.needs_input_grad[3:]
        loss = hidden.new_zeros(())
        for rows, logits, blocks in walk:
            value, terms = _target_terms(rows, logits, blocks, target)
            peak = logits.amax(2, keepdim=True)
            gradient = logits.sub_(peak).exp_()
            total = gradient.sum(2, keepdim=True)
            loss += ((total.log() + peak).squeeze(2) - value).mul_(scale[rows]).sum()
            factor = scale[rows].unsqueeze(2) / total
            if blocks or target.strength > 0:
                gradient.mul_(factor)
                _subtract_target(gradient, terms, scale[rows])
                for k, block in enumerate(blocks):
                    of_weights, of_gate = block.gradients(gradient, needs[2 * k])
                    if of_weights is not None:
                        shared = flat[2 * k].shape[1] == 1
                        of_flat[2 * k][rows] = of_weights.sum(1, keepdim=True) if shared else of_weights
                    of_flat[2 * k + 1][rows] = of_gate
                walk.add_gradients(rows, gradient, of_hidden, of_table)
            else:
                # Nobody else asks for the probabilities: their scale and the target items wait for the products.
                walk.add_gradients(rows, gradient, of_hidden, of_table, factor)
                items, shares = terms[0]
                walk.subtract_items(rows, items, shares * scale[rows].unsqueeze(2), of_hidden, of_table)
            del logits, gradient, blocks, terms
        ctx.save_for_backward(of_hidden, of_table, *of_flat)
        return loss

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *(saved * outputs[0] for saved in ctx.saved_tensors))


def fused_cross_entropy(
    hidden: Tensor,
    table: Tensor,
    parts: list[tuple[Part, PartInputs]],
    target: PosteriorTarget,
    mask: Tensor,
    *,
    block_elements: int = 1 << 20,
    precision: torch.dtype = torch.float32,
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
        precision: type of the matrix products.

    Returns:
        The loss, a scalar.
    """
    setup = {
        "target": target,
        "mask": mask,
        "parts": [part for part, _ in parts],
        "elements": block_elements,
        "precision": precision,
    }
    flat = [tensor for _, inputs in parts for tensor in (inputs.weights, inputs.gate)]
    loss: Tensor = _FusedCrossEntropy.apply(setup, hidden, table, *flat)  # type: ignore[no-untyped-call]
    return loss


@torch.no_grad()
def score_catalogue(
    hidden: Tensor,
    table: Tensor,
    parts: list[tuple[Part, PartInputs]],
    *,
    block_elements: int = 1 << 20,
    precision: torch.dtype = torch.float32,
) -> Tensor:
    """Logits of every item for a few targets, float32 `[b, t, items]`, by the same blocks as the loss."""
    walk = LogitBlocks(hidden, table, parts, block_elements, precision)
    return torch.cat([logits for _, logits, _ in walk])
