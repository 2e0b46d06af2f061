"""Whether counting is compiled: by numba, where that is installed and there is enough to count."""

from __future__ import annotations

import importlib.util
from types import ModuleType

LEAST_PAIRS = 1 << 26
"""Fewer pairs are counted before numba is imported and has compiled."""


def kernels(pairs: int) -> ModuleType | None:
    """The compiled functions; None where plain ones are to be used, whose results are the same.

    Args:
        pairs: how many there are to count.
    """
    if pairs < LEAST_PAIRS or importlib.util.find_spec("numba") is None:
        return None
    from attrformer.relations import pair_kernels

    return pair_kernels
