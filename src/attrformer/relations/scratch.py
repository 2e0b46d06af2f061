"""Large arrays of counting: in memory where they fit, else in files without a name that go with the array."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from attrformer.data.mapped import array_in_file
from attrformer.errors import ConfigurationError

SHARE = 8
"""An array may take so small a part of the memory: there are several at a time, and the system keeps files in it."""

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")

_budget: ContextVar[int | None] = ContextVar("budget", default=None)


@contextmanager
def within_memory(gigabytes: float | None) -> Iterator[None]:
    """Lets `scratch_array` take more or less memory in a block of code.

    Args:
        gigabytes: in all; None for what the machine, or the container, has.
    """
    before = _budget.set(None if gigabytes is None else int(gigabytes * 1e9))
    try:
        yield
    finally:
        _budget.reset(before)


def memory_of_machine() -> int:
    """Bytes of memory of the machine, or of the container where that has a limit."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows knows no such thing.
        return 8 << 30
    for file in _LIMITS:
        try:
            found = min(found, int(Path(file).read_text(encoding="ascii")))
        except (OSError, ValueError):  # There is no such file, or it says "max".
            continue
    return found


def scratch_array(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros.

    Args:
        shape: of the array.
        dtype: of its values.

    Raises:
        ConfigurationError: it does not fit into memory, and the folder of temporary files has no room for it.
    """
    budget, size = _budget.get(), math.prod(shape) * np.dtype(dtype).itemsize
    if size <= (memory_of_machine() if budget is None else budget) // SHARE:
        return np.zeros(shape, dtype)
    folder = tempfile.gettempdir()
    try:
        return np.asarray(array_in_file(shape, dtype, folder))
    except OSError as error:
        raise ConfigurationError(
            f"Counting needs {size / 1e9:.1f} GB for a while, and '{folder}' has no room for them ({error.strerror}). "
            "Name a folder that has, by the environment variable TMPDIR, or allow more memory by relations.memory."
        ) from error
