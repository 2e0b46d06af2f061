"""`attrformer prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from attrformer.cli import console

RECOGNISED: Final = "recognised by itself where it is not given."


class Command(TyperCommand):
    """Lists in its help the formats that are registered, also those of a file that --plugins names."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help; reading what is registered takes a moment that other commands are spared."""
        from attrformer.data.formats import known_formats

        for option in self.params:
            if option.name == "format":
                option.help = f"{', '.join(map(str, known_formats()))}; {RECOGNISED}"  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def prepare(
    raw: Annotated[
        Path,
        typer.Argument(
            metavar="RAW", help="Zip archive, folder or main file as it was downloaded.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Dataset folder to write.", show_default=False)],
    format: Annotated[
        str | None,
        typer.Option(
            help=RECOGNISED,
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier dataset folder.")] = False,
) -> None:
    """Turn raw files into a dataset folder of parquet tables.

    Reads MovieLens 100K, 1M, 10M and 25M, Amazon 2014, 2018 and 2023 reviews with metadata, RetailRocket, RecBole
    atomic files, S3Rec files, and formats of your own (--plugins FILE). Your own tables need no preparing: put
    interactions.parquet (or .csv, .tsv, .jsonl, also .gz) with user_id, item_id and timestamp into a folder, items,
    users and item_changes beside it if you have them, and pass it to --data.

    Example:  attrformer prepare data/raw/ml-1m.zip --out data/ml-1m
    """
    from attrformer.data.formats import prepare as prepare_raw

    done = prepare_raw(raw, out, format=format, overwrite=overwrite)
    rows = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in done.summary.rows.items())
    console.say(f"Read as {done.format}: {rows}")
    for note in done.notes:
        console.say(f"Note: {note}.")
    console.say(f"Next: attrformer train --data {done.folder} --out runs/{done.folder.name}")
    typer.echo(done.folder)
