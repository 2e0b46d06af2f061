"""Folders of tensors that several ranks write together, by `torch.distributed.checkpoint`.

They hold safetensors files, so no pickle, and any number of ranks can read them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import DeviceMesh

from attrformer.errors import CheckpointError, ConfigurationError, WriteError

# Here, so that a training of several processes says so before it begins, and not at its first checkpoint.
try:
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
    from torch.distributed.tensor import DTensor, Shard
except ImportError as error:
    raise ConfigurationError(
        f"Training by several processes needs torch 2.8 or later; this is {torch.__version__}. Update torch."
    ) from error

Empty = Callable[[str, torch.Size, torch.dtype], Tensor]
"""Makes a tensor to be read into of name, whole shape and type: a `DTensor` where the rank reads some rows of it."""


def placed_rows(table: tuple[int, ...], own: Tensor, mesh: DeviceMesh) -> Tensor:
    """The rows of this rank as a part of a table, which `write_shards` and `read_shards` take.

    Args:
        table: shape of the whole.
        own: rows of this rank, as `Ranks.rows` cuts them.
        mesh: the ranks.
    """
    stride = torch.empty(table, device="meta").stride()
    return DTensor.from_local(own, mesh, [Shard(0)], run_check=False, shape=torch.Size(table), stride=stride)


def _whole(name: str, shape: torch.Size, kind: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=kind)


def read_shards(folder: Path, empty: Empty | None = None) -> dict[str, Tensor]:
    """The tensors of a folder.

    Args:
        folder: that `write_shards` wrote.
        empty: makes what is read into, on each of several ranks, all of which call this; None: one process reads all.

    Returns:
        By name; of a `DTensor`, the rows of this rank.

    Raises:
        CheckpointError: it is damaged.
    """
    make = empty or _whole
    try:
        with _quiet():
            described: dict[str, Any] = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
            tensors = {name: make(name, told.size, told.properties.dtype) for name, told in described.items()}
            load(tensors, storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=empty is None)
    except (OSError, ValueError, KeyError, AssertionError, CheckpointException) as error:
        raise CheckpointError(f"{folder} cannot be read ({_first_line(error)}). Start the run again.") from error
    return {name: each.to_local() if isinstance(each, DTensor) else each for name, each in tensors.items()}


def write_shards(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Writes tensors; all ranks call this, and each writes its own rows of a `DTensor`.

    Args:
        folder: new; made where needed.
        tensors: on the CPU; what is no `DTensor` is the same on all ranks, and one of them writes it.

    Raises:
        WriteError: it cannot be written.
    """
    try:
        with _quiet():
            save(tensors, storage_writer=HuggingFaceStorageWriter(str(folder), save_distributed=True))
    except (OSError, CheckpointException) as error:
        raise WriteError(
            f"{folder} cannot be written ({_first_line(error)}). The state before is as it was; make room and resume."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings of torch: that a single process reads is meant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _first_line(error: BaseException) -> str:
    if isinstance(error, CheckpointException) and error.failures:
        # By rank: what it raised, and where.
        error = next(iter(error.failures.values()))[0]
    return str(error).strip().partition("\n")[0]
