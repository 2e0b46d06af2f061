"""A training step of several ranks: gradients are summed over them, and each updates what it owns.

The loss is the mean over all targets of the global batch, so a rank's gradient counts by the mask of its part.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from attrformer.nn.batch import Example
from attrformer.training.sharded_weights import ShardedWeights

SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_PRESENT: Final = 3 + len(SIGNALS)
"""Numbers of a step before those that say which parameters have a gradient."""


class Wishes:
    """What a rank wants after a step, and what all of them agree on.

    Args:
        stop: signal by which this rank was asked to end, or None.
        save: whether a checkpoint is due; rank 0 decides.
    """

    def __init__(self, stop: int | None = None, save: bool = False) -> None:
        self.stop, self.save = stop, save


def step_seed(seed: int, step: int, rank: int) -> int:
    """The seed of what is drawn in a step.

    Args:
        seed: of the training.
        step: number of the step, from 0.
        rank: 0 for what all ranks draw alike, else one more than that of the rank that draws for itself.
    """
    return ((seed * 1_000_003 + step) * 1_000_003 + rank) % (1 << 63)


class JointStep:
    """Makes one training step on all ranks, each with its part of the batch.

    Args:
        weights: of the network.
        loss: of the part of a batch, the mean over its targets.
        update: moves the parameters by their gradients.
        refresh: brings rows that are to be read up to date, by their numbers on this rank.
        clip: largest norm of the gradient.
        seed: of the training; dropout differs by step and rank.
        wishes: what this rank wants; called once in each step.
    """

    def __init__(
        self,
        weights: ShardedWeights,
        loss: Callable[[Example], Tensor],
        update: Callable[[], None],
        refresh: Callable[[Tensor], None],
        clip: float,
        seed: int,
        wishes: Callable[[], Wishes],
    ) -> None:
        self._weights, self._loss, self._update, self._refresh = weights, loss, update, refresh
        self._clip, self._seed, self._wishes = clip, seed, wishes
        self.targets = 0
        self.agreed = Wishes()

    def seed(self, step: int, rank: int = 0) -> None:
        """Lets what is drawn depend on seed, step and rank alone, so that a resumed training draws the same.

        Args:
            step: number of the step, from 0.
            rank: as for `step_seed`.
        """
        torch.manual_seed(step_seed(self._seed, step, rank))

    def __call__(self, example: Example, step: int) -> Tensor:
        """Makes the step; gives the loss of the global batch that it began from.

        Args:
            example: the part of this rank.
            step: number of the step, from 0.

        Raises:
            RankError: another rank was lost.
        """
        weights, candidates = self._weights, example.candidates
        weights.network.zero_grad(set_to_none=True)
        if candidates is not None:
            self._refresh(weights.owned(candidates.read)[1])
            weights.fetch(candidates.read)
        self.seed(step, weights.ranks.rank + 1)
        loss = self._loss(example)
        loss.backward()  # type: ignore[no-untyped-call]
        leaves = weights.leaves()
        told, gradient = self._summed(loss.detach(), example.mask.sum(), leaves)
        total = told[0].clamp_min(1.0)
        gradient.div_(total)
        gradient.mul_((self._clip / (gradient.norm() + 1e-6)).clamp_max(1.0))
        self._hand_out(told, gradient, leaves, None if candidates is None else candidates.read)
        self._update()
        weights.spread()
        return (told[1] / total).float()

    def _summed(self, loss: Tensor, targets: Tensor, leaves: list[tuple[str, Tensor]]) -> tuple[Tensor, Tensor]:
        """What the ranks say of a step and their gradients, both summed, in one exchange."""
        # The mean of a part divides by at least one.
        weight, wishes = targets.clamp_min(1.0), self._wishes()
        head, sizes = _PRESENT + len(leaves), [leaf.numel() for _, leaf in leaves]
        flat = torch.zeros(head + sum(sizes), device=loss.device)
        flat[0], flat[1], flat[2] = targets, loss * weight, float(wishes.save and self._weights.ranks.first)
        if wishes.stop is not None:
            flat[3 + SIGNALS.index(wishes.stop)] = 1.0
        for number, ((_, leaf), part) in enumerate(zip(leaves, torch.split(flat[head:], sizes), strict=True), _PRESENT):
            if leaf.grad is not None:
                flat[number] = 1.0
                torch.mul(leaf.grad.flatten(), weight, out=part)
        self._weights.ranks.sum(flat)
        return flat[:head], flat[head:]

    def _hand_out(self, told: Tensor, gradient: Tensor, leaves: list[tuple[str, Tensor]], items: Tensor | None) -> None:
        said = told.tolist()
        self.targets = int(said[0])
        asked = [number for number, count in zip(SIGNALS, said[3:_PRESENT], strict=True) if count]
        self.agreed = Wishes(asked[0] if asked else None, bool(said[2]))
        parts = torch.split(gradient, [leaf.numel() for _, leaf in leaves])
        # A parameter that no rank has used is not updated, as in a training by one process.
        gradients: dict[str, Tensor | None] = {
            name: part.view_as(leaf).to(leaf.dtype) if used else None
            for (name, leaf), part, used in zip(leaves, parts, said[_PRESENT:], strict=True)
        }
        self._weights.set_gradients(gradients, items)
