"""Ranked lists, block by block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.columns import ITEM, RANK, SCORE, USER
from attrformer.recommender.choice import Choice as Choice
from attrformer.recommender.lists import marks_of
from attrformer.recommender.masking import best_items as best_items
from attrformer.recommender.popularity import popularity_scores
from attrformer.recommender.requests import Group, Request
from attrformer.recommender.ruled_lists import listed
from attrformer.recommender.state import ModelState
from attrformer.training.device import keep_freed_memory

Codes = NDArray[np.int64]
_Lists = tuple[Codes, Codes, NDArray[np.float32]]

_ELEMENTS = 1 << 23
"""Scores in memory at a time."""

_MOST = 512
"""Histories answered together where the catalogue is small."""

_MANY = 2048
"""Histories from which on memory that was freed is kept for the next ones."""


def recommend(fitted: ModelState, request: Request, choice: Choice, places: Codes | None = None) -> pl.DataFrame:
    """`user_id, item_id, score, rank`, users in the order of the request, best items first.

    Args:
        fitted: the model.
        request: the users to answer.
        choice: what may be recommended.
        places: int64, ascending, whom of the request to answer; all of them where None.
    """
    every = np.arange(len(request)) if places is None else places
    if len(request) >= _MANY:
        # Scores of a block are freed when the next one needs as much; a tenth of the time went into mapping them anew.
        keep_freed_memory()
    found = [_lists(fitted, request, block, choice) for block in blocks_of_like_length(fitted, request, every)]
    return _in_order(fitted, request, found, choice)


def joined(
    fitted: ModelState, request: Request, found: list[pl.DataFrame], choice: Choice | None = None
) -> pl.DataFrame:
    """The answers of some blocks of a request as one table; an empty one where there is no block."""
    if not found:
        nobody = np.empty(0, dtype=np.int64)
        return answers(fitted, request, nobody, nobody, np.empty(0, dtype=np.float32), choice)
    return found[0] if len(found) == 1 else pl.concat(found)


def recommend_block(fitted: ModelState, request: Request, block: Codes, choice: Choice) -> pl.DataFrame:
    """The same for some places of the request, ascending, all in memory at a time."""
    return _in_order(fitted, request, [_lists(fitted, request, block, choice)], choice)


def _lists(fitted: ModelState, request: Request, block: Codes, choice: Choice) -> _Lists:
    """Places in the request, item codes and scores of some people's lists; those of one place stand together."""
    owners, chosen, values = [], [], []
    for group in request.groups(fitted, block):
        rows, items, scores = listed(fitted, choice, scores_of(fitted, request, group), group)
        owners.append(group.places[rows.cpu().numpy()])
        chosen.append(items.cpu().numpy())
        values.append(scores.cpu().numpy())
    return np.concatenate(owners), np.concatenate(chosen), np.concatenate(values)


def _in_order(fitted: ModelState, request: Request, found: list[_Lists], choice: Choice) -> pl.DataFrame:
    """The lists as one table, in the order of the request."""
    if not found:
        return joined(fitted, request, [], choice)
    owner, items, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(owner, kind="stable")
    return answers(fitted, request, owner[order], items[order], scores[order], choice)


def scores_of(fitted: ModelState, request: Request, group: Group) -> Tensor:
    """Scores of every item, float32 `[b, items]`: of the network, or by popularity for those without a history."""
    values = request.values_at(fitted, group.places)
    if group.contexts is None:
        return popularity_scores(fitted, len(group.places), values)
    return fitted.score(request.users[group.places], group.contexts, values, request.as_of)


def answers(
    fitted: ModelState,
    request: Request,
    owner: Codes,
    items: Codes,
    scores: NDArray[np.float32],
    choice: Choice | None = None,
) -> pl.DataFrame:
    """`user_id, item_id, score, rank` of answers that stand in their order, and what their rules mark.

    Args:
        fitted: the model.
        request: the users they answer.
        owner: int64 `[n]`, places in the request, ascending.
        items: int64 `[n]`, item codes.
        scores: float32 `[n]`.
        choice: what they were chosen by.
    """
    counts = np.bincount(owner)
    rank = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner] + 1
    return pl.DataFrame(
        {
            USER: request.names[owner],
            ITEM: fitted.knowledge.item_ids.decode(items),
            SCORE: scores,
            RANK: rank,
            **marks_of(choice, items),
        }
    )


def block_size(fitted: ModelState) -> int:
    """How many people are answered together, at least 1."""
    return max(1, min(_MOST, _ELEMENTS // max(1, fitted.relations.n_items)))


def blocks(fitted: ModelState, count: int, most: int = _MOST) -> Iterator[Codes]:
    """The places of a request, as many at a time as can be answered together.

    Args:
        fitted: the model.
        count: how many there are.
        most: most places of a block.
    """
    size = max(1, min(most, block_size(fitted)))
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


def blocks_of_like_length(fitted: ModelState, request: Request, places: Codes) -> Iterator[Codes]:
    """Some places of a request, as many at a time as can be answered together, those with histories of like length.

    A history costs as much as the longest one beside it: in the order of the request that is many times its own length.

    Args:
        fitted: the model.
        request: the users to answer.
        places: int64, ascending.

    Yields:
        Places, int64, ascending in each block; the longest histories first.
    """
    size = block_size(fitted)
    if len(places) > size:
        lengths = fitted.read_lengths(request.lengths(fitted, places))
        places = places[np.argsort(-lengths, kind="stable")]
    for start in range(0, len(places), size):
        yield np.sort(places[start : start + size])


def places_within(rows: Tensor, count: int) -> Tensor:
    """Place of each entry within its row, for rows in ascending order.

    Args:
        rows: int64 `[n]`.
        count: number of rows.
    """
    counts = torch.bincount(rows, minlength=count)
    return torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
