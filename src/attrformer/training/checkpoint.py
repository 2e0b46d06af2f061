"""Checkpoints: all that training needs to go on as if it had never stopped, written atomically, without pickle."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from attrformer.earlier_names import parameter
from attrformer.errors import CheckpointError
from attrformer.io import (
    CHECKSUM,
    file_checksum,
    has_checksum,
    read_json,
    with_checksum,
    write_atomically,
    write_json,
)
from attrformer.training.lazy_rows import LazyRows

STATE = "state.json"
TENSORS = "state.safetensors"
SHARDS = "shards"
"""How the names of tensors end: a file of one process, or a folder of several."""


@dataclass
class Progress:
    """How far training has come.

    Args:
        epoch: the epoch that is running, from 0.
        batch: batches of it that are done.
        step: optimizer steps in all.
        loss_sum: sum of the batch losses since the last line of metrics.
        seconds: of training since then.
        best: best validation figure, negative where less is better.
        best_epoch: the epoch at whose end, or within which, it was reached.
        finished: whether training has come to its end.
        told: batches of the epoch that were done at its last line of metrics.
        since_best: evaluations since the best one; None in states of versions that did not count them.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    best: float = -1.0
    best_epoch: int = -1
    finished: bool = False
    told: int = 0
    since_best: int | None = 0


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Writes a safetensors file, whole or not at all.

    Raises:
        WriteError: it cannot be written.
    """
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, lambda unfinished: save_file(ready, unfinished))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Reads a safetensors file.

    Raises:
        CheckpointError: where it is missing or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}). Train again, or restore the file from a copy."
        ) from error


def tensors_checksum(path: Path) -> str:
    """SHA-256 of a file, or of the names and checksums of the files of a folder.

    Raises:
        OSError: it cannot be read.
    """
    if not path.is_dir():
        return file_checksum(path)
    lines = [f"{part.name} {file_checksum(part)}\n" for part in sorted(path.iterdir())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def parameters_of(network: nn.Module) -> dict[str, Tensor]:
    """Trainable and frozen parameters by name, without the relation tables, which are rebuilt from the data."""
    return {name: parameter.data for name, parameter in network.named_parameters()}


def set_parameters(network: nn.Module, values: dict[str, Tensor]) -> None:
    """Copies values into the parameters of a network.

    Raises:
        CheckpointError: where names or shapes differ.
    """
    copy_into(parameters_of(network), values)


def copy_into(own: dict[str, Tensor], values: dict[str, Tensor]) -> None:
    """Copies values into tensors of the same names.

    Raises:
        CheckpointError: where names or shapes differ.
    """
    if own.keys() != values.keys() or any(own[name].shape != values[name].shape for name in own):
        raise CheckpointError(
            "The checkpoint belongs to another configuration or dataset. Start a new run folder, or use the "
            "configuration it was made with."
        )
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(values[name])


class CheckpointFolder:
    """One resumable state of a training run.

    Args:
        folder: where it lies; made on the first save.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self) -> bool:
        """Whether there is a state to go on from."""
        return (self.folder / STATE).exists()

    def copy_to(self, other: CheckpointFolder) -> None:
        """Copies the state, so that another run can go on from it."""
        shutil.copytree(self.folder, other.folder, dirs_exist_ok=True)

    def save(
        self,
        progress: Progress,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        averaged: dict[str, Tensor],
        best: dict[str, Tensor],
        rows: LazyRows | None = None,
    ) -> None:
        """Writes the whole state; the JSON file, which names the tensors' file, is renamed last.

        Raises:
            WriteError: it cannot be written; the state before is as it was.
        """
        tensors = self._tensors(parameters_of(network), optimizer, averaged, best, rows)
        name, before = self._new_name(progress.step)
        write_tensors(self.folder / name, tensors)
        self._adopt(progress, name, file_checksum(self.folder / name), before)

    def _tensors(
        self,
        parameters: dict[str, Tensor],
        optimizer: torch.optim.Optimizer,
        averaged: dict[str, Tensor],
        best: dict[str, Tensor],
        rows: LazyRows | None,
    ) -> dict[str, Tensor]:
        tensors = {f"parameter/{name}": value for name, value in parameters.items()}
        tensors |= {f"averaged/{name}": value for name, value in averaged.items()}
        tensors |= {f"best/{name}": value for name, value in best.items()}
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{number}/{key}": torch.as_tensor(value) for key, value in state.items()}
        if rows is not None and rows.names():
            tensors |= {f"rows/{name}": value for name, value in rows.state().items()}
        tensors["random"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["random_cuda"] = torch.cuda.get_rng_state()
        return tensors

    def _new_name(self, step: int, ending: str = TENSORS) -> tuple[str, list[str]]:
        """A name for the tensors of a step, and those that are there.

        None is used twice, so that what the state before names stays until that is replaced.
        """
        before = [path.name for kind in (TENSORS, SHARDS) for path in self.folder.glob(f"*.{kind}")]
        return next(name for name in _names(step, ending) if name not in before), before

    def _adopt(self, progress: Progress, name: str, digest: str, before: list[str]) -> None:
        """Makes written tensors those of the state, and removes the ones before."""
        state = {**progress.__dict__, "tensors": name, "sha256": digest}
        write_json(self.folder / STATE, with_checksum(state))
        for other in before:
            _remove(self.folder / other)

    def load(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, rows: LazyRows | None = None
    ) -> tuple[Progress, dict[str, Tensor], dict[str, Tensor]]:
        """Puts network, optimizer and random state back; returns progress, averaged and best weights.

        Raises:
            CheckpointError: where the state is damaged or belongs to another configuration.
        """
        progress, tensors = self._read()
        random = tensors["random"]
        device = next((parameter.device for parameter in network.parameters()), None)
        groups: dict[str, dict[str, Tensor]] = {"parameter": {}, "averaged": {}, "best": {}}
        rows_state: dict[str, Tensor] = {}
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition("/")
            if kind in groups:
                groups[kind][parameter(rest)] = tensor.to(device)
            elif kind == "rows":
                rows_state[rest] = tensor
            elif kind == "optimizer":
                number, _, key = rest.partition("/")
                moments.setdefault(int(number), {})[key] = tensor
        self._set(network, groups["parameter"])
        if rows is not None and (rows.names() or rows_state):
            rows.set_state(rows_state)
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        torch.set_rng_state(random)
        if "random_cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["random_cuda"])
        return progress, groups["averaged"], groups["best"]

    def _set(self, network: nn.Module, values: dict[str, Tensor]) -> None:
        set_parameters(network, values)

    def _checksum(self, path: Path) -> str:
        return tensors_checksum(path)

    def _tensors_in(self, path: Path) -> dict[str, Tensor]:
        if not path.is_dir():
            return read_tensors(path)
        # Most trainings know of one process alone, and torch takes long to import what several need.
        from attrformer.training.shards import read_shards

        return read_shards(path)

    def _read(self) -> tuple[Progress, dict[str, Tensor]]:
        path = self.folder / STATE
        try:
            state = read_json(path)
            # States of earlier versions have no checksums.
            checked = CHECKSUM in state or "sha256" in state
            if checked and not has_checksum(state):
                raise ValueError("it does not have the checksum that it names")
            name, digest = state.pop("tensors"), state.pop("sha256", None)
            state.pop(CHECKSUM, None)
            if checked and self._checksum(self.folder / name) != digest:
                raise ValueError(f"{name} does not have the checksum that it names")
            progress, tensors = Progress(**({"since_best": None} | state)), self._tensors_in(self.folder / name)
            if "random" not in tensors:
                raise ValueError(f"{name} lacks the random state")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}). Start the run again without --resume.") from error
        return progress, tensors


def _names(step: int, ending: str) -> Iterator[str]:
    """Names of the tensors of a step, the plain one first."""
    yield f"{step:08d}.{ending}"
    for number in count(2):
        yield f"{step:08d}-{number}.{ending}"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
