"""Interactions of an update that the model has counted before."""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError, DataError, KnownInteractionsWarning

ACTIONS: Final = ("warn", "count", "skip", "raise")


def check_action(action: str) -> None:
    """Refuses what is no value of `on_known`.

    Raises:
        ConfigurationError: it is none.
    """
    if action not in ACTIONS:
        raise ConfigurationError(f"on_known is {action!r}. Use one of: {', '.join(ACTIONS)}.")


def without_known(
    old: Sequences, new: Sequences, rows: NDArray[np.int64], action: str, source: str
) -> tuple[Sequences, NDArray[np.int64]]:
    """The further interactions that are to be counted, and whose they are.

    Args:
        old: histories; users that are not among their rows are new.
        new: further interactions in the same item codes.
        rows: int64, the user of each row of `new`.
        action: what becomes of those that are known: "count" them again, "warn" and count them, "skip" them, or
            "raise" an error.
        source: the table, for error messages.

    Raises:
        DataError: some are known and the action is "raise".
    """
    if action == "count":
        return new, rows
    known = known_interactions(old, new, rows)
    count = int(known.sum())
    if not count:
        return new, rows
    how = "the same user, item and time" if _timed(old, new) else "what the histories of their users end with"
    told = f"{count:,} of {len(known):,} interactions are known already ({how})"
    if action == "raise":
        raise DataError(told, fix="Give new ones only, or pass on_known='skip' or 'count'", source=source)
    if action == "warn":
        text = f"{source}: {told} and are counted again. Pass on_known='skip' to leave them out."
        warnings.warn(KnownInteractionsWarning(count, len(known), text), stacklevel=4)
        return new, rows
    lengths = np.bincount(new.row_of_position()[~known], minlength=len(new))
    return new.select(np.flatnonzero(~known), offsets_of(lengths)), rows


def known_interactions(old: Sequences, new: Sequences, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the further interactions the histories hold, bool `[n]`.

    With times these are the ones of the same user, item and time. Without times nothing tells a repetition from a
    second delivery; then they are those that a user's further interactions begin with and the history ends with.

    Args:
        old: histories; users that are not among their rows are new.
        new: further interactions in the same item codes.
        rows: int64, the user of each row of `new`.
    """
    among = np.flatnonzero(rows < len(old))
    if _timed(old, new):
        owners = rows[new.row_of_position()]
        stored = old.rows(np.unique(rows[among]))
        keys = _keys(np.unique(rows[among])[stored.row_of_position()], stored).unique().with_columns(known=True)
        found = _keys(owners, new).join(keys, on=["user", "item", "time"], how="left", maintain_order="left")
        return found["known"].fill_null(False).to_numpy()
    known = np.zeros(len(new.items), dtype=bool)
    for row in among:
        begin = int(new.offsets[row])
        known[begin : begin + _overlap(old.row(int(rows[row])).tolist(), new.row(int(row)).tolist())] = True
    return known


def _timed(old: Sequences, new: Sequences) -> bool:
    return old.times is not None and new.times is not None


def _keys(owners: NDArray[np.int64], sequences: Sequences) -> pl.DataFrame:
    return pl.DataFrame({"user": owners, "item": sequences.items.astype(np.int64), "time": sequences.times})


def _overlap(before: list[int], after: list[int]) -> int:
    """Length of the longest end of one list that is the beginning of the other."""
    # The prefix function of Knuth, Morris and Pratt; -1 is no item, so that nothing reaches over the seam.
    text = [*after, -1, *before[-len(after) :]] if after else []
    borders = [0] * len(text)
    for place in range(1, len(text)):
        length = borders[place - 1]
        while length and text[place] != text[length]:
            length = borders[length - 1]
        borders[place] = length + (text[place] == text[length])
    return borders[-1] if borders else 0
