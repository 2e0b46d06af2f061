"""Ranked lists, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.columns import ITEM, RANK, SCORE, USER
from attrformer.evaluation.ranks import best_columns
from attrformer.recommender.arguments import truth_value, whole_number
from attrformer.recommender.popularity import popularity_scores
from attrformer.recommender.requests import Group, Request
from attrformer.recommender.state import ModelState

Codes = NDArray[np.int64]

_ELEMENTS = 1 << 23
"""Scores in memory at a time."""

_MOST = 256
"""Histories answered together where the catalogue is small."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What may be recommended, and how much of it.

    Args:
        k: items for each.
        hide_seen: leave out what the history holds.
        candidates: item codes to choose from, or None for the whole catalogue.
        excluded: item codes never to choose, or None.

    Raises:
        ConfigurationError: k is no whole number from 1 on, or `hide_seen` neither True nor False.
    """

    k: int
    hide_seen: bool = True
    candidates: Codes | None = None
    excluded: Codes | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", whole_number(self.k, "k"))
        object.__setattr__(self, "hide_seen", truth_value(self.hide_seen, "hide_seen"))

    def mask(self, scores: Tensor, group: Group) -> None:
        """-inf for what may not be chosen, in place.

        Args:
            scores: `[b, items]`.
            group: whose scores they are.
        """
        if self.candidates is not None:
            outside = torch.ones(scores.shape[1], dtype=torch.bool, device=scores.device)
            outside[torch.from_numpy(self.candidates).to(scores.device)] = False
            scores.masked_fill_(outside, -torch.inf)
        if self.excluded is not None:
            scores[:, torch.from_numpy(self.excluded).to(scores.device)] = -torch.inf
        if self.hide_seen and group.contexts is not None:
            rows, items = group.contexts.row_of_position(), group.contexts.items.astype(np.int64)
            scores[torch.from_numpy(rows).to(scores.device), torch.from_numpy(items).to(scores.device)] = -torch.inf


def best_items(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best items of each row, equal scores in the order of the catalogue; -inf is never among them.

    Args:
        scores: `[b, items]`.
        k: items wanted, at least 1.

    Returns:
        Rows and item codes, two int64 tensors of equal length, rows ascending, best items first.
    """
    values, items = best_columns(scores, min(k, scores.shape[1]))
    rows, places = (values > -torch.inf).nonzero(as_tuple=True)
    return rows, items[rows, places]


def recommend(fitted: ModelState, request: Request, choice: Choice) -> pl.DataFrame:
    """`user_id, item_id, score, rank`, users in the order of the request, best items first.

    Args:
        fitted: the model.
        request: the users to answer.
        choice: what may be recommended.
    """
    found = [recommend_block(fitted, request, block, choice) for block in blocks(fitted, len(request))]
    return joined(fitted, request, found)


def joined(fitted: ModelState, request: Request, found: list[pl.DataFrame]) -> pl.DataFrame:
    """The answers of some blocks of a request as one table; an empty one where there is no block."""
    if not found:
        nobody = np.empty(0, dtype=np.int64)
        return answers(fitted, request, nobody, nobody, np.empty(0, dtype=np.float32))
    return found[0] if len(found) == 1 else pl.concat(found)


def recommend_block(fitted: ModelState, request: Request, block: Codes, choice: Choice) -> pl.DataFrame:
    """The same for some places of the request, ascending, all in memory at a time."""
    owners, chosen, values = [], [], []
    for group in request.groups(fitted, block):
        scores = scores_of(fitted, request, group)
        choice.mask(scores, group)
        rows, items = best_items(scores, choice.k)
        owners.append(group.places[rows.cpu().numpy()])
        chosen.append(items.cpu().numpy())
        values.append(scores[rows, items].cpu().numpy())
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return answers(fitted, request, owner[order], np.concatenate(chosen)[order], np.concatenate(values)[order])


def scores_of(fitted: ModelState, request: Request, group: Group) -> Tensor:
    """Scores of every item, float32 `[b, items]`: of the network, or by popularity for those without a history."""
    values = request.values_at(fitted, group.places)
    if group.contexts is None:
        return popularity_scores(fitted, len(group.places), values)
    return fitted.score(request.users[group.places], group.contexts, values, request.as_of)


def answers(
    fitted: ModelState, request: Request, owner: Codes, items: Codes, scores: NDArray[np.float32]
) -> pl.DataFrame:
    """`user_id, item_id, score, rank` of answers that stand in their order.

    Args:
        fitted: the model.
        request: the users they answer.
        owner: int64 `[n]`, places in the request, ascending.
        items: int64 `[n]`, item codes.
        scores: float32 `[n]`.
    """
    counts = np.bincount(owner)
    return pl.DataFrame(
        {
            USER: request.names[owner],
            ITEM: fitted.knowledge.item_ids.decode(items),
            SCORE: scores,
            RANK: np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner] + 1,
        }
    )


def blocks(fitted: ModelState, count: int, most: int = _MOST) -> Iterator[Codes]:
    """The places of a request, as many at a time as can be answered together.

    Args:
        fitted: the model.
        count: how many there are.
        most: most places of a block.
    """
    size = max(1, min(most, _MOST, _ELEMENTS // max(1, fitted.relations.n_items)))
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


def places_within(rows: Tensor, count: int) -> Tensor:
    """Place of each entry within its row, for rows in ascending order.

    Args:
        rows: int64 `[n]`.
        count: number of rows.
    """
    counts = torch.bincount(rows, minlength=count)
    return torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
