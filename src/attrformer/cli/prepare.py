"""`attrformer download` and `attrformer prepare`: from a public data set to a dataset folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperCommand

from attrformer.cli import console, reading
from attrformer.cli.arguments import (
    Columns,
    DateFirst,
    Decimals,
    Delimited,
    Duplicates,
    Encoding,
    Headers,
    Kinds,
    Separators,
)
from attrformer.cli.engine import Address, Engine, EngineOption, on_cluster, ray_options
from attrformer.errors import ConfigurationError, DownloadError

if TYPE_CHECKING:
    from attrformer.cluster import RayOptions
    from attrformer.data.preparing import Task

RECOGNISED: Final = "recognised by itself where it is not given."


class Command(TyperCommand):
    """Lists in its help the data sets and formats that are registered, also those of a file that --plugins names."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help; reading what is registered takes a moment that other commands are spared."""
        from attrformer.data.formats import SOURCES, known_formats

        helps = {"name": f"{', '.join(SOURCES)}.", "format": f"{', '.join(map(str, known_formats()))}; {RECOGNISED}"}
        for parameter in self.params:
            if parameter.name in helps:
                parameter.help = helps[parameter.name]  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def download(
    name: Annotated[str, typer.Argument(help="Name of the data set.", metavar="NAME", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the raw files.")] = Path("data/raw"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the licence terms without being asked.")] = False,
    url: Annotated[
        str | None, typer.Option(help="Another address that serves the same files.", show_default=False)
    ] = None,
) -> None:
    """Fetch the raw files of a public data set.

    Shows the licence first, continues a broken download, and checks the checksum where one is published.

    Example:  attrformer download ml-1m
    """
    from attrformer.data.download import fetch, find_source

    source = find_source(name)
    console.say(f"{source.title}\n{source.terms}\nFull terms: {source.terms_url}\n")
    if not (yes or (sys.stdin.isatty() and typer.confirm("Do you accept these terms?", err=True))):
        raise DownloadError(f"The terms of {name} are not accepted. Read them above, then give --yes.")
    location = fetch(name, out, base_url=url, accept_licence=True)
    console.say(f"Next: attrformer prepare {location} --out data/{name}")
    typer.echo(location)


def prepare(
    ctx: typer.Context,
    raw: Annotated[
        Path,
        typer.Argument(
            metavar="RAW",
            help="Zip archive, folder or main file as it was downloaded, or a folder of your own tables.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Dataset folder to write.", show_default=False)],
    format: Annotated[
        str | None,
        typer.Option(help=RECOGNISED, show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier dataset folder.")] = False,
    memory: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=1e6,
            metavar="GB",
            help="Of own tables: memory for the rows that are looked at together, 1 by default.",
            show_default=False,
        ),
    ] = None,
    columns: Columns = None,
    kinds: Kinds = None,
    separators: Separators = None,
    duplicates: Duplicates = None,
    date_order: DateFirst = None,
    delimiter: Delimited = None,
    decimal: Decimals = None,
    encoding: Encoding = None,
    headers: Headers = None,
    engine: EngineOption = Engine.LOCAL,
    address: Address = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress bar.")] = False,
) -> None:
    """Turn raw files, or your own tables, into a dataset folder.

    Reads MovieLens 100K, 1M, 10M and 25M, Amazon 2014, 2018 and 2023 reviews with metadata, RetailRocket, RecBole
    atomic files, S3Rec files, and formats of your own (--plugins FILE), and writes parquet tables.

    Your own tables need no preparing while they fit in memory: put interactions.parquet (or .csv, .tsv, .jsonl, also
    .gz and .zst) with user_id, item_id and timestamp into a folder, items, users and item_changes beside it if you have
    them, and pass it to --data. Of a folder with larger ones, interactions.parquet, .csv, .tsv or a folder of them,
    this command makes one that holds the interactions coded and sorted, and opens at once. It reads the table in parts;
    --memory says how large they may be. How the interactions are read is settled here; give --columns, --kinds,
    --duplicates, --date-order, --delimiter, --decimal, --encoding and --headers to this command. After an interrupt,
    the same command goes on where it stopped. Tasks of a Ray cluster (--engine ray) read and write the same parts in
    folders that every node has under the same path; the result is the same byte for byte.

    Example:  attrformer prepare data/raw/ml-1m.zip --out data/ml-1m
    """
    from attrformer.data.formats import prepare as prepare_raw
    from attrformer.data.formats.reading import holds_tables

    forms = reading.forms_of(date_order, delimiter, decimal, encoding, headers)
    given, ray = reading.as_given(columns, kinds, separators, duplicates, forms=forms), ray_options(engine, address)
    if format is None and holds_tables(raw):
        ctx.meta[console.HINT] = "The same command goes on where it stopped."
        _prepare_tables(raw, out, memory, overwrite, quiet, given, ray)
        return
    refused = [name for name, value in {**given, "memory": memory, "engine": ray}.items() if value]
    if refused:
        raise ConfigurationError(
            f"--{refused[0].replace('_', '-')} is for folders of your own tables, and {raw} is none. Leave it out."
        )
    done = prepare_raw(raw, out, format=format, overwrite=overwrite)
    rows = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in done.summary.rows.items())
    console.say(f"Read as {done.format}: {rows}")
    for note in done.notes:
        console.say(f"Note: {note}.")
    console.say(f"Next: attrformer train --data {done.folder} --out runs/{done.folder.name}")
    typer.echo(done.folder)


def _prepare_tables(
    folder: Path,
    out: Path,
    memory: float | None,
    overwrite: bool,
    quiet: bool,
    given: dict[str, Any],
    ray: RayOptions | None,
) -> None:
    """Codes and sorts the interactions of a folder, with a progress bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from attrformer.data.on_ray import done_on_ray
    from attrformer.data.prepare_tables import prepare_tables, side_by_side

    # Vectors are read from the folder, or named when the dataset is loaded.
    given.pop("vectors")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        on_cluster(ray) as cluster,
        Progress(*columns, console=console.error_console(), transient=True, disable=quiet) as bar,
    ):

        def run(step: str, task: Task, count: int) -> None:
            shown = bar.add_task(f"parts {step}", total=count)
            if cluster is not None:
                for _ in done_on_ray(cluster, task, count):
                    bar.advance(shown)
                return

            def tell(number: int) -> None:
                task(number)
                bar.advance(shown)

            side_by_side(step, tell, count)

        size = None if memory is None else int(memory * 1e9)
        # Processes of nodes work in folders of their own.
        folder = folder if cluster is None else folder.resolve()
        done = prepare_tables(folder, out, **given, memory=size, overwrite=overwrite, run=run)
    if not done.fresh:
        console.say("Prepared already: nothing has changed since.")
    console.say(f"{done.interactions:,} interactions of {done.users:,} users and {done.items:,} items")
    console.say(f"Next: attrformer train --data {done.folder} --out runs/{done.folder.name}")
    typer.echo(done.folder)
