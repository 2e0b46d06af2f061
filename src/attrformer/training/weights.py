"""The parameters of a network as a process trains them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from torch import Tensor, nn

from attrformer.training.checkpoint import set_parameters
from attrformer.training.config import TrainingConfig

LONG_EPOCH: Final = 300
"""Batches of an epoch above which the moving average of weights spans more of them."""


class Weights:
    """The parameters of a network as one process trains them: all of them, each whole.

    Args:
        network: that is trained.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        # Looking them up takes longer than some operations on them.
        self._named = dict(network.named_parameters())

    def trained(self, name: str, parameter: nn.Parameter) -> nn.Parameter:
        """What the optimizer updates of a parameter.

        Args:
            name: of the parameter.
            parameter: of the network.
        """
        return parameter

    def own(self) -> dict[str, Tensor]:
        """What this process holds of each parameter, by name."""
        return {name: parameter.data for name, parameter in self._named.items()}

    def set(self, values: dict[str, Tensor]) -> None:
        """Copies values, as `own` has them, into the network.

        Raises:
            CheckpointError: where names or shapes differ.
        """
        set_parameters(self.network, values)

    def complete(self) -> None:
        """Ends the training: the network has all of its rows from now on."""


def groups_of(
    weights: Weights, is_relation: Callable[[str], bool], training: TrainingConfig, apart: Sequence[str]
) -> list[dict[str, object]]:
    """The parameters of a network in the groups that the optimizer treats alike.

    Args:
        weights: of the network.
        is_relation: whether a parameter of that name belongs to a relation.
        training: rates and weight decay.
        apart: names of parameters that another optimizer updates.
    """
    decayed, plain, relation = [], [], []
    for name, parameter in weights.network.named_parameters():
        if not parameter.requires_grad or name in apart:
            continue
        trained = weights.trained(name, parameter)
        if is_relation(name):
            relation.append(trained)
        elif parameter.dim() >= 2:
            decayed.append(trained)
        else:
            plain.append(trained)
    return [
        {"params": decayed, "weight_decay": training.weight_decay, "factor": 1.0},
        {"params": plain, "weight_decay": 0.0, "factor": 1.0},
        {"params": relation, "weight_decay": 0.0, "factor": training.relation_rate},
    ]


def average_decay(wanted: float | None, batches: int) -> float:
    """Decay of the moving average of weights.

    Args:
        wanted: what the options say; None leaves it to the length of an epoch.
        batches: of one epoch.
    """
    if wanted is not None:
        return wanted
    # The average is to span a few epochs: 500 batches, or 1,000 where epochs are long.
    return 0.999 if batches > LONG_EPOCH else 0.998


def learning_rate(training: TrainingConfig, step: int, batches: int) -> float:
    """The learning rate of a step.

    Args:
        training: warm-up and schedule.
        step: number of the step, from 0.
        batches: of one epoch.
    """
    rate = training.learning_rate * min(1.0, (step + 1) / max(training.warm_up, 1))
    if training.schedule == "cosine":
        done = min(1.0, step / max(1, training.epochs * batches))
        rate *= 0.5 * (1 + math.cos(math.pi * done)) * 0.99 + 0.01
    return rate
