"""Checkpoints of several ranks: each writes the rows of item tables that it owns, and reads those it owns later."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh

from attrformer.training.checkpoint import SHARDS, CheckpointFolder, Progress, read_tensors, tensors_checksum
from attrformer.training.lazy_rows import LazyRows
from attrformer.training.sharded_weights import ShardedWeights
from attrformer.training.shards import placed_rows, read_shards, write_shards


class SharedCheckpointFolder(CheckpointFolder):
    """One resumable state of a training by several ranks.

    Any number of ranks, also one process, can go on from it, and these from a state of one process.

    Args:
        folder: where it lies; made on the first save.
        weights: of the network that is trained.
        optimizer: of the training.
    """

    def __init__(self, folder: Path, weights: ShardedWeights, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(folder)
        self._weights, self._ranks = weights, weights.ranks
        names = {id(weights.trained(name, each)): name for name, each in weights.network.named_parameters()}
        self._numbered = [names[id(each)] for group in optimizer.param_groups for each in group["params"]]
        self._mesh = init_device_mesh("cpu", (weights.ranks.size,))

    def save(
        self,
        progress: Progress,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        averaged: dict[str, Tensor],
        best: dict[str, Tensor],
        rows: LazyRows | None = None,
    ) -> None:
        """See `CheckpointFolder.save`; all ranks call it, and go on once the state is whole."""
        tensors = self._tensors(self._weights.own(), optimizer, averaged, best, rows)
        name, before = self._ranks.told(lambda: self._new_name(progress.step, SHARDS))
        folder = self.folder / name
        placed = {name: self._placed(name, tensor.detach().cpu()) for name, tensor in tensors.items()}
        self._ranks.safely(lambda: write_shards(folder, placed))
        self._ranks.told(lambda: self._adopt(progress, name, tensors_checksum(folder), before))

    def _set(self, network: nn.Module, values: dict[str, Tensor]) -> None:
        self._weights.set(values)

    def _checksum(self, path: Path) -> str:
        # Rank 0 reads for all of them: where it is damaged, it ends, and with it the others.
        return self._ranks.told(lambda: tensors_checksum(path))

    def _tensors_in(self, path: Path) -> dict[str, Tensor]:
        if path.is_dir():
            return self._ranks.safely(lambda: read_shards(path, self._empty))
        whole = read_tensors(path)
        rows = {name: self._ranks.rows(len(tensor)) for name, tensor in whole.items() if self._table(name) is not None}
        return {name: tensor[rows[name]].clone() if name in rows else tensor for name, tensor in whole.items()}

    def _table(self, name: str) -> str | None:
        """The item table that a tensor of a checkpoint goes with, or None."""
        kind, _, rest = name.partition("/")
        if kind == "optimizer":
            number, _, key = rest.partition("/")
            rest = "" if key == "step" else self._numbered[int(number)]
        elif kind == "rows":
            rest = rest.rpartition("/")[0]
        return rest if rest in self._weights.shapes else None

    def _placed(self, name: str, tensor: Tensor) -> Tensor:
        """Own rows as a part of the whole; what all ranks hold as it is."""
        table = self._table(name)
        if table is None:
            return tensor
        return placed_rows((self._weights.shapes[table][0], *tensor.shape[1:]), tensor, self._mesh)

    def _empty(self, name: str, shape: torch.Size, kind: torch.dtype) -> Tensor:
        table = self._table(name)
        if table is None or shape[0] != self._weights.shapes[table][0]:
            return torch.empty(shape, dtype=kind)
        rows = self._ranks.rows(shape[0])
        return self._placed(name, torch.empty((rows.stop - rows.start, *shape[1:]), dtype=kind))
