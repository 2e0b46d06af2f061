"""The door: tables of any frame library come in as polars, results go out in the library of the user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from attrformer.data.parts_of_tables import wide_decimals
from attrformer.data.python_values import series_of
from attrformer.data.table_files import read_table
from attrformer.errors import DataError
from attrformer.processes import require_own_process

if TYPE_CHECKING:
    import narwhals as nw

_LARGEST_WHOLE: Final = 2**53
_UNREADABLE: Final = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    TypeError,
    ValueError,
    OverflowError,
    NotImplementedError,
    KeyError,
)


def library_of(table: object) -> str:
    """The name of the frame library of a table.

    Args:
        table: a frame of any library, a path, or None.

    Returns:
        "pandas" or "pyarrow"; "polars" for everything else.
    """
    # Here and below: a program that only asks a model never needs it.
    import narwhals as nw

    if nw.dependencies.is_pandas_dataframe(table):
        return "pandas"
    return "pyarrow" if nw.dependencies.is_pyarrow_table(table) else "polars"


def to_polars(table: Any, *, source: str = "table") -> pl.DataFrame:
    """A table of any frame library, or of a file, as a polars frame.

    Args:
        table: a pandas, polars or Arrow table, anything else that narwhals knows, or the path of a parquet or csv file.
        source: what error messages call it.

    Raises:
        DataError: it is no table, or has columns that polars cannot hold.
    """
    require_own_process()
    if isinstance(table, (str, Path)):
        return read_table(table)
    if isinstance(table, pl.DataFrame):
        return table
    import narwhals as nw

    _refuse_wide_decimals(table, source)
    try:
        native = nw.from_native(_with_plain_columns(_with_named_index(table)))
        frame = native.collect() if isinstance(native, nw.LazyFrame) else native
        polars = _eager_to_polars(frame)
    except (nw.exceptions.NarwhalsError, *_UNREADABLE) as error:
        _refuse_mixed_types(table, source, error)
        _refuse_column(table, source)
        raise DataError(
            f"this is a {type(table).__name__} that cannot be read as a table ({_first_line(error)})",
            fix="Pass a pandas, polars or Arrow table with distinct column names, or the path of a parquet or csv file",
            source=source,
        ) from error
    return _integers_with_gaps(polars) if library_of(table) == "pandas" else polars


def native_like(frame: pl.DataFrame, like: Any) -> Any:
    """A result in the frame library that the user works with.

    Args:
        frame: the result.
        like: a table of the wanted library, or its name ("pandas", "pyarrow", "polars"); None means polars.

    Returns:
        A table of that library; polars where the library is another one.
    """
    library = like if isinstance(like, str) else library_of(like)
    if library == "pyarrow":
        return frame.to_arrow()
    if library == "pandas":
        import narwhals as nw

        # polars' own conversion needs pyarrow, which pandas itself does not.
        columns = {column.name: column.to_list() if column.dtype.is_nested() else column.to_numpy() for column in frame}
        return nw.Implementation.PANDAS.to_native_namespace().DataFrame(columns)
    return frame


def _with_named_index(table: Any) -> Any:
    """A pandas table with the levels of its index that have a name as columns, as they are in a file of it."""
    if library_of(table) != "pandas":
        return table
    named = [level for level, name in enumerate(table.index.names) if name is not None and name not in table.columns]
    return table.reset_index(level=named) if named else table


def _with_plain_columns(table: Any) -> Any:
    """A pandas table whose sparse columns are plain ones."""
    if library_of(table) != "pandas" or table.columns.has_duplicates:
        return table
    sparse = [name for name, kind in table.dtypes.items() if str(kind).startswith("Sparse[")]
    return table.astype({name: table[name].dtype.subtype for name in sparse})


def _eager_to_polars(frame: nw.DataFrame[Any]) -> pl.DataFrame:
    try:
        return frame.to_polars()
    except ImportError:
        columns = {}
        for name in frame.columns:
            missing = frame[name].is_null().to_list()
            values = [None if gap else value for value, gap in zip(frame[name].to_list(), missing, strict=True)]
            columns[name] = series_of(name, values)
        return pl.DataFrame(columns)


def _integers_with_gaps(frame: pl.DataFrame) -> pl.DataFrame:
    """Integers again where pandas turned them into floats to hold a missing value."""
    restored = []
    for column in frame:
        if column.dtype.is_float() and column.null_count():
            whole = column.cast(pl.Int64, strict=False)
            exact = float(column.abs().max() or 0) < _LARGEST_WHOLE  # type: ignore[arg-type]
            if exact and whole.null_count() == column.null_count() and bool((whole.cast(column.dtype) == column).all()):
                restored.append(whole)
    return frame.with_columns(restored)


def _refuse_wide_decimals(table: Any, source: str) -> None:
    """Names the first column of an Arrow table that holds decimals of 256 bits, at which Polars ends in panic.

    Raises:
        DataError: there is such a column.
    """
    fields = table.schema if library_of(table) == "pyarrow" else ()
    wide = next((field.name for field in fields if "decimal256" in str(field.type)), None)
    if wide is not None:
        raise wide_decimals(source, wide)


def _refuse_mixed_types(table: Any, source: str, error: Exception) -> None:
    """Names the first row of a pandas column that holds texts beside numbers, if that is what went wrong.

    Raises:
        DataError: there is such a column.
    """
    if library_of(table) != "pandas" or table.columns.has_duplicates:
        return
    for name in table.columns:
        missing = table[name].isna()
        kinds = table[name][~missing].map(lambda value: isinstance(value, (str, bytes))).to_numpy()
        odd = np.flatnonzero(kinds != kinds[0]) if len(kinds) else np.empty(0, np.int64)
        if not len(odd):
            continue
        rows = np.flatnonzero(~missing.to_numpy())
        first, other = table[name].iloc[rows[0]], table[name].iloc[rows[odd[0]]]
        plain = all(isinstance(value, (str, bytes, int, float)) for value in (first, other))
        raise DataError(
            f"{'text and numbers' if plain else 'values of several types'} are mixed ({first!r} in row {rows[0]}, "
            f"{other!r} in row {rows[odd[0]]})",
            fix=f"Make all of them text (astype(str)) or all of them {'numbers' if plain else 'lists'}",
            source=source,
            column=str(name),
            row=int(rows[odd[0]]),
        ) from error


def _refuse_column(table: Any, source: str) -> None:
    """Names the first column of a pandas or Arrow table that cannot be read by itself, if that is what went wrong.

    Raises:
        DataError: there is such a column.
    """
    library = library_of(table)
    if library == "polars" or (library == "pandas" and table.columns.has_duplicates):
        return
    import narwhals as nw

    for name in table.columns if library == "pandas" else dict.fromkeys(table.column_names):
        try:
            _eager_to_polars(nw.from_native(table[[name]] if library == "pandas" else table.select([name])))
        except _UNREADABLE as error:
            raise DataError(
                f"its values cannot be read as a column ({_first_line(error)})",
                fix="Give values of one type, such as lists of floats or texts, and None where one is missing",
                source=source,
                column=str(name),
            ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
