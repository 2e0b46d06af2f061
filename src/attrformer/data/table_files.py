"""Tables in files: parquet, Arrow, delimited text and JSON lines."""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from attrformer.columns import ITEM, RELATION, SOURCE_ITEM, TARGET_ITEM, TIMESTAMP, TITLE, USER
from attrformer.data.json_tables import read_json_table
from attrformer.data.packed_files import check_content, is_stream, text_of
from attrformer.data.parts_of_tables import refuse_column, refuse_mixed_ids, same_columns
from attrformer.data.table_paths import (
    ARROW,
    ENDINGS,
    JSON,
    SEPARATORS,
    files_in,
    form_of,
    partitions_of,
    unpacked_ending,
)
from attrformer.data.text_columns import TextProfile, column_as, is_whole, profile_of, told_of, typed_column
from attrformer.data.text_tables import PLAIN, TextForm, header_line, read_texts, separator_of
from attrformer.errors import DataError

IDS: Final = frozenset({USER, ITEM, SOURCE_ITEM, TARGET_ITEM})

_UNTYPED: Final = IDS | {TITLE, RELATION, TIMESTAMP}
_DAMAGED: Final = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    OSError,
    EOFError,
    zlib.error,
    csv.Error,
    OverflowError,
)


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
    found = read_file(path, form=TextForm(encoding))
    if not found.text:
        return found.frame
    ids = [found.frame[name] for name in IDS & set(found.frame.columns)]
    return found.frame.with_columns(values.cast(pl.Int64) for values in ids if is_whole(values.drop_nulls()))


def read_file(path: Path | str, *, form: TextForm = PLAIN, columns: Mapping[str, str] | None = None) -> TableFile:
    """What `read_table` gives, with ids as they stand in the file, and what is to be said of it.

    Args:
        path: the file, whose ending says the format, or a folder of files.
        form: of a text file.
        columns: canonical column name to the one in the file.

    Raises:
        DataError: as `read_table`.
    """
    path = Path(path)
    files = files_in(path) if path.is_dir() else [path]
    if not files or not files[0].exists():
        what = "the folder holds no file of a table" if path.is_dir() else "there is no such file"
        raise DataError(what, fix="Check the path", source=str(path))
    ending = form_of(path, files if path.is_dir() else ())
    if ending is None:
        known = ", ".join(ENDINGS)
        raise DataError(f"the ending '{path.suffix}' is not known", fix=f"Give one of {known}", source=str(path))
    with reading(path):
        return _read(path, files, ending, form, columns or {})


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what libraries say of a file that they cannot read into an error that says what to do.

    Args:
        path: the file, or a folder of files.

    Raises:
        DataError: in place of theirs; the message names a column of a type that cannot be read, if that is to blame.
    """
    try:
        yield
    except _DAMAGED as error:
        if isinstance(error, pl.exceptions.NoDataError):
            raise DataError("the file is empty", fix="Write the table again", source=str(path)) from error
        refuse_column(path, error)
        problem = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DataError(
            f"it cannot be read ({problem})", fix="Write the file again or repair it", source=str(path)
        ) from error


def _read(path: Path, files: list[Path], ending: str, form: TextForm, columns: Mapping[str, str]) -> TableFile:
    for file in files:
        check_content(file, text=form.encoding != "utf-8")
    plain = unpacked_ending(ending)
    if plain in SEPARATORS:
        found = [_texts_in(file, ending, form) for file in files]
        raws = [raw for raw, _ in found]
        raw = same_columns(raws, files)
        commas = any(may_hold_decimal_commas(sign, form) for _, sign in found)
        raw = raw.with_columns(_partitions(path, files, raw.columns, [len(each) for each in raws], typed=False))
        untyped = untyped_in(columns)
        return typed_table(raw, columns, profiles_of(raw, untyped, form, commas=commas))
    if plain in JSON:
        ids = IDS | {columns[name] for name in IDS & set(columns)}
        frames = [read_json_table(text_of(file, ending), ids, str(file)) for file in files]
        refuse_mixed_ids(frames, files, ids)
        frame, lengths = pl.concat(frames, how="diagonal_relaxed"), [len(each) for each in frames]
    elif ending in ARROW:
        frames = [pl.read_ipc_stream(file) if is_stream(file) else pl.read_ipc(file) for file in files]
        frame, lengths = pl.concat(frames, how="diagonal"), [len(each) for each in frames]
    elif path.is_file():
        return TableFile(_with_named_range(pl.read_parquet(path, glob=False, hive_partitioning=False), path))
    else:
        frame = pl.read_parquet(files, glob=False, hive_partitioning=False, missing_columns="insert")
        lengths = [int(pl.scan_parquet(file, glob=False).select(pl.len()).collect().item()) for file in files]
    return TableFile(frame.with_columns(_partitions(path, files, frame.columns, lengths)))


def _texts_in(file: Path, ending: str, form: TextForm) -> tuple[pl.DataFrame, str]:
    """The values of a file, and what stands between them."""
    data = text_of(file, ending, form.encoding)
    sign = separator_of(file, data, unpacked_ending(ending), form)
    return read_texts(file, data, sign, form.encoding, header_line(file, data, sign, form)), sign


def _partitions(
    path: Path, files: list[Path], names: list[str], lengths: list[int], *, typed: bool = True
) -> list[pl.Series]:
    """The columns that folders stand for, a value for each row of the files; what a file says itself goes before it."""
    found = [values for values in partitions_of(path, files) if values.name not in names] if path.is_dir() else []
    if not found:
        return []
    part = pl.Series(np.repeat(np.arange(len(files)), lengths))
    return [(typed_column(values)[0] if typed else values).gather(part) for values in found]


def _with_named_range(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """A parquet table with the named index of pandas that counts evenly, which is in the metadata of the file alone."""
    try:
        levels = json.loads(pl.read_parquet_metadata(path).get("pandas") or "{}").get("index_columns", [])
        ranges = [
            level for level in levels if isinstance(level, dict) and level.get("kind") == "range" and level["name"]
        ]
        counted = {level["name"]: range(level["start"], level["stop"], level["step"]) for level in ranges}
    except (ValueError, TypeError, KeyError, AttributeError):
        return frame
    columns = [pl.Series(name, values) for name, values in counted.items() if len(values) == len(frame)]
    return frame.with_columns(column for column in columns if column.name not in frame.columns)


def untyped_in(columns: Mapping[str, str]) -> frozenset[str]:
    """The columns of a text file whose texts stay as they are until it is known what all tables hold.

    Args:
        columns: canonical column name to the one in the file.
    """
    return _UNTYPED | {columns[name] for name in _UNTYPED & set(columns)}


def may_hold_decimal_commas(sign: str, form: TextForm) -> bool:
    """Whether numbers of a text file may have decimal commas.

    Args:
        sign: between two of its values.
        form: what is known of it.
    """
    return form.decimal == "comma" or (form.decimal is None and sign != ",")


def profiles_of(raw: pl.DataFrame, untyped: Collection[str], form: TextForm, *, commas: bool) -> dict[str, TextProfile]:
    """What the columns of a text file, or of a part of it, say about how they are to be read.

    Args:
        raw: texts as they stand in the file.
        untyped: columns whose texts stay as they are.
        form: what is known of the file.
        commas: whether numbers may have decimal commas.
    """
    told = form.decimal == "comma"
    return {
        text.name: profile_of(text, commas=commas and text.name not in form.texts, told=told)
        for text in raw
        if text.name not in untyped
    }


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
