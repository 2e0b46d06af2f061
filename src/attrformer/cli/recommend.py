"""`attrformer recommend`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attrformer.cli import console, query, runs, shop, tables
from attrformer.cli.arguments import Quiet, Run, Users
from attrformer.cli.engine import Address, Engine, EngineOption, on_cluster, ray_options
from attrformer.errors import ConfigurationError

if TYPE_CHECKING:
    from attrformer.cluster import RayOptions
    from attrformer.recommender import Recommender
    from attrformer.recommender.choice import Choice
    from attrformer.recommender.requests import Request
    from attrformer.recommender.shards import Shard
    from attrformer.recommender.streaming import Compute


def recommend(
    ctx: typer.Context,
    run: Run,
    users: Users = None,
    histories: query.Histories = None,
    user_attributes: query.UserAttributes = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="Items for each user.")] = 10,
    hide_seen: query.HideSeen = True,
    candidates: query.Candidates = None,
    exclude: query.Exclude = None,
    as_of: query.AsOf = None,
    candidates_file: shop.CandidatesFile = None,
    exclude_file: shop.ExcludeFile = None,
    where: shop.Where = None,
    boost: shop.Boost = None,
    at_most: shop.AtMost = None,
    diversity: shop.Diversity = None,
    new_items: shop.NewItems = None,
    pinned: shop.Pinned = None,
    rules: shop.RulesFile = None,
    item_values: shop.ItemValues = None,
    on_unknown: query.OnUnknown = query.Unknown.RAISE,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a .csv, .parquet or .json file.", show_default=False)
    ] = None,
    save_every: Annotated[
        int, typer.Option(min=1, help="Users answered between two saves of an unfinished .csv or .parquet file.")
    ] = 4096,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Answer the I-th of N parts of the users, I from 1 to N; `attrformer join` makes one file of all N.",
            show_default=False,
        ),
    ] = None,
    engine: EngineOption = Engine.LOCAL,
    address: Address = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processor threads, of each task with --engine ray. With another number the last digits of scores "
            "differ, so give all shards the same; those that torch takes by default.",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Recommend items: the k best of the whole catalogue for each user.

    For users of the training data:  attrformer recommend runs/ml-1m --users 1,2,3 -k 5

    For new users:  attrformer recommend runs/ml-1m --histories new-users.csv --out answers.parquet

    For everyone:  attrformer recommend runs/ml-1m --users all --out everyone.parquet

    With rules:  attrformer recommend runs/shop --users all --where 'price < 50' --at-most brand=2

    On several machines:  attrformer recommend runs/ml-1m --users all --out everyone.parquet --shard 3/8

    On a Ray cluster:  attrformer recommend runs/ml-1m --users all --out everyone.parquet --engine ray --address auto

    A .csv or .parquet file is written in pieces, so that any number of users fits into memory. Where that is
    interrupted, the same command goes on where it stopped. A shard is a run of whole pieces: --save-every says how
    many users a piece has, and with that how many shards there can be. Tasks of a Ray cluster compute pieces too; RUN
    has to be in a folder that every node has under the same path. The bytes of the file are the same either way.
    """
    from attrformer.data import to_polars

    tables.check_target(out)
    if (ray := ray_options(engine, address)) is not None:
        _require_pieces("--engine ray", out)
    way = _Way(run / runs.MODEL, save_every, _parsed(shard, out), ray)
    if threads is not None:
        _use_threads(threads)
    model = runs.open_model(run)
    arguments: dict[str, Any] = {
        **query.asked_users(model, users, histories, user_attributes),
        "k": k,
        "hide_seen": hide_seen,
        "candidates": shop.each_or_all(tables.split_ids(candidates), candidates_file, "candidates"),
        "exclude": shop.each_or_all(tables.split_ids(exclude), exclude_file, "exclude"),
        "as_of": as_of,
        "on_unknown": on_unknown.value,
        **shop.rules_of(where, boost, at_most, diversity, new_items, pinned, rules, item_values),
    }
    with console.shown_warnings():
        if out is None or out.suffix.lower() == ".json":
            tables.deliver(to_polars(model.recommend(**arguments)), out)
        else:
            ctx.meta[console.HINT] = "The same command goes on where it stopped."
            _write(model, arguments, out, way, quiet)


def join(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The .csv or .parquet file that the shards were computed for.", show_default=False
        ),
    ],
) -> None:
    """Make one file of the shards that `attrformer recommend --shard` computed.

    The file is the one that the command without --shard writes, byte for byte. The shards are read from the folder
    FILE.shards and removed once the file is there. Where one is missing, unfinished, damaged, there twice or of
    another query, nothing is written and the message names it. No model is read.

    Example:  attrformer join everyone.parquet
    """
    from attrformer.recommender.shards import join_shards

    tables.check_target(out)
    done = join_shards(out)
    for note in done.notes:
        console.say(f"Note: {note}.")
    console.say(f"{done.rows:,} rows")
    typer.echo(out)


def _parsed(shard: str | None, out: Path | None) -> Shard | None:
    if shard is None:
        return None
    from attrformer.recommender.shards import Shard

    _require_pieces("--shard", out)
    return Shard.parse(shard)


def _require_pieces(option: str, out: Path | None) -> None:
    """Refuses an option that needs a file that is written in pieces."""
    from attrformer.recommender.streaming import FORMATS

    if out is None or out.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"{option} writes pieces of a file. Give --out a name in {' or '.join(FORMATS)}.")


def _use_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


@dataclass(frozen=True)
class _Way:
    """How answers get into a file: the folder of the model, users of a piece, the shard, and the cluster."""

    model: Path
    save_every: int
    shard: Shard | None = None
    ray: RayOptions | None = None

    @contextmanager
    def compute(self, request: Request, choice: Choice) -> Iterator[Compute | None]:
        """What computes the pieces; None for this process."""
        with on_cluster(self.ray) as cluster:
            if cluster is None:
                yield None
                return
            from attrformer.recommender.on_ray import on_ray

            yield on_ray(cluster, self.model, request, choice, save_every=self.save_every)


def _write(model: Recommender, arguments: dict[str, Any], out: Path, way: _Way, quiet: bool) -> None:
    """Streams the answers into a file, with a progress bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from attrformer.recommender.pieces import pieces_of
    from attrformer.recommender.streaming import unfinished_folder, write_recommendations

    request, choice = model.query(**arguments)
    every, shard = pieces_of(len(request), way.save_every), way.shard
    wanted = every if shard is None else shard.among(every)
    columns = (TextColumn("users"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        way.compute(request, choice) as compute,
        Progress(*columns, console=console.error_console(), transient=True, disable=quiet) as bar,
    ):
        task = bar.add_task("users", total=sum(map(len, wanted)))

        def show(done: int) -> None:
            bar.update(task, completed=done)

        given: dict[str, Any] = {"save_every": way.save_every, "shard": shard, "compute": compute, "progress": show}
        rows = write_recommendations(model.fitted, request, choice, out, **given)
    choice.warn()
    console.say(f"{rows:,} rows")
    if shard is not None:
        console.say(f"Once all {shard.of:,} shards are there: attrformer join {out}")
    typer.echo(out if shard is None else unfinished_folder(out, shard))
