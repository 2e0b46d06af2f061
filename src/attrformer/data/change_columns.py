"""From a table of changes to attributes of items that change in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import CHANGED, ITEM, TIMESTAMP, VALUE
from attrformer.csr import offsets_of
from attrformer.data.attribute_columns import attribute_from_column
from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.changing_attributes import ChangingAttribute, only_changes
from attrformer.data.id_map import IdMap
from attrformer.data.missing_words import missing_among_numbers
from attrformer.data.options import CHANGES, IGNORE
from attrformer.data.tables import Table, id_column, require_columns, rows_outside
from attrformer.data.times import times_of
from attrformer.errors import ConfigurationError, DataError

_KINDS: Final = (AttributeKind.CATEGORICAL, AttributeKind.NUMERIC)


def changed_columns(table: Table | None) -> list[str]:
    """What a table of changes is about, in order of the names; none where it lacks the column that says so."""
    if table is None or CHANGED not in table.frame.columns:
        return []
    return table.frame[CHANGED].drop_nulls().cast(pl.String).unique().sort().to_list()


def read_changes(
    table: Table | None,
    item_ids: IdMap,
    kinds: Mapping[str, AttributeKind | None],
    unknown: str,
    last: int | None,
    *,
    whole: bool = True,
) -> tuple[dict[str, ChangingAttribute], list[str], str]:
    """The attributes that a table of changes holds, sentences that say how it was read, and the order of its dates.

    Args:
        table: `item_id`, `timestamp`, `column`, `value`, one row for each change; None where there is none.
        item_ids: the catalogue.
        kinds: declared kinds by column; None for columns to be ignored.
        unknown: "raise" where a row may not be about an item outside the catalogue.
        last: time of the last interaction in seconds; None where interactions have no times.
        whole: whether nothing is known before, so that what an item has already need not be kept.

    Raises:
        DataError: a column or time is missing, or a value does not fit the kind of its column; or interactions have no
            times, so that nothing tells what held when.
        ConfigurationError: a kind is declared that values which change cannot have.
    """
    if table is None:
        return {}, [], ""
    require_columns(table, (ITEM, TIMESTAMP, CHANGED, VALUE))
    _check_kinds(kinds)
    if table.frame.is_empty():
        return {}, [], ""
    if last is None:
        raise DataError(
            "the interactions have no times, so nothing tells which value held at each of them",
            fix=f"Give the interactions a column '{TIMESTAMP}', or leave this table out",
            source=table.source,
        )
    ids = id_column(table, ITEM)
    codes = item_ids.encode(ids)
    notes = rows_outside(table, ITEM, ids, codes < 0, unknown)
    times = times_of(table.frame[TIMESTAMP], source=table.source, up=True, date_order=table.date_order)
    seconds = times.seconds.astype(np.int64)
    span = f"from {_day(seconds.min())} to {_day(seconds.max())}"
    notes.append(f"{table.label}: column '{TIMESTAMP}' holds {times.form}, {span}")
    rows = _Rows(table, codes.astype(np.int64), seconds, times.order, len(item_ids), whole)
    found, said = rows.attributes(kinds)
    if found and min(int(one.times.min()) for one in found.values()) > last:
        said.append(f"every change comes after the last interaction ({_day(last)}), so that none is known")
    return found, [*notes, *(f"{table.label}: {note}" for note in said)], times.date_order


class _Rows:
    """The rows of a table of changes.

    Args:
        table: the table.
        items: int64 `[rows]`, item codes.
        seconds: int64 `[rows]`, from when on the value holds.
        order: `[rows]`, the same in the table's own resolution.
        count: size of the catalogue.
        whole: whether nothing is known before.
    """

    def __init__(
        self,
        table: Table,
        items: NDArray[np.int64],
        seconds: NDArray[np.int64],
        order: NDArray[Any],
        count: int,
        whole: bool,
    ) -> None:
        self._table, self._items, self._seconds, self._order = table, items, seconds, order
        self._count, self._whole = count, whole

    def attributes(self, kinds: Mapping[str, AttributeKind | None]) -> tuple[dict[str, ChangingAttribute], list[str]]:
        """The attributes by name, and what is to be said of each column.

        Args:
            kinds: declared kinds by column; None for columns to be ignored.
        """
        found, notes, repeated = dict[str, ChangingAttribute](), list[str](), 0
        columns = id_column(self._table, CHANGED).cast(pl.String)
        for name, rows in _by_column(columns, np.flatnonzero(self._items >= 0)):
            read, why = self._attribute(name, rows, kinds)
            if read is None:
                notes.append(f"column '{name}' is not used, {why}")
                continue
            found[name], twice = read
            repeated += twice
            told = ", as it is declared" if name in kinds else ""
            items = int((np.diff(found[name].offsets) > 0).sum())
            changes = f"{len(found[name].times):,} changes of {items:,} items"
            notes.append(f"column '{name}' is read as {found[name].kind.value}, it changes in time: {changes}{told}")
        if repeated:
            rows_are = "row is" if repeated == 1 else "rows are"
            notes.append(f"{repeated:,} {rows_are} replaced by a later row with the same item, column and time")
        return found, notes

    def _attribute(
        self, name: str, rows: NDArray[np.int64], kinds: Mapping[str, AttributeKind | None]
    ) -> tuple[tuple[ChangingAttribute, int] | None, str]:
        """One attribute and how many rows a later one of the same time replaces, or why it is none."""
        if kinds.get(name, AttributeKind.CATEGORICAL) is None:
            return None, "as it is declared"
        # In order of time; of equal times the later row holds, which sorting leaves behind the earlier one.
        rows = rows[np.lexsort((self._order[rows], self._items[rows]))]
        items, seconds = self._items[rows], self._seconds[rows]
        last = np.ones(len(rows), dtype=bool)
        last[:-1] = (items[1:] != items[:-1]) | (seconds[1:] != seconds[:-1])
        rows = rows[last]
        values = self._table.frame[VALUE].gather(rows)
        kind = kinds.get(name) or _kind_of(values)
        if kind is None:
            return None, "it is empty"
        read = self._read(name, values, kind, rows)
        codes = np.full(len(rows) if kind is AttributeKind.CATEGORICAL else 0, -1, dtype=np.int32)
        if len(codes):
            codes[np.diff(read.offsets) > 0] = read.codes
        offsets = offsets_of(np.bincount(self._items[rows], minlength=self._count))
        made = ChangingAttribute(name, kind, offsets, self._seconds[rows], codes, read.vocabulary, read.numbers)
        made = only_changes(made) if self._whole else made
        return ((made, int((~last).sum())), "") if len(made.times) else (None, "it is empty")

    def _read(self, name: str, values: pl.Series, kind: AttributeKind, rows: NDArray[np.int64]) -> Attribute:
        table = Table(pl.DataFrame({VALUE: values}), self._table.source)
        every = np.arange(len(rows), dtype=np.int32)
        try:
            return attribute_from_column(table, VALUE, kind, every, len(rows))
        except DataError as error:
            raise DataError(
                f"{error.problem} (of '{name}')",
                fix=f"Correct the value, or declare another kind: kinds={{'{CHANGES}.{name}': 'categorical'}}",
                source=self._table.source,
                column=VALUE,
                row=None if error.row is None else int(rows[error.row]),
            ) from error


def _by_column(columns: pl.Series, used: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """The used rows of each column, ascending, by its name."""
    frame = pl.DataFrame({"column": columns.gather(used), "row": used})
    for key, part in sorted(frame.partition_by("column", as_dict=True).items()):
        yield str(key[0]), np.sort(part["row"].to_numpy())


def _kind_of(values: pl.Series) -> AttributeKind | None:
    """Numeric where every value that is there is a number; None where none is there."""
    kind = values.dtype
    if kind.is_numeric():
        known = values.fill_nan(None) if kind.is_float() else values
        return AttributeKind.NUMERIC if known.null_count() < len(known) else None
    if kind != pl.String and not isinstance(kind, (pl.Categorical, pl.Enum)):
        return AttributeKind.CATEGORICAL if values.null_count() < len(values) else None
    texts = values.cast(pl.String).str.strip_chars()
    texts = texts.set(missing_among_numbers(texts), None)
    if texts.null_count() == len(texts):
        return None
    numbers = texts.cast(pl.Float64, strict=False)
    return AttributeKind.NUMERIC if numbers.null_count() == texts.null_count() else AttributeKind.CATEGORICAL


def _check_kinds(kinds: Mapping[str, AttributeKind | None]) -> None:
    for name, kind in kinds.items():
        if kind is not None and kind not in _KINDS:
            allowed = ", ".join(f"'{one.value}'" for one in _KINDS)
            raise ConfigurationError(
                f"kinds declares '{name}' to be '{kind.value}', and what changes in time is one of {allowed}. "
                f"Use one of them, or '{IGNORE}'."
            )


def _day(seconds: int | np.int64) -> str:
    """A time as a day of UTC."""
    return str(np.datetime64(int(seconds), "s").astype("datetime64[D]"))
