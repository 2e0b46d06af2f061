"""The order of recommended items: higher scores first, equal scores in the order of the catalogue.

It is the same wherever a list is made. `evaluation.ranks.best_columns` says it for blocks of tensors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def best_places(scores: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Places of the k best scores, equal scores by place; scores of -inf are never among them.

    Args:
        scores: floating `[n]`, without NaN.
        k: how many are wanted; fewer come back where there are fewer.

    Returns:
        int64, at most k, best first.
    """
    places = np.arange(len(scores))
    if 0 < k < len(scores):
        # All that reach the k-th score stay, so that equal ones are sorted out below.
        places = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
    places = places[scores[places] > -np.inf]
    return places[np.argsort(-scores[places], kind="stable")[: max(k, 0)]]
