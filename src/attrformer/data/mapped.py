"""Room for arrays that are made of arrays mapped from files: in files as well, where they are large."""

from __future__ import annotations

import math
import os
import tempfile
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from attrformer.errors import WriteError

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

    Raises:
        WriteError: the folder for temporary files has no room for it.
    """
    size = count * values.itemsize
    if not isinstance(values, np.memmap) or size < _LARGE:
        return np.empty(count, dtype=values.dtype)
    folder = tempfile.gettempdir()
    try:
        return array_in_file((count,), values.dtype, folder)
    except OSError as error:
        raise WriteError(
            f"A part of the log needs {size / 1e9:.1f} GB for a while, and '{folder}' has no room for them "
            f"({error.strerror}). Name a folder that has, by the environment variable TMPDIR."
        ) from error


def array_in_file(shape: tuple[int, ...], dtype: DTypeLike, folder: str) -> np.memmap[Any, Any]:
    """An array of zeros in a file without a name, which is gone once nobody holds the array, also with the process.

    Args:
        shape: of the array.
        dtype: of its values.
        folder: that the file is in.

    Raises:
        OSError: the folder has no room for it.
    """
    with tempfile.TemporaryFile(prefix="attrformer-", dir=folder) as file:
        _reserve(file.fileno(), math.prod(shape) * np.dtype(dtype).itemsize)
        return np.memmap(file, dtype, "r+", shape=shape)


def _reserve(file: int, size: int) -> None:
    """Takes the room at once: a file that cannot grow would end the process only when it is written to."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    zeros = bytes(1 << 24)
    for start in range(0, size, len(zeros)):
        os.write(file, zeros[: size - start])
