"""From histories in compressed rows to the padded batches that the network reads."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from attrformer.data.sequences import Sequences
from attrformer.nn.batch import Batch, NeighbourBatch
from attrformer.nn.similar_users import SimilarUsers
from attrformer.relations.positions import level
from attrformer.relations.relation_set import RelationSet
from attrformer.relations.user_index import latest_anchors


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
            name: padded(level(sequences.behaviours[name], edges), 0)
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
