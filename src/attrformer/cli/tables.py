"""Tables at the command line: ids and histories in, recommendations out."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from attrformer.cli import console
from attrformer.columns import COMPONENT, CONTRIBUTION, HISTORY, ITEM, RANK, SCORE, TITLE, USER
from attrformer.errors import ConfigurationError, DataError, WriteError
from attrformer.io import read_json, write_atomically
from attrformer.locks import locked_place

if TYPE_CHECKING:
    import polars as pl

    from attrformer.data import Dataset, IdMap

ROWS_SHOWN = 100
PARTS_SHOWN = 3
LATEST_SHOWN = 5
REASONS = "reasons"

_WORD: Final = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*(?=,|\Z)|([^,]*))')


def split_ids(given: Sequence[str] | None) -> list[str] | None:
    """Ids from repeated options, each one or several separated by commas; None where there are none.

    Double quotes keep the commas and outer blanks of an id, as in csv files.

    Raises:
        ConfigurationError: an option without any id.
    """
    if not given:
        return None
    ids = [word for text in given for word in _words(text) if word]
    if not ids:
        raise ConfigurationError("No id is given. Write them separated by commas, such as 1,2,3.")
    return ids


def _words(text: str) -> Iterator[str]:
    place = 0
    while place <= len(text) and (found := _WORD.match(text, place)) is not None:
        yield found[2].strip() if found[1] is None else found[1].replace('""', '"')
        place = found.end() + 1


def read_histories(path: Path | None) -> pl.DataFrame | dict[str, list[Any]] | list[list[Any]] | None:
    """Histories as `AttrFormer.recommend` takes them, from a csv or parquet table or a JSON file; None for no file.

    Raises:
        DataError: the file cannot be read.
    """
    if path is None:
        return None
    if path.suffix.lower() == ".json":
        return _read_json(path)
    from attrformer.data import read_table

    return read_table(path)


def _read_json(path: Path) -> dict[str, list[Any]] | list[list[Any]]:
    fix = 'Write {"user": ["item", ...], ...} or [["item", ...], ...]'
    try:
        content = read_json(path)
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
    """Refuses a file ending that cannot be written, or a folder, before any work is done.

    Raises:
        ConfigurationError: the ending is none of those.
        WriteError: a folder lies there.
    """
    if out is not None and out.suffix.lower() not in _writers():
        raise ConfigurationError(f"{out} ends in none of {', '.join(_writers())}. Give a file name that does.")
    if out is not None and out.is_dir():
        raise WriteError(f"{out} is a folder. Give the name of a file.")


def deliver(frame: pl.DataFrame, out: Path | None) -> None:
    """Writes a result to a file, or prints it: a table on a terminal, csv into a pipe.

    Args:
        frame: the result.
        out: the file, whose ending says the format; None for standard output.
    """
    if out is not None:
        write = _writers()[out.suffix.lower()]
        with locked_place(out):
            write_atomically(out, lambda unfinished: write(frame, unfinished))
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


def titles_of(ids: IdMap, titles: Sequence[str] | None) -> pl.DataFrame | None:
    """A table of item_id and title, or None where items have no titles."""
    import polars as pl

    return None if titles is None else pl.DataFrame({ITEM: ids.values, TITLE: titles})


def latest(dataset: Dataset, user: int) -> pl.DataFrame:
    """The last few items of a user, the latest first: item_id and, where items have titles, title.

    Args:
        dataset: the data.
        user: the code of the user.
    """
    codes = dataset.sequences.row(user)[::-1][:LATEST_SHOWN]
    frame = dataset.item_ids.decode(codes).rename(ITEM).to_frame()
    titles = titles_of(dataset.item_ids, dataset.item_titles)
    return frame if titles is None else frame.join(titles, on=ITEM, how="left", maintain_order="left")


def with_reasons(components: pl.DataFrame, titles: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row for each recommended item, the strongest components of its score as text.

    Args:
        components: what `AttrFormer.explain` gives: a row for each component of each score.
        titles: item_id and title, where items have titles.

    Returns:
        user_id, rank, item_id (title), score, reasons.
    """
    import polars as pl

    named = components.with_columns(pl.col(HISTORY).cast(pl.String).alias(TITLE))
    if titles is not None:
        named = components.join(titles, left_on=HISTORY, right_on=ITEM, how="left", maintain_order="left")
    signed = pl.when(pl.col(CONTRIBUTION) < 0).then(pl.lit("")).otherwise(pl.lit("+"))
    source = pl.when(pl.col(TITLE).is_null()).then(pl.lit("")).otherwise(pl.format(" ({})", TITLE))
    reason = pl.format("{} {}{}{}", COMPONENT, signed, pl.col(CONTRIBUTION).round(2), source)
    strongest = reason.sort_by(pl.col(CONTRIBUTION).abs(), descending=True).head(PARTS_SHOWN)
    keys = (USER, RANK, ITEM, SCORE)
    reasons = named.group_by(keys, maintain_order=True).agg(strongest.str.join(", ").alias(REASONS))
    if titles is None:
        return reasons
    titled = reasons.join(titles, on=ITEM, how="left", maintain_order="left")
    return titled.select(USER, RANK, ITEM, TITLE, SCORE, REASONS)
