"""Position-to-position aggregation: users with a similar pattern, aligned at the last shared item (SPEC part 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrformer.dataset.sequences import Sequences

RECENCY = 0.8
"""An anchor counts this much less for each step it lies back in the context."""

_POSITION_BITS = 4095
# Contexts searched at a time, so that the working arrays stay in the processor's cache.
_BLOCK = 2048


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
class NeighbourIndex:
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

    @classmethod
    def build(
        cls, train: Sequences, items: int, *, count: int, anchors: int, horizon: int, candidates: int
    ) -> NeighbourIndex:
        """Indexes training sequences.

        Args:
            train: training sequences.
            items: catalogue size.
            count: neighbours kept for each context.
            anchors: latest items of a context that a neighbour may share.
            horizon: aligned positions read after the last shared item.
            candidates: most occurrences of one item that are looked at, an even sample of users.
        """
        order = np.argsort(train.items, kind="stable")
        frequency = np.bincount(train.items, minlength=items)
        rank = np.arange(len(order)) - np.repeat(np.cumsum(frequency) - frequency, frequency)
        # An even sample keeps candidates spread over all users where an item has too many.
        stride = np.repeat(np.maximum(np.ceil(frequency / candidates), 1).astype(np.int64), frequency)
        order = order[rank % stride == 0]
        starts = np.concatenate([[0], np.cumsum(np.bincount(train.items[order], minlength=items))]).astype(np.int64)
        users = max(len(train), 1)
        idf = np.log1p(users / np.maximum(frequency, 1)).astype(np.float32)
        return cls(train, order.astype(np.int64), starts, idf, count, anchors, horizon)

    def search(self, anchors: NDArray[np.int64], users: NDArray[np.int64]) -> Neighbours:
        """Finds the most similar training users of each context; what one context gets never depends on the others.

        Similarity is the sum over shared anchors of idf(i) * 0.8^steps back, divided by the root of the neighbour's
        length. The alignment is at the most recent shared anchor.

        Args:
            anchors: int64 `[n, anchors]`, latest items of each context, most recent first, -1 for none.
            users: int64 `[n]`, the training user that each context belongs to and that is left out, -1 for none.
        """
        if self.count == 0:
            return self._nobody(len(anchors))
        blocks = [slice(start, start + _BLOCK) for start in range(0, max(len(anchors), 1), _BLOCK)]
        found = [self._search_block(anchors[block], users[block]) for block in blocks]
        return Neighbours(
            np.concatenate([part.users for part in found]),
            np.concatenate([part.similarity for part in found]),
            np.concatenate([part.following for part in found]),
        )

    def _search_block(self, anchors: NDArray[np.int64], users: NDArray[np.int64]) -> Neighbours:
        context, slot = np.nonzero(anchors >= 0)
        item = anchors[context, slot]
        lengths = self.starts[item + 1] - self.starts[item]
        total = int(lengths.sum())
        entry = np.repeat(np.arange(len(item)), lengths)
        offset = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        position = self.positions[self.starts[item][entry] + offset]
        owner = np.searchsorted(self.train.offsets, position, side="right") - 1
        keep = owner != users[context[entry]]
        position, owner, entry = position[keep], owner[keep], entry[keep]
        weight = (self.idf[item] * RECENCY**slot).astype(np.float32)[entry]
        return self._reduce(len(anchors), context[entry], slot[entry], owner, position, weight)

    def _reduce(
        self,
        n: int,
        context: NDArray[np.int64],
        slot: NDArray[np.int64],
        owner: NDArray[np.int64],
        position: NDArray[np.int64],
        weight: NDArray[np.float32],
    ) -> Neighbours:
        found = self._nobody(n)
        if len(context) == 0:
            return found
        # Of several shared anchors the most recent one comes first in its (context, neighbour) group: the alignment.
        pair = context * len(self.train) + owner
        late = np.minimum(position - self.train.offsets[owner], _POSITION_BITS)
        order = np.argsort((pair * self.anchors + slot) * (_POSITION_BITS + 1) + (_POSITION_BITS - late))
        pair, position, weight = pair[order], position[order], weight[order]
        first = np.flatnonzero(np.concatenate([[True], pair[1:] != pair[:-1]]))
        weight[1:][(pair[1:] == pair[:-1]) & (slot[order][1:] == slot[order][:-1])] = 0.0
        score = np.add.reduceat(weight, first)
        pair, position = pair[first], position[first]
        context, owner = pair // len(self.train), pair % len(self.train)
        score = score / np.sqrt(self.train.lengths_of(owner)).astype(np.float32)
        order = np.argsort(context * (1 << 32) + (0x7FFFFFFF - score.view(np.int32).astype(np.int64)), kind="stable")
        context, owner, position, score = context[order], owner[order], position[order], score[order]
        counts = np.bincount(context, minlength=n)
        place = np.arange(len(context)) - np.repeat(np.cumsum(counts) - counts, counts)
        top = place < self.count
        context, owner, position, score, place = context[top], owner[top], position[top], score[top], place[top]
        found.users[context, place] = owner
        found.similarity[context, place] = score
        for step in range(self.horizon):
            after = position + 1 + step
            inside = after < self.train.offsets[owner + 1]
            found.following[context[inside], place[inside], step] = self.train.items[after[inside]]
        return found

    def _nobody(self, n: int) -> Neighbours:
        """The answer for contexts that have no neighbours."""
        return Neighbours(
            np.full((n, self.count), -1, dtype=np.int32),
            np.zeros((n, self.count), dtype=np.float32),
            np.full((n, self.count, self.horizon), -1, dtype=np.int32),
        )


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
