"""Training steps that are recorded once for each shape of a batch and replayed.

A step consists of hundreds of operations that take a few microseconds each on an accelerator, so that most of its time
goes into starting them. CUDA graphs start all of them at once.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from attrformer.errors import ConfigurationError
from attrformer.nn.batch import Example

STEPS_BEFORE: Final = 16
"""Steps that are made as they are before any is recorded: they make whatever is made once and kept."""

Learn = Callable[[Example], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class _Recorded:
    """A step for one shape.

    Args:
        graph: its operations.
        inputs: the tensors it reads, in the order of `tensors_of`.
        loss: the tensor it leaves the loss in.
    """

    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    loss: Tensor


class StepGraphs:
    """Makes training steps, replayed where their shape was recorded.

    Args:
        learn: makes a step and gives its loss; it may neither wait for the device nor depend on values.
    """

    def __init__(self, learn: Learn) -> None:
        self._learn = learn
        self._recorded: dict[tuple[torch.Size, ...], _Recorded] = {}
        self._pool: Any = None
        self._steps = 0

    def __call__(self, example: Example) -> Tensor:
        """Makes the step of a batch; the loss is overwritten by the next step of the same shape.

        Raises:
            ConfigurationError: the step cannot be recorded.
        """
        self._steps += 1
        inputs = tensors_of(example)
        shape = tuple(tensor.shape for tensor in inputs)
        found = self._recorded.get(shape)
        if found is None:
            if self._steps <= STEPS_BEFORE:
                return self._learn(example)
            found = self._record(example, shape)
        for own, given in zip(found.inputs, inputs, strict=True):
            own.copy_(given)
        found.graph.replay()
        return found.loss

    def _record(self, example: Example, shape: tuple[torch.Size, ...]) -> _Recorded:
        """Records the step of a shape, which does not make it."""
        if not self._recorded:
            # Gradients that an earlier step left behind would draw its stream into the recording.
            gc.collect()
        kept = example.map(torch.clone)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self._pool):
                loss = self._learn(kept)
        except RuntimeError as error:
            raise ConfigurationError(
                f"A training step of this model cannot be recorded on this device ({error}). Set training.graphs=false."
            ) from error
        self._pool = self._pool or graph.pool()
        self._recorded[shape] = _Recorded(graph, tensors_of(kept), loss)
        return self._recorded[shape]


def tensors_of(example: Example) -> list[Tensor]:
    """All tensors of a batch, in a fixed order."""
    found: list[Tensor] = []

    def collect(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    example.map(collect)
    return found
