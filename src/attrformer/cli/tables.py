"""Tables at the command line: ids and histories in, recommendations out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from attrformer.cli import console
from attrformer.columns import CONTRIBUTION, ITEM, PART, RANK, SCORE, TIMESTAMP, USER
from attrformer.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    import polars as pl

ROWS_SHOWN = 100
PARTS_SHOWN = 4
REASONS = "reasons"


def user_ids(given: Sequence[str] | None) -> list[str] | None:
    """Ids from repeated options, each one or several separated by commas; None where there are none.

    Raises:
        ConfigurationError: an option without any id.
    """
    if not given:
        return None
    ids = [word.strip() for text in given for word in text.split(",") if word.strip()]
    if not ids:
        raise ConfigurationError("No id is given. Write them separated by commas, such as 1,2,3.")
    return ids


def read_histories(path: Path | None) -> dict[Any, list[Any]] | list[list[Any]] | None:
    """Histories by user from a csv or parquet table or a JSON file, oldest first; None for no file.

    Raises:
        DataError: the file cannot be read or lacks what it needs.
    """
    if path is None:
        return None
    if path.suffix.lower() == ".json":
        return _read_json(path)
    from attrformer.dataset.frames import read_table

    frame = read_table(path)
    for column in (USER, ITEM):
        if column not in frame.columns:
            raise DataError(
                "the column is missing",
                fix=f"Give a table with {USER} and {ITEM}, oldest first or with {TIMESTAMP}",
                source=str(path),
                column=column,
            )
    if TIMESTAMP in frame.columns:
        frame = frame.sort(TIMESTAMP, maintain_order=True)
    grouped = frame.group_by(USER, maintain_order=True).agg(ITEM)
    return dict(zip(grouped[USER].to_list(), grouped[ITEM].to_list(), strict=True))


def _read_json(path: Path) -> dict[Any, list[Any]] | list[list[Any]]:
    fix = 'Write {"user": ["item", ...], ...} or [["item", ...], ...]'
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"the file cannot be read ({error})", fix=fix, source=str(path)) from error
    rows = list(content.values()) if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise DataError("the file holds something else than lists of item ids", fix=fix, source=str(path))
    return content  # type: ignore[no-any-return]


def _writers() -> dict[str, Callable[[pl.DataFrame, Path], object]]:
    return {
        ".csv": lambda frame, path: frame.write_csv(path),
        ".parquet": lambda frame, path: frame.write_parquet(path),
        ".json": lambda frame, path: frame.write_json(path),
    }


def check_target(out: Path | None) -> None:
    """Refuses a file ending that cannot be written, before any work is done.

    Raises:
        ConfigurationError: the ending is none of those.
    """
    if out is not None and out.suffix.lower() not in _writers():
        raise ConfigurationError(f"{out} ends in none of {', '.join(_writers())}. Give a file name that does.")


def deliver(frame: pl.DataFrame, out: Path | None) -> None:
    """Writes a result to a file, or prints it: a table on a terminal, csv into a pipe.

    Args:
        frame: the result.
        out: the file, whose ending says the format; None for standard output.
    """
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = out.with_name(f"{out.name}.tmp")
        _writers()[out.suffix.lower()](frame, unfinished)
        os.replace(unfinished, out)
        console.say(f"{len(frame):,} rows")
        typer.echo(out)
    elif sys.stdout.isatty():
        console.show(table(frame.head(ROWS_SHOWN)))
        if len(frame) > ROWS_SHOWN:
            console.say(f"{len(frame) - ROWS_SHOWN:,} more rows; --out FILE writes them all.")
    else:
        typer.echo(frame.write_csv(), nl=False)


def table(frame: pl.DataFrame, title: str | None = None) -> Any:
    """A frame as a rich table, numbers with four decimals."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=title, title_justify="left")
    for name, kind in frame.schema.items():
        shown.add_column(name.replace("_", " "), justify="right" if kind.is_numeric() else "left")
    for row in frame.iter_rows():
        shown.add_row(*(Text(f"{value:.4f}" if isinstance(value, float) else str(value)) for value in row))
    return shown


def with_reasons(parts: pl.DataFrame) -> pl.DataFrame:
    """One row for each recommended item, its strongest parts as text.

    Args:
        parts: what `AttrFormer.explain` gives: a row for each part of each score.

    Returns:
        user_id, rank, item_id, score, reasons.
    """
    import polars as pl

    signed = pl.when(pl.col(CONTRIBUTION) < 0).then(pl.lit("")).otherwise(pl.lit("+"))
    reason = pl.format("{} {}{}", PART, signed, pl.col(CONTRIBUTION).round(2))
    strongest = reason.sort_by(pl.col(CONTRIBUTION).abs(), descending=True).head(PARTS_SHOWN)
    return parts.group_by(USER, RANK, ITEM, SCORE, maintain_order=True).agg(strongest.str.join(", ").alias(REASONS))
