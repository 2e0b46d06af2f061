"""`attrformer recommend`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attrformer.cli import runs, tables
from attrformer.cli.arguments import Run, Users


def recommend(
    run: Run,
    users: Users = None,
    histories: Annotated[
        Path | None,
        typer.Option(
            help="Histories of users the model need not know: a csv or parquet table of user_id and item_id (oldest "
            "first, or with timestamp), or JSON, an object of lists of item ids.",
            show_default=False,
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="Items for each user.")] = 10,
    seen: Annotated[bool, typer.Option("--seen", help="Also recommend what the user already had.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a .csv, .parquet or .json file.", show_default=False)
    ] = None,
) -> None:
    """Recommend items: the k best of the whole catalogue for each user.

    For users of the training data:  attrformer recommend runs/ml-1m --users 1,2,3 -k 5

    For new users:  attrformer recommend runs/ml-1m --histories new-users.csv --out answers.parquet
    """
    from attrformer.dataset import to_polars

    tables.check_target(out)
    model = runs.open_model(run)
    found = model.recommend(tables.split_ids(users), tables.read_histories(histories), k=k, hide_seen=not seen)
    tables.deliver(to_polars(found), out)
