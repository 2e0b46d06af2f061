"""Where tables lie: the endings of their files, tables in parts, and the columns that folders of parts stand for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import polars as pl

from attrformer.errors import DataError

PARQUET: Final = (".parquet", ".pq")
ARROW: Final = (".feather", ".arrow", ".ipc")
SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
JSON: Final = (".jsonl", ".ndjson", ".json")
PACKED: Final = (".gz", ".zst")
ENDINGS: Final = (
    *PARQUET,
    *ARROW,
    *SEPARATORS,
    *JSON,
    *(f"{ending}{packed}" for packed in PACKED for ending in (*SEPARATORS, *JSON)),
)
"""Of files that can be read, the preferred first."""

TABLE_NAMES: Final = ("interactions", "items", "users", "item_relations", "item_changes")

_NO_VALUE: Final = "__HIVE_DEFAULT_PARTITION__"
_LONGEST_FIRST: Final = sorted(ENDINGS, key=len, reverse=True)


def ending_of(path: Path) -> str | None:
    """The ending of a file, one of `ENDINGS` in lower case; None for other files."""
    name = path.name.lower()
    return next((ending for ending in _LONGEST_FIRST if name.endswith(ending)), None)


def unpacked_ending(ending: str) -> str:
    """An ending without that of a packed file."""
    return next((ending.removesuffix(packed) for packed in PACKED if ending.endswith(packed)), ending)


def parts_of(path: Path) -> list[Path]:
    """The files of a table that is a folder of them, in order; none where it is something else.

    Args:
        path: a folder with the ending of a table, as Spark and Dask write it, or with the bare name of one. Folders in
            it are looked into where their names say the value of a column, `day=2026-01-31`.
    """
    named = ending_of(path) is not None or path.name.lower() in TABLE_NAMES
    return files_in(path) if named and path.is_dir() else []


def files_in(folder: Path) -> list[Path]:
    """The files of tables in a folder, and in folders of partitions in it, in order."""
    return sorted(_inside(folder))


def form_of(path: Path, parts: Sequence[Path]) -> str | None:
    """The ending of a file, or that of the parts of a table; None where it is not known.

    Args:
        path: of the table.
        parts: its files, where it is a folder of them.

    Raises:
        DataError: the parts are of several forms.
    """
    if not parts:
        return ending_of(path)
    found = sorted({str(ending_of(part)) for part in parts})
    kinds = {PARQUET[0] if ending in PARQUET else ARROW[0] if ending in ARROW else ending for ending in found}
    if len(kinds) > 1:
        raise DataError(
            f"the folder holds files of several forms ({', '.join(found)}), and a table in parts has one",
            fix="Leave the files of one form, and move the others elsewhere",
            source=str(path),
        )
    return found[0]


def partitions_of(path: Path, parts: Sequence[Path]) -> pl.DataFrame:
    """The columns that the folders of parts stand for, as texts, with a row for each part.

    Args:
        path: of the table.
        parts: its files.

    Raises:
        DataError: parts lie in folders of different columns.
    """
    rows = [dict(_partition(step) for step in part.relative_to(path).parent.parts) for part in parts]
    for part, row in zip(parts, rows, strict=True):
        if row.keys() != rows[0].keys():
            here, there = (", ".join(names) or "none" for names in (row, rows[0]))
            raise DataError(
                f"its folders stand for the columns {here}, and those of {parts[0].name} for {there}",
                fix="Put all parts into folders of the same columns",
                source=str(part),
            )
    return pl.DataFrame(rows, schema=dict.fromkeys(rows[0] if rows else (), pl.String))


def _partition(step: str) -> tuple[str, str | None]:
    name, _, value = step.partition("=")
    return unquote(name), None if value == _NO_VALUE else unquote(value)


def _inside(folder: Path) -> Iterator[Path]:
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(("_", "."))]
    except OSError:
        return
    for entry in entries:
        if ending_of(entry) is not None and entry.is_file():
            yield entry
        elif "=" in entry.name.strip("=") and entry.is_dir():
            yield from _inside(entry)
