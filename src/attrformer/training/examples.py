"""Training examples: windows of training sequences, length-bucketed batches, target places and upcoming items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from attrformer.dataset.sequences import Sequences
from attrformer.models.inputs import InputMaker
from attrformer.nn.batch import Batch
from attrformer.relations.build import RelationSet
from attrformer.relations.neighbours import Neighbours, latest_anchors
from attrformer.training.config import TargetConfig, TrainingConfig

CACHED_NEIGHBOURS = 4_000_000
"""Training positions up to which all neighbours are searched once; beyond, they are searched batch by batch."""

BATCH_POSITIONS = 16_384


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One training batch.

    Args:
        batch: what the network reads.
        items: int64 `[b, t, w]`, upcoming items.
        counts: float32 `[b, t, w]`, their decayed counts.
        mask: float32 `[b, t]`, 0 for places that only pad.
    """

    batch: Batch
    items: torch.Tensor
    counts: torch.Tensor
    mask: torch.Tensor


class Examples:
    """All training examples of a dataset, in batches that are the same for the same seed and epoch.

    Args:
        train: training sequences.
        relations: explicit relations; their folds give every example tables without its own user.
        maker: pads.
        max_length: longest window.
        training: batch sizes.
        target: how upcoming interactions count.
        seed: of order and sampling.
    """

    def __init__(
        self,
        train: Sequences,
        relations: RelationSet,
        maker: InputMaker,
        max_length: int,
        training: TrainingConfig,
        target: TargetConfig,
        seed: int,
    ) -> None:
        self._train, self._relations, self._maker = train, relations, maker
        self._training, self._target, self._seed = training, target, seed
        self._users, self._starts, self._stops = _windows(train, max_length)
        self._cache = self._search_all() if relations.neighbours and len(train.items) <= CACHED_NEIGHBOURS else None

    @property
    def target_count(self) -> int:
        """Target positions of one epoch."""
        return int(np.minimum(self._stops - self._starts, self._training.sequence_targets).sum())

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Window numbers of each batch of an epoch; windows of similar length share a batch."""
        rng = np.random.default_rng([self._seed, epoch])
        lengths = self._stops - self._starts
        order = np.argsort(lengths * (1.0 + 0.1 * rng.random(len(lengths))) + rng.random(len(lengths)), kind="stable")
        places = np.minimum(lengths[order], self._training.sequence_targets)
        cuts, start, widest, longest = [], 0, 0, 0
        for here in range(len(order)):
            widest, longest = max(widest, int(places[here])), max(longest, int(lengths[order[here]]))
            size = here - start + 1
            if size > 1 and (size * widest > self._training.batch_targets or size * longest > BATCH_POSITIONS):
                cuts.append(here)
                start, widest, longest = here, int(places[here]), int(lengths[order[here]])
        groups = np.split(order, cuts)
        return [groups[k] for k in rng.permutation(len(groups))]

    def make(self, epoch: int, number: int, windows: NDArray[np.int64]) -> Example:
        """The batch of the given windows.

        Args:
            epoch: counts from 0.
            number: of the batch within the epoch, a part of the seed of target sampling.
            windows: from `batches`.
        """
        users, starts, stops = self._users[windows], self._starts[windows], self._stops[windows]
        places, mask = self._places(stops - starts, np.random.default_rng([self._seed, epoch, number]))
        sequences = self._train.slices(starts, stops)
        absolute = starts[:, None] + places
        codes = {name: user.codes[users] for name, user in self._relations.users.items()}
        folds = self._relations.fold_of_user[users] % max(self._relations.folds, 1)
        batch = self._maker.pad(sequences, places, folds, codes, self._neighbours(absolute.ravel()))
        items, counts = self._upcoming(absolute, users)
        device = batch.items.device
        return Example(
            batch,
            torch.from_numpy(items).to(device),
            torch.from_numpy(counts).to(device),
            torch.from_numpy(mask).to(device),
        )

    def epoch(self, epoch: int, skip: int = 0) -> Iterator[tuple[int, int, Example]]:
        """The batches of an epoch as (number, of how many, example), from batch `skip` on."""
        groups = self.batches(epoch)
        for number in range(skip, len(groups)):
            yield number, len(groups), self.make(epoch, number, groups[number])

    def _places(
        self, lengths: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        widest = int(lengths.max())
        wanted = min(widest, self._training.sequence_targets)
        key = rng.random((len(lengths), widest))
        key[np.arange(widest) >= lengths[:, None]] = 2.0
        chosen = (
            np.argpartition(key, wanted - 1, axis=1)[:, :wanted]
            if wanted < widest
            else np.tile(np.arange(widest), (len(key), 1))
        )
        there = np.take_along_axis(key, chosen, 1) < 2.0
        chosen = np.where(there, chosen, widest)
        chosen.sort(axis=1)
        mask = (chosen < widest).astype(np.float32)
        return np.minimum(chosen, lengths[:, None] - 1), mask

    def _upcoming(
        self, absolute: NDArray[np.int64], users: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        steps = 1 + np.arange(self._target.window)
        after = absolute[:, :, None] + steps
        inside = after < self._train.offsets[users + 1][:, None, None]
        items = self._train.items[np.minimum(after, len(self._train.items) - 1)].astype(np.int64)
        counts = (self._target.decay ** (steps - 1.0) * inside).astype(np.float32)
        return items, counts

    def _neighbours(self, absolute: NDArray[np.int64]) -> Neighbours | None:
        if self._relations.neighbours is None:
            return None
        if self._cache is None:
            return self._search(absolute)
        return Neighbours(
            self._cache.users[absolute], self._cache.similarity[absolute], self._cache.following[absolute]
        )

    def _search(self, absolute: NDArray[np.int64]) -> Neighbours:
        index = self._relations.neighbours
        assert index is not None
        rows = np.searchsorted(self._train.offsets, absolute, side="right") - 1
        ends = absolute - self._train.offsets[rows] + 1
        return index.search(latest_anchors(self._train, rows, ends, index.anchors), rows)

    def _search_all(self) -> Neighbours:
        return self._search(np.arange(len(self._train.items)))


def _windows(train: Sequences, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Users and absolute half-open ranges of inputs, cut from the end of each sequence; each position is in one."""
    inputs = np.maximum(train.lengths - 1, 0)
    pieces = -(-inputs // length)
    users = np.repeat(np.arange(len(train)), pieces)
    back = np.arange(len(users)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    stops = train.offsets[users] + inputs[users] - back * length
    return users, np.maximum(stops - length, train.offsets[users]), stops
