"""Room for arrays that are made of arrays mapped from files: in files as well, where they are large."""

from __future__ import annotations

import tempfile
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 1 << 22
"""Values that are moved at a time."""

_LARGE: Final = 1 << 27
"""Bytes from which on an array made of a mapped one is mapped, too."""


def room_like(values: NDArray[Any], count: int) -> NDArray[Any]:
    """An array to be filled with values of another one.

    It is in a file without a name in the folder for temporary files, which is gone with the array, where the other is
    mapped from a file and this one is large: the system then gives its memory back where that is short.

    Args:
        values: the other one, of one dimension.
        count: how many values it takes.
    """
    if not isinstance(values, np.memmap) or count * values.itemsize < _LARGE:
        return np.empty(count, dtype=values.dtype)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=values.dtype, mode="w+", shape=(count,))
