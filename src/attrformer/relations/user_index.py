"""Position-to-position aggregation: users with a similar pattern, aligned at the last shared item.

See docs/paper.md, part 3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import scipy
from numpy.typing import NDArray

from attrformer.csr import offsets_of, positions_in_rows
from attrformer.data.sequences import Sequences
from attrformer.relations.inverted_index import InvertedIndex, added_up, strongest
from attrformer.relations.parts import counted, grouped, parts_of
from attrformer.relations.scratch import scratch_array

RECENCY = 0.8
"""An anchor counts this much less for each step it lies back in the context."""

# Contexts searched at a time, so that the working arrays stay in the processor's cache.
_BLOCK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Similar training users of some contexts, and where each stood; small enough to be kept for all of training.

    Args:
        positions: int32 `[n, k]`, absolute position of the latest interaction with the most recent shared item, -1
            where there are fewer than k.
        similarity: float32 `[n, k]`, 0 where there are fewer.
    """

    positions: NDArray[np.int32]
    similarity: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Similar training users of some contexts.

    Args:
        users: int32 `[n, k]`, -1 where there are fewer than k.
        similarity: float32 `[n, k]`, 0 where there are fewer.
        following: int32 `[n, k, horizon]`, what each did right after the aligned position, -1 past the sequence's end.
    """

    users: NDArray[np.int32]
    similarity: NDArray[np.float32]
    following: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class UserIndex:
    """Training sequences by item, for the search of users with a similar pattern.

    Args:
        train: training sequences.
        positions: int64, absolute positions grouped by item, an even sample of about `candidates` at most for each.
        starts: int64 `[items + 1]`, cuts `positions` by item.
        idf: float32 `[items]`.
        count: neighbours kept; with 0 the search finds nobody, for networks that read `train` in their own way.
        anchors: latest items of a context that may be shared.
        horizon: aligned positions read after the last shared item.
    """

    train: Sequences
    positions: NDArray[np.int64]
    starts: NDArray[np.int64]
    idf: NDArray[np.float32]
    count: int
    anchors: int
    horizon: int
    holders: InvertedIndex = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "holders", InvertedIndex.of(self.train, self.positions, self.starts))

    @classmethod
    def build(
        cls, train: Sequences, items: int, *, count: int, anchors: int, horizon: int, candidates: int
    ) -> UserIndex:
        """Indexes training sequences.

        Args:
            train: training sequences.
            items: catalogue size.
            count: neighbours kept for each context.
            anchors: latest items of a context that a neighbour may share.
            horizon: aligned positions read after the last shared item.
            candidates: most occurrences of one item that are looked at, an even sample of users.
        """
        frequency = counted(train, items)
        # An even sample keeps candidates spread over all users where an item has too many.
        stride = np.maximum(np.ceil(frequency / candidates), 1).astype(np.int64)
        starts, seen = offsets_of(-(-frequency // stride)), np.zeros(items, dtype=np.int64)
        order = scratch_array((int(starts[-1]),), np.int64)
        for part in parts_of(train):
            positions = np.arange(part.positions.start, part.positions.stop)
            item, positions, rank = grouped(part.items.astype(np.int64), positions, len(train.items))
            rank += seen[item]
            kept = rank % stride[item] == 0
            order[starts[item[kept]] + (rank // stride[item])[kept]] = positions[kept]
            seen += np.bincount(part.items, minlength=items)
        users = max(len(train), 1)
        idf = np.log1p(users / np.maximum(frequency, 1)).astype(np.float32)
        return cls(train, order, starts, idf, count, anchors, horizon)

    def search(self, anchors: NDArray[np.int64], users: NDArray[np.int64]) -> Neighbours:
        """Finds the most similar training users of each context and reads them; see `align` and `read`."""
        return self.read(self.align(anchors, users))

    def align(self, anchors: NDArray[np.int64], users: NDArray[np.int64]) -> Alignment:
        """Finds the most similar training users of each context; what one context gets never depends on the others.

        Similarity is the sum over shared anchors of idf(i) * 0.8^steps back, divided by the root of the neighbour's
        length. The alignment is at the most recent shared anchor.

        Args:
            anchors: int64 `[n, anchors]`, latest items of each context, most recent first, -1 for none.
            users: int64 `[n]`, the training user that each context belongs to and that is left out, -1 for none.
        """
        shape = (len(anchors), self.count)
        positions, similarity = np.full(shape, -1, dtype=np.int32), np.zeros(shape, dtype=np.float32)
        table = self.holders.table
        for start in range(0, len(anchors) if self.count else 0, _BLOCK):
            block = slice(start, start + _BLOCK)
            context, place, position, value = self._align_block(anchors[block], users[block], table)
            positions[block][context, place], similarity[block][context, place] = position, value
        return Alignment(positions, similarity)

    def _align_block(
        self, anchors: NDArray[np.int64], users: NDArray[np.int64], table: scipy.sparse.csr_array
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Context, place among its neighbours, aligned position and similarity of all neighbours of some contexts."""
        context, slot = np.nonzero(anchors >= 0)
        item = anchors[context, slot]
        weights = self.anchor_weights(anchors)[context, slot]
        # One bit for each anchor, so that the sum, exact up to 24 of them, tells which a user shares.
        told = np.concatenate([weights, np.ldexp(1.0, slot)]).astype(np.float32)
        counts = np.bincount(context, minlength=len(anchors))
        both = added_up(table, told, np.tile(item, 2), np.tile(counts, 2))
        # The second half has the entries of the first one, in the same order.
        ends, half = both.indptr[: len(anchors) + 1], both.indptr[len(anchors)]
        scores, shared = both.data[:half], both.data[half:]
        owner = both.indices[:half].astype(np.int64)
        similarity = scores / np.sqrt(self.train.lengths_of(owner)).astype(np.float32)
        similarity[owner == np.repeat(users, np.diff(ends))] = 0.0
        chosen = []
        for first, last in pairwise(ends):
            values = similarity[first:last]
            best = strongest(values, owner[first:last], self.count)
            best = best[np.lexsort((owner[first + best], -values[best]))]
            chosen.append(first + best[values[best] > 0.0])
        counts = np.array([len(best) for best in chosen], dtype=np.int64)
        kept = np.concatenate(chosen)
        context = np.repeat(np.arange(len(anchors)), counts)
        place = positions_in_rows(counts)
        mask = shared[kept].astype(np.int64)
        newest = np.log2(mask & -mask).astype(np.int64)
        return context, place, self.holders.latest(anchors[context, newest], owner[kept]), similarity[kept]

    def anchor_weights(self, anchors: NDArray[np.int64]) -> NDArray[np.float32]:
        """What a shared anchor adds to the similarity, idf(i) * 0.8^steps back, float32 `[n, anchors]`; 0 for none."""
        weights = np.where(anchors >= 0, self.idf[anchors] * RECENCY ** np.arange(anchors.shape[1]), 0.0)
        return weights.astype(np.float32)

    def read(self, found: Alignment) -> Neighbours:
        """What the neighbours did right after the positions where they are aligned."""
        there = found.positions >= 0
        position = found.positions[there].astype(np.int64)
        owner = np.searchsorted(self.train.offsets, position, side="right") - 1
        users = np.full(found.positions.shape, -1, dtype=np.int32)
        users[there] = owner
        following = np.full((*users.shape, self.horizon), -1, dtype=np.int32)
        after = position[:, None] + np.arange(1, self.horizon + 1)
        inside = after < self.train.offsets[owner + 1][:, None]
        following[there] = np.where(inside, self.train.items[np.minimum(after, len(self.train.items) - 1)], -1)
        return Neighbours(users, found.similarity, following)


def latest_anchors(
    contexts: Sequences, rows: NDArray[np.int64], ends: NDArray[np.int64], anchors: int
) -> NDArray[np.int64]:
    """The latest distinct-position items before an end position, most recent first.

    Args:
        contexts: histories.
        rows: int64 `[n]`, row of each context.
        ends: int64 `[n]`, how many interactions of that row belong to the context.
        anchors: how many are wanted.

    Returns:
        int64 `[n, anchors]`, item codes, -1 where the context is shorter.
    """
    back = np.arange(anchors)
    place = ends[:, None] - 1 - back
    absolute = contexts.offsets[rows][:, None] + np.maximum(place, 0)
    if len(contexts.items) == 0:
        return np.full((len(rows), anchors), -1, dtype=np.int64)
    return np.where(place >= 0, contexts.items[np.minimum(absolute, len(contexts.items) - 1)], -1).astype(np.int64)
