"""The distinct ids of a column in parts, and in how many rows each stands."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

COUNT: Final = "rows"
"""Column of tables of ids: in how many rows an id stands."""

_SPREAD: Final = 16
"""Whole numbers are counted in an array of all between them while there are at most so many for each of them."""


class IdCounts:
    """Ids that are counted part by part."""

    def __init__(self) -> None:
        self._sums: dict[pl.DataType, pl.DataFrame] = {}
        self._waiting: dict[pl.DataType, list[pl.DataFrame]] = {}
        self._low, self._close = 0, np.zeros(0, dtype=np.int64)

    def add(self, ids: pl.Series, rows: pl.Series | None = None) -> None:
        """Counts ids.

        Args:
            ids: whole numbers or texts `[n]`.
            rows: in how many rows each stands, whole numbers `[n]`; in one where that is not given.
        """
        ids = ids.cast(pl.Int64) if ids.dtype.is_integer() else ids
        rows = None if rows is None else rows.cast(pl.Int64)
        if not len(ids) or (
            ids.dtype.is_integer() and self._add_close(ids.to_numpy(), 1 if rows is None else rows.to_numpy())
        ):
            return
        each = pl.lit(1, pl.Int64) if rows is None else rows
        waiting = self._waiting.setdefault(ids.dtype, [])
        waiting.append(_sums(pl.DataFrame({"id": ids}).with_columns(each.alias(COUNT))))
        sums = self._sums.get(ids.dtype, waiting[0].clear())
        if sum(map(len, waiting)) > 2 * len(sums):
            self._sums[ids.dtype] = _sums(pl.concat([sums, *waiting]))
            waiting.clear()

    def _add_close(self, ids: NDArray[np.int64], rows: NDArray[Any] | int) -> bool:
        """Counts whole numbers in one array, if they are close together."""
        low, high = int(ids.min()), int(ids.max())
        if len(self._close):
            low, high = min(low, self._low), max(high, self._low + len(self._close) - 1)
        if high - low >= len(self._close):
            # Rows may repeat ids that others have counted already: these would allow any memory.
            if high - low >= _SPREAD * (len(ids) + np.count_nonzero(self._close)):
                return False
            wider = np.zeros(high - low + 1, dtype=np.int64)
            wider[self._low - low :][: len(self._close)] = self._close
            self._low, self._close = low, wider
        np.add.at(self._close, ids - low, rows)
        return True

    def table(self) -> pl.DataFrame:
        """The distinct ids and their numbers of rows.

        Ids are int64 where all are whole numbers, else texts, of which those that were texts come in the order in which
        they first stand there.
        """
        close = np.flatnonzero(self._close)
        counted = pl.DataFrame({"id": close + self._low, COUNT: self._close[close]})
        others = [*self._sums.values(), *(table for waiting in self._waiting.values() for table in waiting)]
        if not others:
            return counted
        kind = pl.String if any(table.schema["id"] == pl.String for table in others) else pl.Int64
        return _sums(pl.concat([table.with_columns(pl.col("id").cast(kind)) for table in (counted, *others)]))


def _sums(counts: pl.DataFrame) -> pl.DataFrame:
    return counts.group_by("id", maintain_order=counts.schema["id"] == pl.String).agg(pl.col(COUNT).sum())
