"""Scores of the whole catalogue for histories, by the same blocks as the training objective."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.dataset.sequences import Sequences
from attrformer.models.inputs import InputMaker
from attrformer.models.network import Network
from attrformer.models.pieces import in_pieces
from attrformer.models.prepared import prepared
from attrformer.nn.objectives import score_catalogue
from attrformer.relations.build import RelationSet


class CatalogueScorer:
    """A trained network behind the interface that the evaluation asks for.

    Args:
        network: the network; put into evaluation mode for each call.
        relations: its relations.
        maker: makes its batches.
    """

    def __init__(self, network: Network, relations: RelationSet, maker: InputMaker) -> None:
        self._network, self._relations, self._maker = network, relations, maker

    @torch.no_grad()
    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        """Scores of every item, float32 `[b, items]`.

        Args:
            users: int64 `[b]`, training users.
            contexts: their histories, at least one interaction each.
        """
        training = self._network.training
        self._network.eval()
        ready = prepared(self._network)

        def score(rows: NDArray[np.int64]) -> Tensor:
            codes = {name: user.codes[users[rows]] for name, user in self._relations.users.items()}
            outputs = ready(self._maker.latest(contexts.rows(rows), codes, users[rows]))
            return score_catalogue(outputs.hidden, outputs.table, outputs.parts).squeeze(1)

        scores = in_pieces(self._maker.read_lengths(contexts), score)
        self._network.train(training)
        return scores
