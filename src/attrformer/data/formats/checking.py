"""Whether a format of one's own gives tables that can be a dataset folder."""

from __future__ import annotations

import polars as pl

from attrformer.columns import CHANGED, ITEM, RELATION, SOURCE_ITEM, TARGET_ITEM, TIMESTAMP, USER, VALUE
from attrformer.data.formats.base import RawFormat
from attrformer.data.formats.files import RawFiles
from attrformer.data.formats.tables import Tables
from attrformer.errors import AttrFormerError, DataError, is_out_of_memory

_IDS = {
    "interactions": (USER, ITEM),
    "items": (ITEM,),
    "users": (USER,),
    "item_relations": (SOURCE_ITEM, TARGET_ITEM, RELATION),
    "item_changes": (ITEM, TIMESTAMP, CHANGED),
}
_TIMED = ("interactions", "item_changes")
_DISTINCT = {"items": ITEM, "users": USER}


def checked_tables(format: RawFormat, files: RawFiles) -> Tables:
    """What a format of somebody's own reads, once it has what a dataset folder needs.

    Args:
        format: of somebody's own.
        files: of the data set.

    Raises:
        DataError: reading fails, or a table is no polars frame, lacks an id or its column, has an item or user twice,
            no rows, or times that are not whole seconds.
    """
    try:
        tables = format.read(files)
    except AttrFormerError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise DataError(
            f"the format '{format}' fails ({type(error).__name__}: {error})",
            fix="Correct its `read`, or raise a DataError there that says what is wrong with the files",
            source=str(files.path),
        ) from error
    if not isinstance(tables, Tables):
        raise _wrong(format, f"gives {type(tables).__name__}", "Return attrformer.data.formats.Tables")
    for name, frame in tables.frames().items():
        if not isinstance(frame, pl.DataFrame):
            raise _wrong(format, f"gives a {type(frame).__name__} as {name}", "Give a polars.DataFrame")
        _check(format, name, frame)
    return tables


def _check(format: RawFormat, name: str, frame: pl.DataFrame) -> None:
    for column in _IDS[name]:
        if column not in frame.columns:
            raise _wrong(format, f"gives {name} without the column '{column}'", f"Rename one to '{column}'")
        gaps = frame[column].is_null().arg_true()
        if len(gaps):
            raise _wrong(format, f"leaves '{column}' of {name} empty in row {gaps[0]}", "Leave such rows out")
    if name == "item_changes" and VALUE not in frame.columns:
        raise _wrong(format, f"gives {name} without the column '{VALUE}'", f"Rename one to '{VALUE}'")
    if name in _DISTINCT:
        twice = frame[_DISTINCT[name]].is_duplicated().arg_true()
        if len(twice):
            value = frame[_DISTINCT[name]][twice[0]]
            raise _wrong(format, f"gives '{value}' twice in {name}", "Give one row for each")
    if name == "interactions" and frame.is_empty():
        raise _wrong(format, "gives no interaction", "Check the files")
    if name in _TIMED and TIMESTAMP in frame.columns and not frame[TIMESTAMP].dtype.is_integer():
        kind = frame[TIMESTAMP].dtype
        raise _wrong(format, f"gives '{TIMESTAMP}' as {kind}", "Give whole seconds since 1970")


def _wrong(format: RawFormat, problem: str, fix: str) -> DataError:
    return DataError(f"the format '{format}' {problem}", fix=fix)
