"""Tables in files: parquet, Arrow, delimited text and JSON lines."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from attrformer.columns import ITEM, RELATION, SOURCE_ITEM, TARGET_ITEM, TIMESTAMP, TITLE, USER
from attrformer.data.json_tables import read_json_table
from attrformer.data.text_columns import TextProfile, column_as, is_whole, profile_of, told_of
from attrformer.errors import DataError

IDS: Final = frozenset({USER, ITEM, SOURCE_ITEM, TARGET_ITEM})

_UNTYPED: Final = IDS | {TITLE, RELATION, TIMESTAMP}
PARQUET: Final = (".parquet", ".pq")
ARROW: Final = (".feather", ".arrow", ".ipc")
SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
_JSON: Final = (".jsonl", ".ndjson", ".json")
_PACKED: Final = tuple(f"{ending}.gz" for ending in (*SEPARATORS, *_JSON))
ENDINGS: Final = (*PARQUET, *ARROW, *SEPARATORS, *_JSON, *_PACKED)
"""Of files that can be read, the preferred first."""

TABLE_NAMES: Final = ("interactions", "items", "users", "item_relations", "item_changes")

_OTHERS: Final = {"\t": "tabs", ";": "semicolons", "|": "|", ",": "commas", " ": "blanks"}
_HEADER: Final = 1 << 20
_DAMAGED: Final = (pl.exceptions.PolarsError, OSError, EOFError, zlib.error, csv.Error, OverflowError)


@dataclass(frozen=True, slots=True)
class TableFile:
    """What a file holds.

    Args:
        frame: its table.
        text: whether ids are texts that may stand for numbers.
        notes: sentences that say which words were read as missing.
    """

    frame: pl.DataFrame
    text: bool = False
    notes: tuple[str, ...] = ()


def read_table(path: Path | str, *, encoding: str = "utf-8") -> pl.DataFrame:
    """The table in a parquet, Arrow, csv, tsv or JSON lines file.

    Columns of a csv file are integers, numbers or booleans where every value reads as one or is a word for a missing
    value, and text otherwise; digits with a leading zero (post codes, product codes) stay text. Ids are integers only
    where all of them are plain whole numbers, and titles stay text.

    Args:
        path: the file; its ending says the format.
        encoding: of a csv file.

    Raises:
        DataError: the file is absent, of another format, damaged or in another encoding.
    """
    found = read_file(path, encoding=encoding)
    if not found.text:
        return found.frame
    ids = [found.frame[name] for name in IDS & set(found.frame.columns)]
    return found.frame.with_columns(values.cast(pl.Int64) for values in ids if is_whole(values.drop_nulls()))


def read_file(path: Path | str, *, encoding: str = "utf-8", columns: Mapping[str, str] | None = None) -> TableFile:
    """What `read_table` gives, with ids as they stand in the file, and what is to be said of it.

    Args:
        path: the file; its ending says the format.
        encoding: of a csv file.
        columns: canonical column name to the one in the file.

    Raises:
        DataError: as `read_table`.
    """
    path = Path(path)
    parts = parts_of(path)
    ending = PARQUET[0] if parts else ending_of(path)
    if not path.is_file() and not parts:
        raise DataError("there is no such file", fix="Check the path", source=str(path))
    if ending is None:
        known = ", ".join(ENDINGS)
        raise DataError(f"the ending '{path.suffix}' is not known", fix=f"Give one of {known}", source=str(path))
    try:
        return _read(path, ending, encoding, columns or {})
    except _DAMAGED as error:
        problem = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DataError(
            f"it cannot be read ({problem})", fix="Write the file again or repair it", source=str(path)
        ) from error


def ending_of(path: Path) -> str | None:
    """The ending of a file, one of `ENDINGS` in lower case; None for other files."""
    name = path.name.lower()
    return next((ending for ending in sorted(ENDINGS, key=len, reverse=True) if name.endswith(ending)), None)


def parts_of(path: Path) -> list[Path]:
    """The files of a parquet table that is a folder of them, in order; none where it is something else.

    Args:
        path: a folder with the ending of a parquet file, as Spark and Dask write it, or with the bare name of a table.
    """
    if (ending_of(path) not in PARQUET and path.name.lower() not in TABLE_NAMES) or not path.is_dir():
        return []
    inside = (file for file in path.iterdir() if file.is_file() and not file.name.startswith(("_", ".")))
    return sorted(file for file in inside if ending_of(file) in PARQUET)


def _read(path: Path, ending: str, encoding: str, columns: Mapping[str, str]) -> TableFile:
    if path.is_dir():
        return TableFile(pl.read_parquet(parts_of(path), glob=False, missing_columns="insert"))
    if ending in PARQUET:
        return TableFile(_with_named_range(pl.read_parquet(path), pl.read_parquet_metadata(path).get("pandas")))
    if ending in ARROW:
        return TableFile(pl.read_ipc(path))
    plain = ending.removesuffix(".gz")
    data = gzip.decompress(path.read_bytes()) if ending != plain else path.read_bytes()
    if plain in _JSON:
        return TableFile(read_json_table(data, IDS | {columns[name] for name in IDS & set(columns)}, str(path)))
    raw = read_texts(path, data, SEPARATORS[plain], encoding)
    untyped = untyped_in(columns)
    return typed_table(raw, columns, {text.name: profile_of(text) for text in raw if text.name not in untyped})


def _with_named_range(frame: pl.DataFrame, metadata: str | None) -> pl.DataFrame:
    """A parquet table with the named index of pandas that counts evenly, which is in the metadata of the file alone."""
    try:
        levels = json.loads(metadata or "{}").get("index_columns", [])
        ranges = [
            level for level in levels if isinstance(level, dict) and level.get("kind") == "range" and level["name"]
        ]
        counted = {level["name"]: range(level["start"], level["stop"], level["step"]) for level in ranges}
    except (ValueError, TypeError, KeyError, AttributeError):
        return frame
    columns = [pl.Series(name, values) for name, values in counted.items() if len(values) == len(frame)]
    return frame.with_columns(column for column in columns if column.name not in frame.columns)


def read_texts(path: Path, data: bytes, separator: str, encoding: str) -> pl.DataFrame:
    """The table that delimited text holds, every value as it stands there.

    Args:
        path: of the file, for errors.
        data: the text, or the header and a part of it.
        separator: between two values.
        encoding: of the text.

    Raises:
        DataError: it is no such table.
    """
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except LookupError as error:
        raise DataError(
            f"the encoding '{encoding}' is not known", fix="Use a name such as 'utf-8' or 'latin-1'", source=str(path)
        ) from error
    except UnicodeDecodeError as error:
        raise _encoding_error(str(path), data, separator, error) from error
    text = text.removeprefix(f"sep={separator}\r\n").removeprefix(f"sep={separator}\n")
    _refuse_other_separator(text, separator, str(path))
    try:
        raw = pl.read_csv(text.encode(), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError:
        _refuse_ragged(text, separator, str(path))
        raise
    return _without_blank_lines(raw.rename(_headings(raw.columns, text, separator, str(path))))


def untyped_in(columns: Mapping[str, str]) -> frozenset[str]:
    """The columns of a text file whose texts stay as they are until it is known what all tables hold.

    Args:
        columns: canonical column name to the one in the file.
    """
    return _UNTYPED | {columns[name] for name in _UNTYPED & set(columns)}


def typed_table(raw: pl.DataFrame, columns: Mapping[str, str], profiles: Mapping[str, TextProfile]) -> TableFile:
    """A table of texts, or a part of it, with the types of the whole.

    Args:
        raw: texts as they stand in the file.
        columns: canonical column name to the one in the file.
        profiles: of all columns but those of `untyped_in`.
    """
    untyped = untyped_in(columns)
    typed = {text.name: text if text.name in untyped else column_as(text, profiles[text.name]) for text in raw}
    notes = [told_of(name, profiles[name]) for name in raw.columns if name not in untyped]
    return TableFile(pl.DataFrame(typed), text=True, notes=tuple(note for note in notes if note is not None))


def _headings(given: Collection[str], text: str, separator: str, source: str) -> dict[str, str]:
    """New names of columns: without blanks around them, and blank where polars numbered repeated blank ones.

    Raises:
        DataError: two columns have one name.
    """
    words = [word.strip() for word in next(csv.reader(io.StringIO(text[:_HEADER]), delimiter=separator), [])]
    if len(words) != len(given):
        return {}
    blank, names = 0, dict[str, str]()
    for old, new in zip(given, words, strict=True):
        if new and new in names.values():
            raise DataError("the column stands twice in the header", fix="Rename one", source=source, column=new)
        # Columns without a name need different ones all the same; they are left out later.
        names[old] = new or f"{'' if not blank else f'Unnamed: {blank}'}"
        blank += not new
    return {old: new for old, new in names.items() if old != new}


def _refuse_other_separator(text: str, separator: str, source: str) -> None:
    """Refuses a table whose columns are separated by something else than its ending says.

    Raises:
        DataError: the header is one word that holds another separator.
    """
    header = next((line for line in text[:_HEADER].splitlines() if line.strip()), "")
    mark = next((words for sign, words in _OTHERS.items() if sign in header and sign != separator), None)
    if mark is not None and separator not in header:
        raise DataError(
            f"its columns are separated by {mark}", fix="Write a .csv with commas, or a .tsv with tabs", source=source
        )


def _refuse_ragged(text: str, separator: str, source: str) -> None:
    """Names the first row that has more fields than the header, if that is what went wrong.

    Raises:
        DataError: there is one.
    """
    rows = filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    width = len(next(rows, []))
    for number, row in enumerate(rows):
        if len(row) > width:
            raise DataError(
                f"it has {len(row)} fields and the header {width}",
                fix="Put quotes around values that hold the separator, and give every column a name",
                source=source,
                row=number,
            )


def _without_blank_lines(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows that hold anything."""
    first = frame.to_series(0)
    if not first.null_count():
        return frame
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def _encoding_error(source: str, data: bytes, separator: str, error: UnicodeDecodeError) -> DataError:
    line = data.count(b"\n", 0, error.start)
    line_start = data.rfind(b"\n", 0, error.start) + 1
    header = data.split(b"\n", 1)[0].decode(error.encoding, errors="replace").strip().split(separator)
    field = data[line_start : error.start].count(separator.encode())
    return DataError(
        f"the text is not {error.encoding.upper()}",
        fix="Save the file as UTF-8 (iconv -f latin1 -t utf-8), or name its encoding in Python (encoding='latin-1')",
        source=source,
        column=header[field].strip('"') if line and field < len(header) else None,
        row=line - 1 if line else None,
    )
