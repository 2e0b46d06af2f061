"""Where splits cut the interactions: at a user's last events, or at points in time."""

from __future__ import annotations

import math
from datetime import datetime, timezone

import numpy as np
from numpy.typing import NDArray

from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError


def last_events(
    sequences: Sequences, chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The last two events of each user that has two and an interaction before them.

    Args:
        sequences: one row for each user.
        chosen: bool `[m]`, the events.

    Returns:
        These users, where the training of every user ends, and the positions of the two events of these users.
    """
    starts, stops = sequences.offsets[:-1], sequences.offsets[1:]
    events = np.flatnonzero(chosen)
    # Events are in the order of users, so that a user's last two are before the first of the next user.
    ends = np.searchsorted(events, stops)
    enough = ends - np.searchsorted(events, starts) >= 2
    enough[enough] = events[ends[enough] - 2] > starts[enough]
    users = np.flatnonzero(enough)
    first, last = events[ends[users] - 2], events[ends[users] - 1]
    until = stops.copy()
    until[users] = first
    return users, until, first, last


def windows_of(times: NDArray[np.int64], validation: float, test: float) -> NDArray[np.int8]:
    """The window of each interaction under a time split by shares: 0 training, 1 validation, 2 test.

    Args:
        times: of all interactions.
        validation: share of the interactions before the validation window.
        test: share before the test window.
    """
    return windows_between(times, seconds_of(validation, times), seconds_of(test, times))


def windows_between(times: NDArray[np.int64], begin: int, middle: int) -> NDArray[np.int8]:
    """The window of each interaction: 0 training, 1 validation, 2 test.

    Args:
        times: of the interactions, in seconds since 1970.
        begin: where validation starts.
        middle: where the test starts.
    """
    return (times >= begin).astype(np.int8) + (times >= middle).astype(np.int8)


def seconds_of(value: float | int | datetime, times: NDArray[np.int64]) -> int:
    """A point in time, in seconds since 1970.

    Args:
        value: a share of the interactions before it, seconds since 1970, or a datetime (UTC where it has no zone).
        times: of all interactions.

    Raises:
        ConfigurationError: it is a float, but not between 0 and 1.
    """
    if isinstance(value, datetime):
        return math.ceil((value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp())
    if isinstance(value, bool) or (isinstance(value, float) and not 0 < value < 1):
        raise ConfigurationError(f"{value} is no share between 0 and 1. Give one, integer seconds or a datetime.")
    return int(np.quantile(times, value, method="higher")) if isinstance(value, float) else int(value)
