"""Keeps freed memory in the process, so that large short-lived tensors do not cost page faults."""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_THRESHOLD = -3


def keep_freed_memory() -> bool:
    """Tells the C library to reuse freed blocks instead of returning them to the system.

    Each block of logits is a few megabytes and lives for milliseconds; by default glibc maps and unmaps it every time,
    and the page faults take a quarter of a training step (docs/lab-notes.md). Does nothing where the C library is
    another one.

    Returns:
        Whether the setting was taken.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    wanted = {M_MMAP_THRESHOLD: 1 << 30, M_TRIM_THRESHOLD: (1 << 31) - 1, M_TOP_PAD: 1 << 26}
    return all([mallopt(option, value) == 1 for option, value in wanted.items()])
