"""One training step whose batch is cut into parts, each with forward and backward of its own in a CPU thread.

Operations of a step are short: threads that share out each of them wait for each other, and much of the way back
(torch's own part of it) runs in one thread whatever is shared out. Parts of a batch meet once, where their gradients
are added up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from attrformer.compiled import can_compile
from attrformer.models.network import Network
from attrformer.nn import column_loss
from attrformer.nn.batch import Example
from attrformer.nn.dropout import Masks
from attrformer.nn.losses import Objective
from attrformer.nn.relations.base import RelationModule
from attrformer.nn.relations.registry import MODULES
from attrformer.nn.workers import each_part, thread_count

MOST_PARTS: Final = 2
"""More were not measured: each part costs some milliseconds of the interpreter, which runs in one thread at a time."""

LEAST_ROWS: Final = 2
"""Histories of a part; of fewer, the one more that some parts have would cost what is gained."""


def takes_whole_operations(network: Network, example: Example, objective: Objective) -> bool:
    """Whether no operation of a step is to be split among threads, since it is cut into parts or short.

    Args:
        network: whose step it is.
        example: the batch.
        objective: of the training.
    """
    return objective.compiled and (network.is_short(example) or part_count(network, example, objective) > 1)


def part_count(network: Network, example: Example, objective: Objective) -> int:
    """How many parts a step is cut into: one for each CPU thread where that pays, else 1.

    Args:
        network: whose step it is.
        example: the batch.
        objective: of the training.
    """
    threads, (rows, targets) = thread_count(), example.mask.shape
    if not objective.compiled or not 1 < threads <= MOST_PARTS or not example.mask.is_cpu:
        return 1
    least = rows // threads
    # A part is to be worth the same compiled passes as the batch.
    few = least < LEAST_ROWS or least * targets * len(objective.popularity) < column_loss.LEAST_LOGITS
    if few or example.candidates is not None or not _may_be_cut(network):
        return 1
    return threads if can_compile() else 1


def _may_be_cut(network: Network) -> bool:
    """Whether the loss is a sum over rows, and all code that threads would run at a time is made for it."""
    # A class that is derived from another may compute more than that one does.
    if not vars(type(network)).get("ROWS_APART", False):
        return False
    known = frozenset(MODULES.values())
    return all(type(module) in known for module in network.modules() if isinstance(module, RelationModule))


def differentiate(loss: Callable[[Example], Tensor], example: Example, network: Network, count: int) -> Tensor:
    """Gives the loss of a batch, and its gradients to the parameters of the network.

    Parts draw what the whole batch would draw, and their gradients are added up in order, so that results depend on
    the number of parts alone, and on that by rounding.

    Args:
        loss: of a batch, the mean over its targets.
        example: the batch.
        network: whose parameters these are, without gradients so far.
        count: of parts; 1: the batch stays whole.
    """
    if count == 1:
        whole = loss(example)
        whole.backward()  # type: ignore[no-untyped-call]
        return whole.detach()
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    total = example.mask.sum().clamp_min(1.0)
    masks = Masks(len(example.mask), count)

    def run(number: int) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        # Rows stand in the order of their length, about: dealt out, they give every part as much to compute.
        part = example.map(lambda values: values[number::count].contiguous())
        with masks.of_part(number):
            # The mean of a part divides by at least one.
            own = loss(part) * (part.mask.sum().clamp_min(1.0) / total)
            return own.detach(), torch.autograd.grad(own, parameters, allow_unused=True)

    losses, gradients = zip(*each_part(run, list(range(count))), strict=True)
    alike: list[tuple[nn.Parameter, Tensor, Tensor]] = []
    for parameter, found in zip(parameters, zip(*gradients, strict=True), strict=True):
        own = tuple(gradient for gradient in found if gradient is not None)
        if len(own) == 2 and all(gradient.stride() == parameter.stride() for gradient in own):
            alike.append((parameter, *own))
        else:
            parameter.grad = _added_up(parameter, own)
    if alike:
        named, first, second = zip(*alike, strict=True)
        for parameter, whole in zip(named, torch._foreach_add(first, second), strict=True):
            parameter.grad = whole
    return torch.stack(losses).sum()


def _added_up(parameter: Tensor, gradients: tuple[Tensor, ...]) -> Tensor | None:
    if not gradients:
        return None
    # AdamW as one operation reads memory in order, and a gradient may be a transposed view.
    total = torch.zeros_like(parameter)
    for gradient in gradients:
        total.add_(gradient)
    return total
