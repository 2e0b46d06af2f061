"""Training examples: windows of training sequences, length-bucketed batches, target places and upcoming items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from attrformer.csr import positions_in_rows
from attrformer.data.sequences import Sequences
from attrformer.models.inputs import InputMaker, together
from attrformer.nn.batch import Batch, Example, NeighbourBatch
from attrformer.nn.similar_users import AlignedUsers
from attrformer.ranks import ALONE, Ranks
from attrformer.relations.relation_set import RelationSet
from attrformer.relations.user_index import latest_anchors
from attrformer.training.config import TargetConfig, TrainingConfig
from attrformer.training.predicted import Followers, Predicted, prefixes_of, windows_of

CACHED_NEIGHBOURS = 4_000_000
"""Training positions up to which all neighbours are searched once; beyond, they are searched batch by batch."""

BATCH_POSITIONS = 16_384


class Shape(NamedTuple):
    """Histories of a batch, positions of each and places of each that are asked about."""

    rows: int
    length: int
    places: int


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
        prefixes: every target has a history of its own that ends right before it, for networks that are not causal;
            at most `sequence_targets` of each user are drawn for an epoch.
        partners: examples bring another history before the same final item.
        filled: batches are filled up to one of a few shapes with histories, positions and places that do not count.
        ranks: that train together; `epoch` gives each its part of every batch.
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
        *,
        prefixes: bool = False,
        partners: bool = False,
        filled: bool = False,
        ranks: Ranks = ALONE,
    ) -> None:
        self._train, self._relations, self._maker = train, relations, maker
        self._training, self._target, self._seed = training, target, seed
        self._prefixes, self._max_length, self.filled = prefixes, max_length, filled
        self._ranks = ranks
        self._predicted, self._weights = Predicted.of(train), train.weights
        cut = prefixes_of if prefixes else windows_of
        self._users, self._starts, self._stops = cut(train, self._predicted, max_length)
        self._followers = Followers(train, self._predicted) if partners else None
        self._cache = self._align_all() if relations.similar_users and len(train.items) <= CACHED_NEIGHBOURS else None

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Interactions of each window, int64 `[windows]`."""
        return self._stops - self._starts

    @property
    def target_count(self) -> int:
        """Target positions of one epoch."""
        if self._prefixes:
            drawn = np.minimum(np.bincount(self._users, minlength=1), self._training.sequence_targets)
            return int(drawn.sum())
        return int(np.minimum(self.lengths, self._training.sequence_targets).sum())

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Window numbers of each batch of an epoch; windows of similar length share a batch."""
        rng = np.random.default_rng([self._seed, epoch])
        chosen = self._drawn_prefixes(epoch) if self._prefixes else np.arange(len(self._users))
        lengths = self.lengths[chosen]
        order = np.argsort(lengths * (1.0 + 0.1 * rng.random(len(lengths))) + rng.random(len(lengths)), kind="stable")
        lengths, order = lengths[order], chosen[order]
        places = np.ones_like(lengths) if self._prefixes else np.minimum(lengths, self._training.sequence_targets)
        groups = np.split(order, self._cuts(lengths.data, places.data))
        return [groups[k] for k in rng.permutation(len(groups))]

    def _cuts(self, lengths: Iterable[int], places: Iterable[int]) -> list[int]:
        """Where a batch begins but for the first, for windows of given lengths and target positions."""
        targets = self._training.batch_targets
        cuts, start, widest, longest, most = [], 0, 0, 0, 1
        for here, (length, place) in enumerate(zip(lengths, places, strict=True)):
            size = here - start + 1
            if length > longest:
                longest, most = length, most_rows(length)
            if place > widest:
                widest = place
            if size > 1 and (size * widest > targets or size > most):
                cuts.append(here)
                start, widest, longest, most = here, place, length, most_rows(length)
        return cuts

    def make(self, epoch: int, number: int, windows: NDArray[np.int64], ranks: Ranks = ALONE) -> Example:
        """The batch of the given windows, or the part of it that a rank computes.

        Args:
            epoch: counts from 0.
            number: of the batch within the epoch, a part of the seed of target sampling.
            windows: from `batches`.
            ranks: that share the batch; the parts of all of them together are the batch of one process.
        """
        count, shape = len(windows), None
        if self.filled:
            shape = self.shape_for(int(self.lengths[windows].max()))
            windows = np.concatenate([windows, np.repeat(windows[:1], max(shape.rows - count, 0))])
        users, starts, stops = self._users[windows], self._starts[windows], self._stops[windows]
        rng = np.random.default_rng([self._seed, epoch, number])
        places, mask = self._places(stops - starts, rng)
        if shape is not None:
            places, mask = _filled_up(places, mask, count, shape.places)
        if ranks.size > 1:
            own, mask = part_of(mask, ranks)
            users, starts, stops, places = users[own], starts[own], stops[own], places[own, : mask.shape[1]]
        sequences = self._train.slices(starts, stops)
        absolute = starts[:, None] + places
        codes = {name: user.codes[users] for name, user in self._relations.users.items()}
        folds = self._relations.fold_of_user[users] % max(self._relations.folds, 1)
        length = 0 if shape is None else shape.length
        batch = self._maker.pad(sequences, places, folds, codes, self._neighbours(absolute), length=length)
        items, counts, weights = self._upcoming(absolute, users)
        ends = self._predicted.following(stops)
        device = batch.items.device
        return Example(
            batch,
            torch.from_numpy(items).to(device),
            torch.from_numpy(counts).to(device),
            torch.from_numpy(mask if weights is None else mask * weights).to(device),
            torch.from_numpy(self._train.items[ends].astype(np.int64)).to(device),
            None if self._followers is None else self._partners(self._followers.draw(ends, rng)),
        )

    def shape_for(self, longest: int) -> Shape:
        """The shape that a batch is filled up to.

        Args:
            longest: of its histories; batches whose longest histories are about as long share a shape.
        """
        # Four lengths for each doubling.
        grain = 1 << max(0, longest.bit_length() - 3)
        length = min(-(-longest // grain) * grain, self._max_length)
        shortest = (longest - 1) // grain * grain + 1
        drawn = self._training.sequence_targets
        fewest, most = (1, 1) if self._prefixes else (min(shortest, drawn), min(length, drawn))
        rows = max(1, min(self._training.batch_targets // fewest, most_rows(shortest)))
        return Shape(rows, length, most)

    def epoch(self, epoch: int, skip: int = 0) -> Iterator[tuple[int, int, Example]]:
        """The batches of an epoch as (number, of how many, example), from batch `skip` on."""
        groups = self.batches(epoch)
        for number in range(skip, len(groups)):
            yield number, len(groups), self.make(epoch, number, groups[number], self._ranks)

    def _places(
        self, lengths: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Places that are asked about, the last one of a prefix or drawn ones, and which of them count."""
        if self._prefixes:
            return (lengths - 1)[:, None], np.ones((len(lengths), 1), dtype=np.float32)
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
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32] | None]:
        """The interactions to be predicted after each place, their counts, and the weight of the first of them."""
        steps = np.arange(self._target.window)
        after, inside = self._predicted.after(absolute, self._train.offsets[users + 1], self._target.window)
        items = self._train.items[after].astype(np.int64)
        counts = (self._target.decay ** steps.astype(np.float64) * inside).astype(np.float32)
        if self._weights is None:
            return items, counts, None
        weights = self._weights[after]
        return items, counts * weights, weights[:, :, 0]

    def _drawn_prefixes(self, epoch: int) -> NDArray[np.int64]:
        """At most `sequence_targets` prefixes of each user, drawn anew for each epoch."""
        rng = np.random.default_rng([self._seed, epoch, 1])
        shuffled = np.lexsort((rng.random(len(self._users)), self._users))
        counts = np.bincount(self._users, minlength=1)
        rank = positions_in_rows(counts)
        return np.sort(shuffled[rank < self._training.sequence_targets])

    def _partners(self, stops: NDArray[np.int64]) -> Batch:
        """The histories that end right before the given absolute positions."""
        users = np.searchsorted(self._train.offsets, stops, side="right") - 1
        starts = np.maximum(stops - self._max_length, self._train.offsets[users])
        codes = {name: user.codes[users] for name, user in self._relations.users.items()}
        folds = self._relations.fold_of_user[users] % max(self._relations.folds, 1)
        places = (stops - starts - 1)[:, None]
        return self._maker.pad(
            self._train.slices(starts, stops), places, folds, codes, self._neighbours((stops - 1)[:, None])
        )

    def _neighbours(self, absolute: NDArray[np.int64]) -> NeighbourBatch | None:
        similar = self._maker.similar
        if similar is None:
            return None
        flat = absolute.ravel()
        return similar.read(self._align(flat) if self._cache is None else self._cache.rows(flat), absolute.shape)

    def _align(self, absolute: NDArray[np.int64]) -> AlignedUsers:
        index, similar = self._relations.similar_users, self._maker.similar
        assert index is not None and similar is not None
        rows = np.searchsorted(self._train.offsets, absolute, side="right") - 1
        ends = absolute - self._train.offsets[rows] + 1
        return similar.align(latest_anchors(self._train, rows, ends, index.anchors), rows)

    def _align_all(self) -> AlignedUsers:
        count, ranks = len(self._train.items), self._ranks
        own = self._align(np.arange(count)[ranks.rows(count)])
        return own.of_all_ranks(count, ranks)


