"""Scores of items with all parts, and the best of them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.nn.losses import Outputs
from attrformer.ordering import best_places
from attrformer.recommender.choice import Choice
from attrformer.retrieval.compiled import CompiledContribution

Codes = NDArray[np.int64]
Values = NDArray[np.float32]


def scores(items: Codes, hidden: Values, table: Values, contributions: list[CompiledContribution]) -> Values:
    """The scores of some items with all parts, float32 `[n]`.

    Args:
        items: int64 `[n]`.
        hidden: float32 `[d]`.
        table: float32 `[items, d]`, the whole catalogue.
        contributions: the relations.
    """
    total = products(items, hidden, table)
    for contribution in contributions:
        total += contribution.at(items)
    return total


def products(items: Codes, hidden: Values, table: Values) -> Values:
    """The content parts of some items, float32 `[n]`; equal vectors have equal ones wherever they stand.

    Args:
        items: int64 `[n]`.
        hidden: float32 `[d]`.
        table: float32 `[items, d]`, the whole catalogue.
    """
    # A product of matrix and vector would round the last rows of a block in another way than those before them.
    found: Values = np.einsum("nd,d->n", table.take(items, axis=0), hidden)
    return found


def allowed(items: Codes, choice: Choice, history: NDArray[np.int32]) -> Codes:
    """Those of some items that may be recommended, in their order.

    Args:
        items: int64 `[n]`, ascending.
        choice: what may be recommended.
        history: item codes of the history.
    """
    kept = np.ones(len(items), dtype=bool)
    if not len(items):
        return items
    for closed in (history if choice.hide_seen else None, choice.excluded):
        if closed is not None:
            place = np.minimum(np.searchsorted(items, closed), len(items) - 1)
            kept[place[items[place] == closed]] = False
    return items[kept]


def best(items: Codes, values: Values, k: int) -> tuple[Codes, Values]:
    """The k best items with their scores, equal scores in the order of the catalogue.

    Args:
        items: int64 `[n]`, ascending.
        values: float32 `[n]`, their scores.
        k: items wanted.
    """
    places = best_places(values, k)
    return items[places], values[places]


@torch.no_grad()
def catalogue_scores(outputs: Outputs) -> Tensor:
    """Scores of the whole catalogue, float32 `[b, items]`, without a copy of the item vectors.

    Args:
        outputs: of the network, for one place in each history.
    """
    total = outputs.hidden @ outputs.table.t()
    for part, inputs in outputs.parts:
        part.block(slice(None), inputs).add_to(total)
    return total.squeeze(1)
