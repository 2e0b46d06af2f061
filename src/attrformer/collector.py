"""Python's garbage collector, which is not to look again and again through objects that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_left_alone = False


@contextmanager
def spared() -> Iterator[None]:
    """Imports in this block are not looked through; nothing changes where the caller has turned collections off.

    Torch, polars and numba make many objects, and all of them stay. Looking through them takes a fifth of the time of
    their imports.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        # Freezing moves objects unread, and unfreezing to the oldest generation. What a caller has frozen stays so.
        if _left_alone:
            gc.freeze()
        elif not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        gc.enable()


@contextmanager
def left_alone() -> Iterator[None]:
    """Objects that are there already are left alone until the end of the block, and collected as before afterwards.

    Nothing changes where the caller has turned collections off or has frozen objects.
    """
    global _left_alone
    if not gc.isenabled() or gc.get_freeze_count():
        yield
        return
    # What has been dropped lately is not to stay for as long.
    gc.collect(1)
    gc.freeze()
    _left_alone = True
    try:
        yield
    finally:
        _left_alone = False
        gc.unfreeze()
