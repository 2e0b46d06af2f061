"""One door to every raw format: recognise it, read it, check what is not of the library, and make a folder of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from attrformer.columns import CHANGED, ITEM, RELATION, SOURCE_ITEM, TARGET_ITEM, TIMESTAMP, USER, VALUE
from attrformer.data.folder import is_dataset_folder
from attrformer.data.formats.base import RawFormat
from attrformer.data.formats.files import RawFiles
from attrformer.data.formats.registry import find_format, is_own, known_formats
from attrformer.data.formats.tables import (
    TABLE_NAMES,
    Tables,
    TablesSummary,
    check_target,
    chronological,
    summarise,
    write_tables,
)
from attrformer.data.table_paths import ending_of
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


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` did.

    Args:
        raw: where the raw files lie.
        format: how they were read.
        folder: the dataset folder that was written.
        summary: how much it holds.
        notes: sentences that say what was left out.
    """

    raw: Path
    format: RawFormat
    folder: Path
    summary: TablesSummary
    notes: tuple[str, ...] = ()


def detect(path: Path | str) -> RawFormat:
    """The format of the raw files in a zip archive or folder, or of one raw file.

    Raises:
        DataError: the path cannot be read, no format fits, or more than one does.
    """
    return _detect(RawFiles(path))


def holds_tables(path: Path | str) -> bool:
    """Whether a path is a folder of plain tables, and not one that a raw format recognises."""
    folder = Path(path)
    return is_dataset_folder(folder) and not _fitting(RawFiles(folder))


def read_raw(path: Path | str, format: RawFormat | str | None = None) -> Tables:
    """Read raw files of a known format.

    Args:
        path: a zip archive, a folder, or the main file of the format beside its companions.
        format: a registered one, or its name; recognised from the files where None.

    Returns:
        The tables, interactions in chronological order within each user where times are known.

    Raises:
        DataError: anything that cannot be read; names the file and, where one is to blame, column and row.
    """
    files = RawFiles(path)
    return _read(files, _detect(files) if format is None else find_format(format))


def prepare(
    raw: Path | str, out: Path | str, *, format: RawFormat | str | None = None, overwrite: bool = False
) -> Prepared:
    """Turn raw files into a dataset folder.

    Args:
        raw: as for `read_raw`.
        out: the dataset folder to write.
        format: as for `read_raw`.
        overwrite: replace an earlier dataset folder.

    Returns:
        Where the folder lies and how much it holds.

    Raises:
        DataError: the raw files cannot be read or the folder cannot be written.
    """
    check_target(out, overwrite=overwrite)
    files = RawFiles(raw)
    known = _detect(files) if format is None else find_format(format)
    tables = _read(files, known)
    folder = write_tables(tables, out, overwrite=overwrite)
    return Prepared(raw=Path(raw), format=known, folder=folder, summary=summarise(tables), notes=tables.notes)


def _read(files: RawFiles, known: RawFormat) -> Tables:
    tables = checked_tables(known, files) if is_own(known) else known.read(files)
    return replace(tables, interactions=chronological(tables.interactions))


def _fitting(files: RawFiles) -> list[RawFormat]:
    """The formats that files look like; more than one where that is not clear."""
    known = known_formats()
    plain = [one for one in known if not one.last and one.variant_of is None and one.recognises(files)]
    found = {one.name: one for one in plain}
    for variant in (one for one in known if one.variant_of in found and one.recognises(files)):
        found[str(variant.variant_of)] = variant
    if found:
        return list(found.values())
    own = [one for one in known if one.last and is_own(one) and one.recognises(files)]
    # Those of the library go from the more to the less certain.
    return own or [one for one in known if one.last and not is_own(one) and one.recognises(files)][:1]


def _detect(files: RawFiles) -> RawFormat:
    candidates = _fitting(files)
    if len(candidates) == 1:
        return candidates[0]
    known = ", ".join(map(str, known_formats()))
    if candidates:
        raise DataError(
            f"the files fit several formats ({', '.join(map(str, candidates))})",
            fix="Name the format, or the file or folder of one data set",
            source=str(files.path),
        )
    tables = [name for name in files.names if name.partition(".")[0] in TABLE_NAMES and ending_of(Path(name))]
    if tables:
        folder = files.path if files.path.is_dir() else files.path.parent
        raise DataError(
            f"these are plain tables ({', '.join(tables)}), which need no preparing",
            fix=f"Pass their folder to --data: attrformer train --data {folder} --out runs/{folder.resolve().name}; "
            f"where it is large, prepare the folder: attrformer prepare {folder} --out data/prepared",
            source=str(files.path),
        )
    raise DataError(
        f"no known raw format; present are: {', '.join(files.names[:8]) or 'no files'}",
        fix=f"Give a zip archive, folder or file of one of these formats: {known}",
        source=str(files.path),
    )


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
