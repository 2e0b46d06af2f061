"""Long histories read a few at a time, since what is said of every two of their positions fills the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PAIRS: Final = 4_000_000
"""Pairs of positions that are read together: a hundred histories of 200 interactions, or six of 800."""


def together(longest: int, pairs: int = PAIRS) -> int:
    """How many histories are read together, at least 1.

    Args:
        longest: interactions that are read of the longest of them.
        pairs: most pairs of positions.
    """
    return max(1, pairs // max(longest, 1) ** 2)


def pieces(lengths: NDArray[np.int64], most: int | None = None, pairs: int = PAIRS) -> Iterator[NDArray[np.int64]]:
    """Rows of histories that are read together, int64 each; every row is in one piece.

    Args:
        lengths: int64 `[b]`, how much of each history is read.
        most: most rows of a piece; None: as many as fit.
        pairs: most pairs of positions of a piece; a single history may have more.

    Yields:
        All rows in their order where they fit, else pieces of histories of similar length, the longest first.
    """
    most = len(lengths) if most is None else most
    if len(lengths) <= min(most, together(int(lengths.max(initial=1)), pairs)):
        yield np.arange(len(lengths))
        return
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        rows = order[start : start + min(most, together(int(lengths[order[start]]), pairs))]
        start += len(rows)
        yield rows


def in_pieces(lengths: NDArray[np.int64], score: Callable[[NDArray[np.int64]], Tensor], pairs: int = PAIRS) -> Tensor:
    """Scores of many histories, made of the scores of those that are read together.

    Args:
        lengths: int64 `[b]`, how much of each history is read.
        score: gives the scores `[r, items]` of the rows int64 `[r]` that it is asked for.
        pairs: most pairs of positions of a piece.

    Returns:
        `[b, items]`, rows in the order of `lengths`.
    """
    scores: Tensor | None = None
    for rows in pieces(lengths, pairs=pairs):
        found = score(rows)
        if len(rows) == len(lengths):
            return found
        if scores is None:
            scores = found.new_empty(len(lengths), found.shape[1])
        scores[torch.from_numpy(rows).to(found.device)] = found
    assert scores is not None
    return scores
