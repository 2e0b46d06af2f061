"""`attrformer recommend`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attrformer.cli import console, query, runs, tables
from attrformer.cli.arguments import Quiet, Run, Users

if TYPE_CHECKING:
    from attrformer.recommender import Recommender


def recommend(
    ctx: typer.Context,
    run: Run,
    users: Users = None,
    histories: query.Histories = None,
    attributes: query.Attributes = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="Items for each user.")] = 10,
    seen: Annotated[bool, typer.Option("--seen", help="Also recommend what the user already had.")] = False,
    candidates: query.Candidates = None,
    exclude: query.Exclude = None,
    as_of: query.AsOf = None,
    on_unknown: query.OnUnknown = query.Unknown.RAISE,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a .csv, .parquet or .json file.", show_default=False)
    ] = None,
    save_every: Annotated[
        int, typer.Option(min=1, help="Users answered between two saves of an unfinished .csv or .parquet file.")
    ] = 4096,
    quiet: Quiet = False,
) -> None:
    """Recommend items: the k best of the whole catalogue for each user.

    For users of the training data:  attrformer recommend runs/ml-1m --users 1,2,3 -k 5

    For new users:  attrformer recommend runs/ml-1m --histories new-users.csv --out answers.parquet

    For everyone:  attrformer recommend runs/ml-1m --users all --out everyone.parquet

    A .csv or .parquet file is written in blocks, so that any number of users fits into memory. Where that is
    interrupted, the same command goes on where it stopped.
    """
    from attrformer.data import to_polars

    tables.check_target(out)
    model = runs.open_model(run)
    arguments: dict[str, Any] = {
        **query.asked_users(model, users, histories, attributes),
        "k": k,
        "hide_seen": not seen,
        "candidates": tables.split_ids(candidates),
        "exclude": tables.split_ids(exclude),
        "as_of": as_of,
        "on_unknown": on_unknown.value,
    }
    with console.shown_warnings():
        if out is None or out.suffix.lower() == ".json":
            tables.deliver(to_polars(model.recommend(**arguments)), out)
        else:
            ctx.meta[console.HINT] = "The same command goes on where it stopped."
            _write(model, arguments, out, save_every, quiet)


def _write(model: Recommender, arguments: dict[str, Any], out: Path, save_every: int, quiet: bool) -> None:
    """Streams the answers into a file, with a progress bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from attrformer.recommender.streaming import write_recommendations

    request, choice = model.query(**arguments)
    columns = (TextColumn("users"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console.error_console(), transient=True, disable=quiet) as bar:
        task = bar.add_task("users", total=len(request))

        def show(done: int) -> None:
            bar.update(task, completed=done)

        rows = write_recommendations(model.fitted, request, choice, out, save_every=save_every, progress=show)
    console.say(f"{rows:,} rows")
    typer.echo(out)
