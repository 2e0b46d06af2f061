"""Refuses calls in a forked process, where they would hang.

The thread pools of PyTorch and polars do not survive a fork.
"""

from __future__ import annotations

import os

from attrformer.errors import ForkedProcessError

_used_in: int | None = None
"""The process that first used a table or a model; a child of a fork inherits the number of its parent."""


def require_own_process() -> None:
    """Remembers the process at the first call, and refuses to go on in a child that was forked from it later.

    Raises:
        ForkedProcessError: this is such a child.
    """
    global _used_in
    if _used_in is None:
        _used_in = os.getpid()
    if _used_in != os.getpid():
        raise ForkedProcessError(
            f"Process {os.getpid()} was forked after process {_used_in} had used tables or models. The threads of "
            "PyTorch and polars do not survive a fork, and this call would hang. Load the model in each worker after "
            "the fork, and not before it: gunicorn without --preload, multiprocessing with 'spawn'."
        )
