"""From histories in compressed rows to the padded batches that the network reads, long histories a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.sequences import Sequences, recoded
from attrformer.nn.batch import Batch, NeighbourBatch
from attrformer.nn.similar_users import SimilarUsers
from attrformer.relations.positions import level
from attrformer.relations.relation_set import RelationSet
from attrformer.relations.user_index import latest_anchors

PAIRS: Final = 4_000_000
"""Pairs of positions that are read together: a hundred histories of 200 interactions, or six of 800.

What is said of every two positions of a history fills the memory.
"""

PADDED_PAIRS: Final = 1 << 18
"""Pairs with a position that is padding from which on they take longer than another piece; for evaluations."""


class InputMaker:
    """Makes batches; the same code serves training, evaluation and recommendation.

    Args:
        relations: of the model.
        max_length: latest interactions of a history that are read.
        device: where batches go.
    """

    def __init__(self, relations: RelationSet, max_length: int, device: torch.device) -> None:
        self._relations, self._max_length, self._device = relations, max_length, device

    @cached_property
    def similar(self) -> SimilarUsers | None:
        """Finds and reads similar users on the device; None where the model has none."""
        index = self._relations.similar_users
        return None if index is None else SimilarUsers(index, self._device)

    def read_lengths(self, contexts: Sequences) -> NDArray[np.int64]:
        """How many interactions of each history are read, int64 `[b]`."""
        return np.minimum(contexts.lengths, self._max_length).astype(np.int64)

    def latest(
        self,
        contexts: Sequences,
        user_features: dict[str, NDArray[np.int64]],
        training_users: NDArray[np.int64],
        as_of: int | None = None,
    ) -> Batch:
        """A batch that asks for the item after each history; relations are those for inference.

        Args:
            contexts: histories, at least one interaction each.
            user_features: int64 `[b]` by attribute name.
            training_users: int64 `[b]`, the training row of each user, -1 for users that were not trained on.
            as_of: when items have the values of attributes that change, in seconds; None: at the time of each history.
        """
        tails = contexts.tail(self._max_length)
        places = (tails.lengths - 1)[:, None]
        neighbours = None
        index, similar = self._relations.similar_users, self.similar
        if index is not None and similar is not None:
            anchors = latest_anchors(tails, np.arange(len(tails)), tails.lengths, index.anchors)
            neighbours = similar.read(similar.align(anchors, training_users), places.shape)
        folds = np.full(len(tails), self._relations.folds, dtype=np.int64)
        batch = self.pad(tails, places, folds, user_features, neighbours, training_users)
        return batch if as_of is None else replace(batch, as_of=torch.full_like(batch.folds, as_of))

    def pad(
        self,
        sequences: Sequences,
        places: NDArray[np.int64],
        folds: NDArray[np.int64],
        user_features: dict[str, NDArray[np.int64]],
        neighbours: NeighbourBatch | None,
        user_codes: NDArray[np.int64] | None = None,
        *,
        length: int = 0,
    ) -> Batch:
        """Pads histories on the right.

        Args:
            sequences: histories, none longer than `max_length`.
            places: int64 `[b, t]`.
            folds: int64 `[b]`.
            user_features: int64 `[b]` by attribute name.
            neighbours: of the places, on the device, or None.
            user_codes: int64 `[b]`, training row of each history's user, -1 for none; None in training.
            length: positions that are at least padded to.
        """
        rows = sequences.row_of_position()
        columns = np.arange(len(sequences.items)) - sequences.offsets[rows]
        shape = (len(sequences), int(sequences.lengths.max(initial=max(length, 1))))

        def padded(values: NDArray[np.int64], filler: int) -> torch.Tensor:
            out = np.full(shape, filler, dtype=np.int64)
            out[rows, columns] = values
            return torch.from_numpy(out)

        relations = self._relations
        levels = {
            name: padded(level(self._behaviour(sequences, name), edges), 0)
            for name, edges in relations.levels.items()
            if name in sequences.behaviours
        }
        timed = relations.reads_times and sequences.times is not None
        batch = Batch(
            items=padded(sequences.items.astype(np.int64), relations.n_items),
            target_positions=torch.from_numpy(places.astype(np.int64)),
            folds=torch.from_numpy(folds.astype(np.int64)),
            user_features={name: torch.from_numpy(codes.astype(np.int64)) for name, codes in user_features.items()},
            times=padded(sequences.times, 0) if timed and sequences.times is not None else None,
            levels=levels,
            similar_users=neighbours,
            user_codes=None if user_codes is None else torch.from_numpy(user_codes.astype(np.int64)),
        )
        return batch.to(self._device)

    def _behaviour(self, sequences: Sequences, name: str) -> NDArray[np.float32]:
        """A behaviour attribute in the codes of the model."""
        labels, own = self._relations.categories.get(name), sequences.meaning.values.get(name)
        values = sequences.behaviours[name]
        if labels == own or labels is None:
            return values
        return recoded(values, own or (), labels, name, None)


def together(longest: int, pairs: int = PAIRS) -> int:
    """How many histories are read together, at least 1.

    Args:
        longest: interactions that are read of the longest of them.
        pairs: most pairs of positions.
    """
    return max(1, pairs // max(longest, 1) ** 2)


def pieces(
    lengths: NDArray[np.int64], most: int | None = None, pairs: int = PAIRS, padded: int | None = None
) -> Iterator[NDArray[np.int64]]:
    """Rows of histories that are read together, int64 each; every row is in one piece.

    Args:
        lengths: int64 `[b]`, how much of each history is read.
        most: most rows of a piece; None: as many as fit.
        pairs: most pairs of positions of a piece; a single history may have more.
        padded: most pairs of a piece in which a position is padding; None: any number.

    Yields:
        All rows in their order where they fit and are about equally long, else pieces of histories of similar length,
        the longest first.
    """
    most = len(lengths) if most is None else most
    squares = lengths.astype(np.int64) ** 2
    unused = len(lengths) * int(squares.max(initial=0)) - int(squares.sum())
    padded = unused if padded is None else padded
    if len(lengths) <= min(most, together(int(lengths.max(initial=1)), pairs)) and unused <= padded:
        yield np.arange(len(lengths))
        return
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        rows = order[start : start + min(most, together(int(lengths[order[start]]), pairs))]
        rows = rows[: max(1, int(np.searchsorted(np.cumsum(squares[rows[0]] - squares[rows]), padded, side="right")))]
        start += len(rows)
        yield rows


def in_pieces(
    lengths: NDArray[np.int64],
    score: Callable[[NDArray[np.int64]], Tensor],
    pairs: int = PAIRS,
    padded: int | None = None,
) -> Tensor:
    """Scores of many histories, made of the scores of those that are read together.

    Args:
        lengths: int64 `[b]`, how much of each history is read.
        score: gives the scores `[r, items]` of the rows int64 `[r]` that it is asked for.
        pairs: most pairs of positions of a piece.
        padded: as for `pieces`.

    Returns:
        `[b, items]`, rows in the order of `lengths`.
    """
    scores: Tensor | None = None
    for rows in pieces(lengths, pairs=pairs, padded=padded):
        found = score(rows)
        if len(rows) == len(lengths):
            return found
        if scores is None:
            scores = found.new_empty(len(lengths), found.shape[1])
        scores[torch.from_numpy(rows).to(found.device)] = found
    assert scores is not None
    return scores
