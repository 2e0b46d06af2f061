"""Changes of items in a running service: those of requests, and those of a file that it follows."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from attrformer.columns import CHANGED, ITEM, TIMESTAMP, VALUE
from attrformer.data.attributes import AttributeKind
from attrformer.data.missing_words import missing_among_numbers
from attrformer.errors import AttrFormerError, ConfigurationError
from attrformer.recommender import Recommender
from attrformer.recommender.changes import CHANGEABLE, date_order_of, kind_of, with_changes
from attrformer.server.added import Added
from attrformer.server.answering import Served
from attrformer.server.catalogue import Catalogue
from attrformer.server.changes_file import ChangesFile

Rows = list[dict[str, Any]]


class Full(Exception):
    """As many of something have been taken up as may be.

    Args:
        most: that may.
        left: that still may.
    """

    def __init__(self, most: int, left: int) -> None:
        super().__init__()
        self.most, self.left = most, left


class ChangesFull(Full):
    """As many changes have been taken up as may be."""


class Changes:
    """What a service knows of changes; to be asked by one thread at a time.

    Args:
        posted: those of requests, in a file.
        keeps: whether they are kept there.
        file: a table that is followed, or None.
        most: changes of requests that may be taken up.
    """

    def __init__(self, posted: Added, keeps: bool, file: Path | None, most: int) -> None:
        self._posted, self._keeps, self._most = posted, keeps, most
        self._file = None if file is None else ChangesFile(file)

    def onto(self, served: Served) -> Served:
        """A model that was just read, with all changes.

        Args:
            served: the model.

        Raises:
            CheckpointError: the file of posted changes is damaged.
            ConfigurationError: the file that is followed cannot be used.
        """
        served = self.caught_up(served) if self._keeps else served
        if self._file is None:
            return served
        return self._with_file(served, self._file.whole(date_order_of(served.model.fitted)))

    def caught_up(self, served: Served) -> Served:
        """The model with what other processes have taken up since.

        Args:
            served: the model.

        Raises:
            CheckpointError: the file of posted changes is damaged.
        """
        kept, taken = self._posted.since(served.changes_taken)
        rows = [row for request in kept for row in request]
        if not rows:
            return served
        model, lost = _carried(served.model, change_table(rows))
        counts = {"changes": served.changes + len(rows), "changes_lost": served.changes_lost + lost}
        return _answering(served, model, changes_taken=taken, **counts)

    def with_rows(self, served: Served, rows: Rows, new_columns: bool) -> Served:
        """The model with the changes of a request, which are kept.

        Args:
            served: the model.
            rows: item_id, timestamp, column and value of each.
            new_columns: whether columns that the model does not have may be among them.

        Raises:
            ChangesFull: as many have been taken up as may be.
            AttrFormerError: they cannot be taken up; none is then.
        """
        left = self._most - served.changes
        if len(rows) > left:
            raise ChangesFull(self._most, max(0, left))
        _require_columns(served.model, {row[CHANGED] for row in rows}, new_columns)
        model = copy.copy(served.model)
        model._fitted = with_changes(model.fitted, change_table(rows), tell=_nothing)
        taken = self._posted.append(rows) if self._keeps else 0
        return _answering(served, model, changes=served.changes + len(rows), changes_taken=taken)

    def followed(self, served: Served) -> Served:
        """The model with what has changed in the file that is followed.

        Args:
            served: the model.

        Raises:
            ConfigurationError: the file cannot be used as it is; it is read again when it has changed.
        """
        news = None if self._file is None else self._file.news(date_order_of(served.model.fitted))
        return served if news is None or news.is_empty() else self._with_file(served, news)

    def forget(self) -> None:
        """Has the file that is followed read as a whole at the next look: the model that had it does not answer."""
        if self._file is not None:
            self._file.forget()

    def of_added(self, served: Served, rows: Rows) -> Served:
        """The model with what the file that is followed says of items that were just added.

        Args:
            served: the model, with the items.
            rows: of the items, with item_id.
        """
        told = None if self._file is None else self._file.of(str(row[ITEM]) for row in rows)
        if told is None or told.is_empty():
            return served
        model, lost = _carried(served.model, told)
        # They were counted as lost when the file was read.
        return _answering(served, model, changes_lost=served.changes_lost - len(told) + lost)

    def _with_file(self, served: Served, frame: pl.DataFrame) -> Served:
        model, lost = _carried(served.model, frame)
        return _answering(served, model, changes_lost=served.changes_lost + lost)


def change_table(rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """Changes as a table of text and times.

    Args:
        rows: item_id, timestamp, column and value of each.
    """
    listed = list(rows)
    return pl.DataFrame(
        {
            ITEM: pl.Series([str(row[ITEM]) for row in listed], dtype=pl.String),
            TIMESTAMP: pl.Series([row[TIMESTAMP] for row in listed], dtype=pl.Int64),
            CHANGED: pl.Series([row[CHANGED] for row in listed], dtype=pl.String),
            VALUE: pl.Series([_text(row[VALUE]) for row in listed], dtype=pl.String),
        }
    )


def _text(value: Any) -> str | None:
    """A value as a table of text has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def _answering(served: Served, model: Recommender, **fields: Any) -> Served:
    # Where only rules read what has changed, the catalogue of the page is as it was.
    same = model.fitted.relations is served.model.fitted.relations
    return replace(served, model=model, catalogue=served.catalogue if same else Catalogue(model.fitted), **fields)


