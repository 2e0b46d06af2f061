"""Processes that a launcher has started become ranks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from attrformer.errors import ConfigurationError, RankError
from attrformer.ranks.base import ALONE, Ranks
from attrformer.ranks.exchange import JoinedRanks

LAUNCHED: Final = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables that a launcher sets for each process."""

TIMEOUT: Final = "ATTRFORMER_RANK_TIMEOUT"
"""Variable with the seconds after which a rank that does not answer is given up."""

_SECONDS: Final = 600.0

_current: Ranks = ALONE
_has_joined = False


def has_joined() -> bool:
    """Whether this process has made a group with others, at any time."""
    return _has_joined


def current() -> Ranks:
    """The ranks that this process has joined; a single one outside of `joined`."""
    return _current


@contextmanager
def joined() -> Iterator[Ranks]:
    """Joins the ranks that a launcher has started, so that `fit` trains one model on all of them.

    Every rank has to make the same calls. Without a launcher, or with one process, this does nothing.

    Yields:
        The ranks.

    Raises:
        ConfigurationError: the launcher or this installation of torch cannot be used.
        RankError: another rank did not come or was lost.
    """
    global _current
    if not all(os.environ.get(name) for name in LAUNCHED) or os.environ["WORLD_SIZE"] == "1":
        yield ALONE
        return
    ranks = _join()
    _current = ranks
    try:
        yield ranks
        ranks.leave()
    finally:
        _current = ALONE
        ranks.close()


def _join() -> JoinedRanks:
    global _has_joined
    import torch
    import torch.distributed as dist

    local = int(os.environ.get("LOCAL_RANK", 0))
    if torch.cuda.is_available():
        if local >= torch.cuda.device_count():
            raise ConfigurationError(
                f"Rank {os.environ['RANK']} has no device of its own: this machine has {torch.cuda.device_count()}. "
                "Start as many processes as there are devices."
            )
        torch.cuda.set_device(local)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    made = not dist.is_initialized()
    if made:
        try:
            dist.init_process_group(backend, timeout=timedelta(seconds=_timeout()))
            _has_joined = True
        except (RuntimeError, ValueError) as error:
            raise RankError(f"Rank {os.environ['RANK']} could not join the others ({error}).") from error
    return JoinedRanks(local, made)


def _timeout() -> float:
    given = os.environ.get(TIMEOUT)
    if not given:
        return _SECONDS
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise ConfigurationError(f"{TIMEOUT} is '{given}'. Give seconds, a number above 0.")
    return seconds
