"""A choice applied to scores, and the best of these."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from attrformer.evaluation.ranks import best_columns
from attrformer.recommender.choice import Choice
from attrformer.recommender.requests import Group

FEW: Final = 16
"""Where one item in so many is closed, or fewer, they are named, so that not all scores are gone through."""


def mask(scores: Tensor, choice: Choice, group: Group) -> None:
    """-inf for what may not be chosen, in place.

    Args:
        scores: `[b, items]`.
        choice: what may be recommended.
        group: whose scores they are.
    """
    closed = choice.closed_to_all(scores.shape[1])
    if closed is not None and FEW * closed.sum() < len(closed):
        scores[:, torch.from_numpy(np.flatnonzero(closed)).to(scores.device)] = -torch.inf
    elif closed is not None:
        scores.masked_fill_(torch.from_numpy(closed).to(scores.device), -torch.inf)
    if choice.hide_seen and group.contexts is not None:
        rows, items = group.contexts.row_of_position(), group.contexts.items.astype(np.int64)
        if group.contexts.seen is not None:
            rows, items = rows[group.contexts.seen], items[group.contexts.seen]
        scores[torch.from_numpy(rows).to(scores.device), torch.from_numpy(items).to(scores.device)] = -torch.inf
    for row, place in enumerate(group.places.tolist() if choice.own_candidates or choice.own_excluded else ()):
        own = choice.closed_for(place, scores.shape[1])
        if own is not None:
            scores[row].masked_fill_(torch.from_numpy(own).to(scores.device), -torch.inf)


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
