"""A table of changes, or of values of now, that a service follows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import polars as pl

from attrformer.columns import CHANGED, ITEM, TIMESTAMP, TITLE, VALUE
from attrformer.data.tables import Table, id_column, open_table, require_columns
from attrformer.data.times import times_of
from attrformer.errors import AttrFormerError, ConfigurationError, DataError

_KEYS = (ITEM, TIMESTAMP, CHANGED, VALUE)


class ChangesFile:
    """A file that others write.

    With a column `column` or `timestamp` it is a table of changes. Else it has `item_id` and a column for each
    attribute, whose values hold from the time on at which the file was written.

    Args:
        path: csv or parquet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, int, int] | None = None
        self._before: pl.DataFrame | None = None

    def whole(self, date_order: str | None = None) -> pl.DataFrame:
        """All of its changes: item_id, timestamp in seconds, column and value as text.

        Args:
            date_order: what stands first in dates such as 05/11/2019; None: what all of them allow.

        Raises:
            ConfigurationError: it cannot be used.
        """
        try:
            state = self._path.stat()
            self._read = state.st_ino, state.st_mtime_ns, state.st_size
            table = open_table(self._path, "item_changes", {}, mapped_by=())
            found = self._changes(replace(table, date_order=date_order), int(state.st_mtime))
        except OSError as error:
            raise ConfigurationError(
                f"{self._path} cannot be read ({error.strerror or error}). Correct --changes-file, or write the table."
            ) from error
        except AttrFormerError as error:
            raise ConfigurationError(f"{self._path} cannot be used. {error}") from error
        self._before = found
        return found

    def news(self, date_order: str | None = None) -> pl.DataFrame | None:
        """What was not in it before; None where the file is the same.

        Args:
            date_order: as `whole` takes it.

        Raises:
            ConfigurationError: it cannot be used as it is.
        """
        try:
            state = self._path.stat()
        except OSError:
            # It is being replaced.
            return None
        if (state.st_ino, state.st_mtime_ns, state.st_size) == self._read:
            return None
        before, found = self._before, self.whole(date_order)
        if before is None:
            return found
        # Values of now have another time whenever the file is written: only other values are changes.
        keys = list(_KEYS) if self._timed else [ITEM, CHANGED, VALUE]
        return found.join(before, on=keys, how="anti", nulls_equal=True, maintain_order="left")

    def forget(self) -> None:
        """Has all of it count as news at the next look: what was read last came to nothing."""
        self._read = self._before = None

    def of(self, items: Iterable[str]) -> pl.DataFrame | None:
        """What it said of some items when it was read last; None where it has not been read.

        Args:
            items: their ids as text.
        """
        return None if self._before is None else self._before.filter(pl.col(ITEM).is_in(list(items)))

    def _changes(self, table: Table, written: int) -> pl.DataFrame:
        require_columns(table, (ITEM,))
        frame = table.frame.with_columns(id_column(table, ITEM).cast(pl.String).rename(ITEM))
        self._timed = CHANGED in frame.columns or TIMESTAMP in frame.columns
        if self._timed:
            require_columns(table, _KEYS)
            _require_single(table, (VALUE,))
            times = times_of(frame[TIMESTAMP], source=table.source, up=True, date_order=table.date_order)
            return frame.with_columns(pl.Series(TIMESTAMP, times.seconds)).select(
                ITEM, pl.col(TIMESTAMP).cast(pl.Int64), pl.col(CHANGED, VALUE).cast(pl.String)
            )
        values = [name for name in frame.columns if name not in (ITEM, TITLE)]
        _require_single(table, values)
        long = frame.select(ITEM, pl.col(values).cast(pl.String)).unpivot(
            index=ITEM, variable_name=CHANGED, value_name=VALUE
        )
        return long.with_columns(pl.lit(written, dtype=pl.Int64).alias(TIMESTAMP)).select(_KEYS)


def _require_single(table: Table, names: Iterable[str]) -> None:
    for name in names:
        kind = table.frame[name].dtype
        if kind.is_nested() or kind in (pl.Binary, pl.Object):
            raise DataError(
                f"values of type {kind} cannot change",
                fix="Leave the column out, or give numbers or texts",
                source=table.source,
                column=name,
            )
