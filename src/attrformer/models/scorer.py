"""Scores of the whole catalogue for histories, by the same blocks as the training objective."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.sequences import Sequences
from attrformer.models.inference import prepared
from attrformer.models.inputs import InputMaker
from attrformer.models.memory_batches import in_pieces
from attrformer.models.network import Network
from attrformer.nn.fused_loss import score_catalogue
from attrformer.relations.relation_set import RelationSet


@torch.no_grad()
def catalogue_scores(
    network: Network,
    maker: InputMaker,
    users: NDArray[np.int64],
    contexts: Sequences,
    values: dict[str, NDArray[np.int64]],
    precision: torch.dtype = torch.float32,
    as_of: int | None = None,
) -> Tensor:
    """Scores of every item for what comes after each history, float32 `[b, items]`; long histories a few at a time.

    Args:
        network: in evaluation mode.
        maker: makes its batches.
        users: int64 `[b]`, training users, -1 for people who were not trained on.
        contexts: their histories, at least one interaction each.
        values: int64 `[b]` codes by user attribute.
        precision: type of the large products.
        as_of: as for `InputMaker.latest`.
    """

    def score(rows: NDArray[np.int64]) -> Tensor:
        codes = {name: of_all[rows] for name, of_all in values.items()}
        outputs = network(maker.latest(contexts.rows(rows), codes, users[rows], as_of))
        return score_catalogue(outputs.hidden, outputs.table, outputs.parts, precision=precision).squeeze(1)

    return in_pieces(maker.read_lengths(contexts), score)


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
        codes = {name: user.codes[users] for name, user in self._relations.users.items()}
        scores = catalogue_scores(prepared(self._network), self._maker, users, contexts, codes)
        self._network.train(training)
        return scores