def _require_columns(model: Recommender, names: set[str], new: bool) -> None:
    for name in sorted(names):
        kind = kind_of(model.fitted, name)
        if kind is None and not new:
            values = model.fitted.knowledge.item_values
            there = [] if values is None else list(values.columns)
            near = difflib.get_close_matches(name, there, n=1)
            advice = f"Did you mean '{near[0]}'? " if near else ""
            raise ConfigurationError(f"The model has no column '{name}'. {advice}Send new_columns to have it in rules.")
        if kind is not None and kind not in CHANGEABLE:
            raise ConfigurationError(f"'{name}' is {kind.value}. Numbers and single values can change in a service.")


def _carried(model: Recommender, table: pl.DataFrame) -> tuple[Recommender, int]:
    """A copy of the model with the changes that it can take, and how many it cannot."""
    ids = model.fitted.knowledge.item_ids
    known = table.filter(pl.Series(ids.encode(ids.in_own_type(table[ITEM])) >= 0))
    model = copy.copy(model)
    taken = _taken(model, known.filter(_fitting(model, known)))
    return model, len(table) - taken


def _fitting(model: Recommender, table: pl.DataFrame) -> pl.Series:
    """Which changes have a column, and a value, that the model can take, bool `[rows]`."""
    kinds = {name: kind_of(model.fitted, name) for name in table[CHANGED].drop_nulls().unique().to_list()}
    numeric = [name for name, kind in kinds.items() if kind is AttributeKind.NUMERIC]
    fixed = [name for name, kind in kinds.items() if kind is not None and kind not in CHANGEABLE]
    texts = table[VALUE].str.strip_chars()
    number = texts.cast(pl.Float64, strict=False).is_not_null() | texts.is_null() | missing_among_numbers(texts)
    columns = table[CHANGED]
    fits: pl.Series = columns.is_not_null() & ~columns.is_in(fixed) & (number | ~columns.is_in(numeric))
    return fits.fill_null(False)


def _taken(model: Recommender, table: pl.DataFrame) -> int:
    """How many of some changes could be taken up; the few that could not are found by halves."""
    if table.is_empty():
        return 0
    try:
        model._fitted = with_changes(model.fitted, table, tell=_nothing)
    except ConfigurationError:
        # The model takes no changes at all.
        return 0
    except AttrFormerError:
        half = len(table) // 2
        return _taken(model, table[:half]) + _taken(model, table[half:]) if half else 0
    return len(table)


def _nothing(_: str) -> None:
    """Columns are looked at before; those of earlier requests and of files are taken as they are."""
