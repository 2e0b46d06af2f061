"""Networks made ready to answer, and scores of the whole catalogue by the same blocks as the training objective."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from attrformer.data.sequences import Sequences
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.models.inputs import PADDED_PAIRS, InputMaker, in_pieces
from attrformer.models.network import Network
from attrformer.nn.fused_loss import score_catalogue
from attrformer.nn.stacked import StackedParameters
from attrformer.relations.relation_set import RelationSet


class KnownTable(nn.Module):
    """Item representations that are computed already, in place of the module that computes them.

    Args:
        table: `[items, d]`.
    """

    values: Tensor

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("values", table, persistent=False)

    def forward(self) -> Tensor:
        """The representation of every item, `[items, d]`."""
        return self.values


class InferenceNetwork(AttrFormerNetwork):
    """AttrFormer with its item table and what else depends on parameters alone computed once.

    It shares all weights and relations with the network it is made of. A request then touches the rows of its own items
    only, so that its time does not grow with the catalogue before it is scored.

    Args:
        network: a network for inference, which stays as it is.
        known: what gives the item table; None: it is computed of the network.
    """

    def __init__(self, network: AttrFormerNetwork, known: nn.Module | None = None) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(network.__dict__)
        with torch.no_grad():
            known = known or KnownTable(network.table().detach())
            self._stacked = network.stacked()
        self._modules = {**network._modules, "table": known}

    def stacked(self) -> StackedParameters:
        """See `AttrFormerNetwork.stacked`; they were stacked once."""
        return self._stacked

    def embed(self, items: Tensor, table: Tensor) -> Tensor:
        """See `AttrFormerNetwork.embed`; the table is looked up and not copied."""
        return look_up(items, table)


def prepared(network: Network) -> Network:
    """The same network, ready to answer; other networks than AttrFormer stay as they are.

    Args:
        network: for inference.
    """
    return InferenceNetwork(network) if type(network) is AttrFormerNetwork else network


def look_up(items: Tensor, table: Tensor) -> Tensor:
    """Rows of the table for item codes `[b, l]`, zeros for padding (code `len(table)`), `[b, l, d]`."""
    rows = F.embedding(items.clamp_max(table.shape[0] - 1), table)
    return rows.masked_fill((items == table.shape[0]).unsqueeze(2), 0.0)


@torch.no_grad()
def catalogue_scores(
    network: Network,
    maker: InputMaker,
    users: NDArray[np.int64],
    contexts: Sequences,
    values: dict[str, NDArray[np.int64]],
    precision: torch.dtype = torch.float32,
    as_of: int | None = None,
    padded: int | None = None,
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
        padded: as for `pieces`.
    """

    def score(rows: NDArray[np.int64]) -> Tensor:
        codes = {name: of_all[rows] for name, of_all in values.items()}
        outputs = network(maker.latest(contexts.rows(rows), codes, users[rows], as_of))
        return score_catalogue(outputs.hidden, outputs.table, outputs.parts, precision=precision).squeeze(1)

    return in_pieces(maker.read_lengths(contexts), score, padded=padded)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Puts a network into evaluation mode until the end of the block, then back into the mode that it was in."""
    training = network.training
    if not any(module.training for module in network.modules()):
        # Telling each module so takes longer than looking.
        yield
        return
    network.eval()
    try:
        yield
    finally:
        network.train(training)


class CatalogueScorer:
    """A trained network behind the interface that the evaluation asks for.

    What depends on its parameters alone is computed once.

    Args:
        network: answers as it is now; in evaluation mode for each call.
        relations: its relations.
        maker: makes its batches.
    """

    def __init__(self, network: Network, relations: RelationSet, maker: InputMaker) -> None:
        self._trained, self._relations, self._maker = network, relations, maker
        with evaluating(network):
            self._network = prepared(network)

    @torch.no_grad()
    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        """Scores of every item, float32 `[b, items]`.

        Args:
            users: int64 `[b]`, training users.
            contexts: their histories, at least one interaction each.
        """
        codes = {name: user.codes[users] for name, user in self._relations.users.items()}
        with evaluating(self._trained):
            return catalogue_scores(self._network, self._maker, users, contexts, codes, padded=PADDED_PAIRS)
