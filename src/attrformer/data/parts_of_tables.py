"""Tables in several files: one set of columns, one type of ids, and the column that cannot be read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from attrformer.data.table_paths import ARROW, PARQUET, ending_of, files_in
from attrformer.errors import DataError

_DIGITS: Final = 38
"""Of decimals that Polars reads."""

_WIDE: Final = "decimals of 256 bits"


def same_columns(frames: Sequence[pl.DataFrame], files: Sequence[Path]) -> pl.DataFrame:
    """The rows of text files one after the other, in the order of the columns of the first.

    Args:
        frames: what the files hold.
        files: in the same order.

    Raises:
        DataError: a file has other columns than the first.
    """
    names = frames[0].columns
    for frame, file in zip(frames, files, strict=True):
        others = [name for name in (*frame.columns, *names) if (name in names) != (name in frame.columns)]
        if others:
            raise DataError(
                f"it has the columns {', '.join(frame.columns)}, and {files[0].name} has {', '.join(names)}",
                fix="Write all parts of the table with the same columns, and each with a header",
                source=str(file),
                column=others[0],
            )
    return frames[0] if len(frames) == 1 else pl.concat([frame.select(names) for frame in frames])


def refuse_mixed_ids(frames: Sequence[pl.DataFrame], files: Sequence[Path], ids: Collection[str]) -> None:
    """Refuses parts of which one has texts as ids and another one numbers.

    Args:
        frames: what the files hold.
        files: in the same order.
        ids: names of columns of ids.

    Raises:
        DataError: there are such.
    """
    for name in sorted(ids):
        held = [(frame[name].dtype, file) for frame, file in zip(frames, files, strict=True) if name in frame.columns]
        text = [file for kind, file in held if kind == pl.String]
        if text and any(kind.is_numeric() for kind, _ in held):
            raise DataError(
                "text and numbers are mixed, in this file and others",
                fix="Write all ids in quotes, or none of them",
                source=str(text[0]),
                column=name,
            )


def refuse_column(path: Path, error: BaseException) -> None:
    """Names the column of a parquet or Arrow file whose type cannot be read, if that is what went wrong.

    Args:
        path: the file, or a folder of files.
        error: what was said of it.

    Raises:
        DataError: there is such a column.
    """
    for file in files_in(path) if path.is_dir() else [path]:
        if ending_of(file) not in (*PARQUET, *ARROW):
            return
        scan = pl.scan_parquet if ending_of(file) in PARQUET else pl.scan_ipc
        try:
            kinds = scan(file).collect_schema()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            return
        for name, kind in kinds.items():
            wide = isinstance(kind, pl.Decimal) and (kind.precision or 0) > _DIGITS
            try:
                if not wide:
                    scan(file).select(name).head(1).collect()
                    continue
            except pl.exceptions.PanicException:
                pass
            except (pl.exceptions.PolarsError, OSError):
                continue
            raise _unreadable(str(file), name, _WIDE if isinstance(kind, pl.Decimal) else f"the type {kind}") from error


def wide_decimals(source: str, column: str) -> DataError:
    """The error for a column of decimals of 256 bits."""
    return _unreadable(source, column, _WIDE)


def _unreadable(source: str, column: str, what: str) -> DataError:
    fix = "Write the column as floating-point numbers or text, or leave it out"
    return DataError(f"it holds {what}, which cannot be read", fix=fix, source=source, column=column)
