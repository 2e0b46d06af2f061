"""`attrformer prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attrformer.cli import console


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
            help="movielens-100k, movielens-1m, movielens-10m, movielens-25m, amazon-2014, amazon-2018, amazon-2023, "
            "recbole or s3rec; "
            "recognised by itself where it is not given.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier dataset folder.")] = False,
) -> None:
    """Turn raw files into a dataset folder of parquet tables.

    Reads MovieLens 100K, 1M, 10M and 25M, Amazon 2014, 2018 and 2023 reviews with metadata, RecBole atomic files and
    S3Rec files. Your own tables need no preparing: put interactions.parquet (or .csv, .tsv, .jsonl, also .gz) with
    user_id, item_id and timestamp into a folder, items and users beside it if you have them, and pass it to --data.

    Example:  attrformer prepare data/raw/ml-1m.zip --out data/ml-1m
    """
    from attrformer.dataset.raw import prepare as prepare_raw

    done = prepare_raw(raw, out, format=format, overwrite=overwrite)
    rows = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in done.summary.rows.items())
    console.say(f"Read as {done.format.value}: {rows}")
    for note in done.notes:
        console.say(f"Note: {note}.")
    console.say(f"Next: attrformer train --data {done.folder} --out runs/{done.folder.name}")
    typer.echo(done.folder)
