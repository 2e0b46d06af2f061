"""Scores of the items that one of several ranks owns, where each holds its own rows of the item table alone.

All ranks score the same histories. Rows of the items in these are fetched from their owners, and what relations add is
computed for the own items only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from attrformer.data.sequences import Sequences
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.models.inputs import PADDED_PAIRS, InputMaker, in_pieces
from attrformer.models.network import Network
from attrformer.models.scorer import InferenceNetwork, evaluating
from attrformer.nn.batch import Batch
from attrformer.nn.candidates import Candidates, forget, placed
from attrformer.nn.fetched import fetch, from_owners, rows_of
from attrformer.nn.fused_loss import score_catalogue
from attrformer.nn.losses import Outputs
from attrformer.ranks import Ranks
from attrformer.relations.relation_set import RelationSet

AT_ONCE: Final = 1 << 17
"""Own items that are scored together, so that copies of their rows take little memory."""


class KnownRows(nn.Module):
    """Representations of the own items, computed once, in place of the module that computes them.

    Args:
        known: `[own, d]`.
    """

    def __init__(self, known: Tensor) -> None:
        super().__init__()
        self.known = nn.Parameter(known, requires_grad=False)

    def rows(self, items: Tensor) -> Tensor:
        """See `ItemTable.rows`; the rows have been fetched."""
        return rows_of(self.known, items)


class ShardScorer:
    """A network in training behind the interface that the evaluation asks for; every rank makes the same calls.

    Args:
        network: whose `ITEM_PARAMETERS` hold the rows of this rank; it stays as it is while it is scored.
        relations: its relations.
        maker: makes its batches.
        ranks: that hold the other rows.
    """

    @torch.no_grad()
    def __init__(self, network: Network, relations: RelationSet, maker: InputMaker, ranks: Ranks) -> None:
        self._trained, self._relations, self._maker, self._ranks = network, relations, maker, ranks
        self._items, self._own = relations.n_items, ranks.rows(relations.n_items)
        self._network, self._parameters = network, [network.get_parameter(name) for name in network.ITEM_PARAMETERS]
        device = next(network.parameters()).device
        self._places = torch.full((self._items + 1,), self._items + 1, dtype=torch.int32, device=device)
        for parameter in self._parameters:
            fetch(parameter, parameter.data)
        self._known = network.item_rows(torch.arange(self._own.start, self._own.stop, device=device))
        if self._known is not None and type(network) is AttrFormerNetwork:
            table = KnownRows(self._known)
            self._network, self._parameters = InferenceNetwork(network, table), [table.known]

    @torch.no_grad()
    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        """Scores of the items that this rank owns, float32 `[b, own]`.

        Args:
            users: int64 `[b]`, training users.
            contexts: their histories, at least one interaction each.
        """

        def score(rows: NDArray[np.int64]) -> Tensor:
            codes = {name: user.codes[users[rows]] for name, user in self._relations.users.items()}
            return self._scores(self._maker.latest(contexts.rows(rows), codes, users[rows]))

        with evaluating(self._trained):
            return in_pieces(self._maker.read_lengths(contexts), score, padded=PADDED_PAIRS)

    def _scores(self, batch: Batch) -> Tensor:
        read = torch.unique(torch.cat([batch.items.flatten(), self._network.items_read(batch).flatten()]))
        read = read[read < self._items]
        rows = [from_owners(parameter.data, read, self._own, self._ranks) for parameter in self._parameters]
        said = None if self._known is None else self._before_scores(batch, read, rows)
        scores = [torch.empty(len(batch.items), 0, device=read.device)]
        for start in range(self._own.start, self._own.stop, AT_ONCE):
            stop = min(start + AT_ONCE, self._own.stop)
            here = slice(start - self._own.start, stop - self._own.start)
            # Relations may count on finding the items of the histories among the candidates.
            other = (read < start) | (read >= stop)
            with self._candidates(torch.cat([torch.arange(start, stop, device=read.device), read[other]])) as some:
                if said is not None and self._known is not None:
                    table = F.pad(self._known[here], (0, 0, 0, some.count - (stop - start)))
                    outputs = said.among(some, table)
                else:
                    for parameter, fetched in zip(self._parameters, rows, strict=True):
                        fetch(parameter, torch.cat([parameter.data[here], fetched[other]]))
                    outputs = self._network(batch, some)
                found = score_catalogue(outputs.hidden, outputs.table, outputs.parts)
            scores.append(found[:, 0, : stop - start])
        return torch.cat(scores, 1)

    def _before_scores(self, batch: Batch, read: Tensor, rows: list[Tensor]) -> Outputs:
        for parameter, fetched in zip(self._parameters, rows, strict=True):
            fetch(parameter, fetched)
        with self._candidates(read) as some:
            return self._network.before_scores(batch, some)

    @contextmanager
    def _candidates(self, items: Tensor) -> Iterator[Candidates]:
        candidates = placed(items, self._places)
        yield candidates
        forget(candidates)
