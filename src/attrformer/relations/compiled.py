"""Whether counting is compiled: by numba, where that is installed and there is enough to count."""

from __future__ import annotations

from types import ModuleType

from attrformer.compiled import can_compile

LEAST_PAIRS = 1 << 27
"""Fewer pairs are counted before numba is imported and, in the first run, has compiled."""

PAIRS_OF_ROW = 200
"""A row takes plain code as long as so many pairs do."""


def kernels(pairs: int, rows: int) -> ModuleType | None:
    """The compiled functions; None where plain ones are to be used, whose results are the same.

    Args:
        pairs: how many there are to count.
        rows: that they are cut into.
    """
    if pairs + rows * PAIRS_OF_ROW < LEAST_PAIRS or not can_compile():
        return None
    from attrformer.relations import pair_kernels

    return pair_kernels
