"""A training step of several ranks: gradients are summed over them, and each updates the item rows that it owns.

The loss is the mean over all targets of the global batch, so a rank's gradient counts by the mask of its part. Item
tables belong to the ranks row by row: optimizer state, moving average and best weights of a row exist on its
owner alone. The full softmax reads every row in every step, so rows that were updated go to all ranks.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import reduce
from typing import Final

import torch
from torch import Tensor, nn

from attrformer.nn.batch import Example
from attrformer.ranks import Ranks
from attrformer.training.checkpoint import copy_into, parameters_of
from attrformer.training.weights import Weights

SIGNALS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

_PRESENT: Final = 3 + len(SIGNALS)
"""Numbers of a step before those that say which parameters have a gradient."""


class ShardedWeights(Weights):
    """The parameters of a network on several ranks.

    Args:
        network: whole, and the same on all ranks.
        items: size of the catalogue; what has at least as many rows belongs to the ranks row by row.
        ranks: of the training.
    """

    def __init__(self, network: nn.Module, items: int, ranks: Ranks) -> None:
        super().__init__(network)
        self.ranks = ranks
        self.shapes: dict[str, torch.Size] = {}
        self._rows: dict[str, nn.Parameter] = {}
        for name, parameter in network.named_parameters():
            if parameter.requires_grad and parameter.dim() >= 2 and len(parameter) >= items:
                # Shares memory with the whole table, which the network reads.
                self._rows[name] = nn.Parameter(parameter.data[ranks.rows(len(parameter))])
                self.shapes[name] = parameter.shape

    def trained(self, name: str, parameter: nn.Parameter) -> nn.Parameter:
        """See `Weights.trained`."""
        return self._rows.get(name, parameter)

    def own(self) -> dict[str, Tensor]:
        """See `Weights.own`."""
        return parameters_of(self.network) | {name: rows.data for name, rows in self._rows.items()}

    def set(self, values: dict[str, Tensor]) -> None:
        """See `Weights.set`."""
        copy_into(self.own(), values)
        self.spread()

    def spread(self) -> None:
        """Brings the rows of their owners to all ranks."""
        whole = parameters_of(self.network)
        for name in self._rows:
            self.ranks.spread(whole[name])

    def set_gradients(self, gradients: dict[str, Tensor | None]) -> None:
        """Gives every parameter its gradient, and item tables that of the own rows.

        Args:
            gradients: by name, of whole parameters.
        """
        for name, parameter in self.network.named_parameters():
            gradient = gradients.get(name)
            if name in self._rows:
                parameter.grad = None
                self._rows[name].grad = None if gradient is None else gradient[self.ranks.rows(len(gradient))]
            else:
                parameter.grad = gradient


class Wishes:
    """What a rank wants after a step, and what all of them agree on.

    Args:
        stop: signal by which this rank was asked to end, or None.
        save: whether a checkpoint is due; rank 0 decides.
    """

    def __init__(self, stop: int | None = None, save: bool = False) -> None:
        self.stop, self.save = stop, save


class JointStep:
    """Makes one training step on all ranks, each with its part of the batch.

    Args:
        weights: of the network.
        optimizer: of `weights.trained`.
        loss: of the part of a batch, the mean over its targets.
        clip: largest norm of the gradient.
        seed: of the training; dropout differs by step and rank.
        wishes: what this rank wants; called once in each step.
    """

    def __init__(
        self,
        weights: ShardedWeights,
        optimizer: torch.optim.Optimizer,
        loss: Callable[[Example], Tensor],
        clip: float,
        seed: int,
        wishes: Callable[[], Wishes],
    ) -> None:
        self._weights, self._optimizer, self._loss, self._clip, self._seed = weights, optimizer, loss, clip, seed
        self._wishes = wishes
        self._named = [(n, p) for n, p in weights.network.named_parameters() if p.requires_grad]
        self._sizes = [parameter.numel() for _, parameter in self._named]
        self._type = reduce(torch.promote_types, (p.dtype for _, p in self._named), torch.float32)
        self.targets = 0
        self.agreed = Wishes()

    def __call__(self, example: Example, step: int) -> Tensor:
        """Makes the step; gives the loss of the global batch that it began from.

        Args:
            example: the part of this rank.
            step: number of the step, from 0.

        Raises:
            RankError: another rank was lost.
        """
        ranks = self._weights.ranks
        self._weights.network.zero_grad(set_to_none=True)
        # What is drawn depends on seed, step and rank alone, so that a resumed training draws the same.
        torch.manual_seed(((self._seed * 1_000_003 + step) * 1_000_003 + ranks.rank) % (1 << 63))
        loss = self._loss(example)
        loss.backward()  # type: ignore[no-untyped-call]
        told, gradient = self._summed(loss.detach(), example.mask.sum())
        total = told[0].clamp_min(1.0)
        gradient.div_(total)
        gradient.mul_((self._clip / (gradient.norm() + 1e-6)).clamp_max(1.0))
        self._hand_out(told, gradient)
        self._optimizer.step()
        self._weights.spread()
        return (told[1] / total).float()

    def _summed(self, loss: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """What the ranks say of a step and their gradients, both summed, in one exchange."""
        # The mean of a part divides by at least one.
        weight, wishes = targets.clamp_min(1.0), self._wishes()
        head = _PRESENT + len(self._named)
        flat = torch.zeros(head + sum(self._sizes), dtype=self._type, device=loss.device)
        flat[0], flat[1], flat[2] = targets, loss * weight, float(wishes.save and self._weights.ranks.first)
        if wishes.stop is not None:
            flat[3 + SIGNALS.index(wishes.stop)] = 1.0
        for number, ((_, parameter), part) in enumerate(
            zip(self._named, torch.split(flat[head:], self._sizes), strict=True), _PRESENT
        ):
            if parameter.grad is not None:
                flat[number] = 1.0
                torch.mul(parameter.grad.flatten(), weight, out=part)
        self._weights.ranks.sum(flat)
        return flat[:head], flat[head:]

    def _hand_out(self, told: Tensor, gradient: Tensor) -> None:
        said = told.tolist()
        self.targets = int(said[0])
        asked = [number for number, count in zip(SIGNALS, said[3:_PRESENT], strict=True) if count]
        self.agreed = Wishes(asked[0] if asked else None, bool(said[2]))
        # A parameter that no rank has used is not updated, as in a training by one process.
        gradients: dict[str, Tensor | None] = {
            name: part.view_as(parameter).to(parameter.dtype) if used else None
            for (name, parameter), part, used in zip(
                self._named, torch.split(gradient, self._sizes), said[_PRESENT:], strict=True
            )
        }
        self._weights.set_gradients(gradients)
