"""The training sequences nearest to a history, and what they say about the whole catalogue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrformer.relations.inverted_index import added_up, strongest
from attrformer.relations.user_index import UserIndex

# Histories answered at a time, so that the items of all their neighbours fit into memory.
_BLOCK = 32

_NOT_SHARED = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True)
class NearestRule:
    """How neighbours are chosen and read.

    Args:
        count: neighbours of a history.
        recency: weight of each further step back in the history; None falls linearly over the length of the history.
        rare_shared: whether shared items count by their inverse document frequency.
        length_power: the similarity is divided by the neighbour's length to this power.
        ahead: weight of each further step ahead of the aligned position.
        behind: weight of what a neighbour did before the aligned position.
        rare_first: whether recommended items count by their inverse document frequency.
    """

    count: int
    recency: float | None
    rare_shared: bool
    length_power: float
    ahead: float
    behind: float
    rare_first: bool

    def weights(self, back: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """Weight of items `back` steps before the end of histories of the given lengths."""
        if self.recency is None:
            return (lengths - back) / lengths
        powers: NDArray[np.float64] = self.recency ** back.astype(np.float64)
        return powers


class NearestSequences:
    """Finds and reads neighbours; what one history gets never depends on the others.

    Args:
        index: training sequences by item.
        items: catalogue size.
        rule: how neighbours are chosen and read.
    """

    def __init__(self, index: UserIndex, items: int, rule: NearestRule) -> None:
        self._train, self._idf, self._items, self._rule = index.train, index.idf.astype(np.float64), items, rule
        self._holders = index.holders.table.astype(np.float64)

    def evidence(
        self, items: NDArray[np.int64], back: NDArray[np.int64], owners: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """What neighbours say for every item j: the sum of sim(n) w(n) p over the interactions with j of neighbours n.

        w(n) is the weight of the most recent item of the history that n shares, where n is aligned. p is
        `ahead`^(d - 1) for an interaction d steps ahead of that position, and `behind` for all others.

        Args:
            items: int64 `[n, l]`, item codes of the histories.
            back: int64 `[n, l]`, steps from the end of each history, negative for what is not part of it.
            owners: int64 `[n]`, the training sequence of each history's own user, which is left out; -1 for none.

        Returns:
            float32 `[n, items]`.
        """
        blocks = [slice(start, start + _BLOCK) for start in range(0, len(items), _BLOCK)]
        found = [self._block(items[block], back[block], owners[block]) for block in blocks]
        return np.concatenate([np.zeros((0, self._items), dtype=np.float32), *found])

    def _block(
        self, items: NDArray[np.int64], back: NDArray[np.int64], owners: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        steps = self._steps(items, back)
        context, user, similarity = self._nearest(steps, back.max(axis=1) + 1, owners)
        spans = self._train.lengths[user]
        if spans.sum() == 0:
            return np.zeros((len(items), self._items), dtype=np.float32)
        starts = np.cumsum(spans) - spans
        entry = np.repeat(np.arange(len(user)), spans)
        position = np.arange(len(entry)) - starts[entry] + self._train.offsets[user][entry]
        item, of = self._train.items[position].astype(np.int64), context[entry]
        shared = steps[of, item]
        latest = np.minimum.reduceat(shared, starts)
        aligned = np.maximum.reduceat(np.where(shared == latest[entry], position, -1), starts)
        ahead = position - aligned[entry]
        value = (similarity * self._rule.weights(latest, back.max(axis=1)[context] + 1))[entry]
        value *= np.where(ahead > 0, self._rule.ahead ** (np.maximum(ahead, 1) - 1.0), self._rule.behind)
        if self._rule.rare_first:
            value *= self._idf[item]
        flat = np.bincount(of * self._items + item, weights=value, minlength=len(items) * self._items)
        return flat.reshape(len(items), self._items).astype(np.float32)

    def _steps(self, items: NDArray[np.int64], back: NDArray[np.int64]) -> NDArray[np.int64]:
        """Steps back to the latest occurrence of each item, `[n, items]`."""
        steps = np.full((len(items), self._items), _NOT_SHARED, dtype=np.int64)
        context, column = np.nonzero(back >= 0)
        np.minimum.at(steps, (context, items[context, column]), back[context, column])
        return steps

    def _nearest(
        self, steps: NDArray[np.int64], lengths: NDArray[np.int64], owners: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """The most similar training sequences: history, training user and similarity of each, by history."""
        context, item = np.nonzero(steps != _NOT_SHARED)
        weight = self._rule.weights(steps[context, item], lengths[context])
        if self._rule.rare_shared:
            weight = weight * self._idf[item]
        common = added_up(self._holders, weight, item, np.bincount(context, minlength=len(steps)))
        scale = np.maximum(self._train.lengths, 1.0) ** -self._rule.length_power
        chosen = []
        for row in range(len(steps)):
            cut = slice(common.indptr[row], common.indptr[row + 1])
            users = common.indices[cut].astype(np.int64)
            chosen.append(_strongest(users, common.data[cut] * scale[users], int(owners[row]), self._rule.count))
        counts = [len(users) for users, _ in chosen]
        found = np.concatenate([users for users, _ in chosen])
        return np.repeat(np.arange(len(steps)), counts), found, np.concatenate([values for _, values in chosen])


def _strongest(
    users: NDArray[np.int64], similarity: NDArray[np.float64], owner: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The `count` most similar users without the owner, in the order of their codes."""
    others = users != owner
    users, similarity = users[others], similarity[others]
    kept = strongest(similarity, users, count)
    kept = kept[np.argsort(users[kept])]
    return users[kept], similarity[kept]