def part_of(mask: NDArray[np.float32], ranks: Ranks) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The rows of a batch that a rank computes.

    Rows stand in the order of their length, about, so that dealing them out gives every rank as much to compute.

    Args:
        mask: float32 `[b, t]` of the whole batch, the targets of each row first.
        ranks: that share it.

    Returns:
        Row numbers int64 `[r]` and their mask `[r, most targets of a row]`. A rank for which none is left gets a row
        that does not count, so that it makes the same step.
    """
    rows = np.arange(ranks.rank, len(mask), ranks.size)
    if not len(rows):
        return np.zeros(1, dtype=np.int64), np.zeros((1, 1), dtype=np.float32)
    return rows, mask[rows][:, : max(1, int(mask[rows].sum(1).max()))]


def most_rows(longest: int) -> int:
    """How many histories a batch may have, at least 1.

    Args:
        longest: positions of the longest of them.
    """
    return max(1, min(BATCH_POSITIONS // longest, together(longest)))


def _filled_up(
    places: NDArray[np.int64], mask: NDArray[np.float32], rows: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Places and mask of a given width, of which only those of the first rows count."""
    missing = ((0, 0), (0, max(width - mask.shape[1], 0)))
    counts = (np.arange(len(mask)) < rows).astype(np.float32)
    return np.pad(places, missing, mode="edge"), np.pad(mask * counts[:, None], missing)
