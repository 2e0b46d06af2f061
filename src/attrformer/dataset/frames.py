"""The door: tables of any frame library come in as polars, results go out in the library of the user."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, Final

import narwhals as nw
import polars as pl

from attrformer.errors import DataError
from attrformer.processes import require_own_process

_PARQUET: Final = frozenset({".parquet", ".pq"})
_SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
_INTEGER: Final = r"^-?(0|[1-9][0-9]*)$"
_FLOAT: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?(nan|NaN|NAN|inf|Inf|INF)$"
_CONVERSION_ERRORS: Final = (nw.exceptions.NarwhalsError, pl.exceptions.PolarsError, TypeError, ValueError)


def library_of(table: object) -> str:
    """The name of the frame library of a table.

    Args:
        table: a frame of any library, a path, or None.

    Returns:
        "pandas" or "pyarrow"; "polars" for everything else.
    """
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
    try:
        native = nw.from_native(table)
        frame = native.collect() if isinstance(native, nw.LazyFrame) else native
        polars = _eager_to_polars(frame)
    except _CONVERSION_ERRORS as error:
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
        # polars' own conversion needs pyarrow, which pandas itself does not.
        columns = {column.name: column.to_list() if column.dtype.is_nested() else column.to_numpy() for column in frame}
        return nw.Implementation.PANDAS.to_native_namespace().DataFrame(columns)
    return frame


def read_table(path: Path | str, *, encoding: str = "utf-8") -> pl.DataFrame:
    """The table in a parquet, csv or tsv file.

    Columns of a csv file are integers, numbers or booleans where every value reads as one, and text otherwise; digits
    with a leading zero (post codes, product codes) stay text.

    Args:
        path: the file; its ending says the format.
        encoding: of a csv file.

    Raises:
        DataError: the file is absent, of another format, damaged or in another encoding.
    """
    path = Path(path)
    ending = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if not path.is_file():
        raise DataError("there is no such file", fix="Check the path", source=str(path))
    try:
        if path.suffix in _PARQUET:
            return pl.read_parquet(path)
        if ending in _SEPARATORS:
            return _read_text(path, _SEPARATORS[ending], encoding)
    except (pl.exceptions.PolarsError, OSError, EOFError) as error:
        raise DataError(
            f"it cannot be read ({_first_line(error)})", fix="Write the file again or repair it", source=str(path)
        ) from error
    raise DataError(
        f"the ending '{path.suffix}' is not known", fix="Give a .parquet, .csv or .tsv file", source=str(path)
    )


def _read_text(path: Path, separator: str, encoding: str) -> pl.DataFrame:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except LookupError as error:
        raise DataError(
            f"the encoding '{encoding}' is not known", fix="Use a name such as 'utf-8' or 'latin-1'", source=str(path)
        ) from error
    except UnicodeDecodeError as error:
        raise _encoding_error(str(path), data, separator, error) from error
    raw = pl.read_csv(text.encode(), separator=separator, infer_schema=False)
    return raw.select(_typed(column) for column in raw)


def _eager_to_polars(frame: nw.DataFrame[Any]) -> pl.DataFrame:
    try:
        return frame.to_polars()
    except ImportError:
        columns = {}
        for name in frame.columns:
            missing = frame[name].is_null().to_list()
            values = [None if gap else value for value, gap in zip(frame[name].to_list(), missing, strict=True)]
            columns[name] = pl.Series(name, values)
        return pl.DataFrame(columns)


def _integers_with_gaps(frame: pl.DataFrame) -> pl.DataFrame:
    """Integers again where pandas turned them into floats to hold a missing value."""
    restored = []
    for column in frame:
        if column.dtype.is_float() and column.null_count():
            whole = column.cast(pl.Int64, strict=False)
            if whole.null_count() == column.null_count() and bool((whole.cast(column.dtype) == column).all()):
                restored.append(whole)
    return frame.with_columns(restored)


def _typed(column: pl.Series) -> pl.Series:
    known = column.drop_nulls()
    if known.is_empty():
        return column
    if known.str.contains(_INTEGER).all():
        integers = column.cast(pl.Int64, strict=False)
        return integers if integers.null_count() == column.null_count() else column
    if known.str.contains(_FLOAT).all() and not known.str.contains(r"^0[0-9]").any():
        numbers = column.cast(pl.Float64, strict=False)
        return numbers if numbers.null_count() == column.null_count() else column
    if known.str.to_lowercase().is_in(["true", "false"]).all():
        return column.str.to_lowercase() == "true"
    return column


def _encoding_error(source: str, data: bytes, separator: str, error: UnicodeDecodeError) -> DataError:
    line = data.count(b"\n", 0, error.start)
    line_start = data.rfind(b"\n", 0, error.start) + 1
    header = data.split(b"\n", 1)[0].decode(error.encoding, errors="replace").strip().split(separator)
    field = data[line_start : error.start].count(separator.encode())
    return DataError(
        f"the text is not {error.encoding.upper()}",
        fix="Save the file as UTF-8, or name its encoding (encoding='latin-1' is a common one)",
        source=source,
        column=header[field].strip('"') if line and field < len(header) else None,
        row=line - 1 if line else None,
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
