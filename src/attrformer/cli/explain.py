"""`attrformer explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attrformer.cli import runs, tables
from attrformer.cli.arguments import Run, Users


def explain(
    run: Run,
    users: Users = None,
    histories: Annotated[
        Path | None,
        typer.Option(help="Histories, as for `attrformer recommend`.", show_default=False),
    ] = None,
    items: Annotated[
        list[str] | None,
        typer.Option("--items", "-i", help="Item ids, separated by commas; the k best by default.", show_default=False),
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="Items for each user.")] = 10,
    seen: Annotated[bool, typer.Option("--seen", help="Also explain what the user already had.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write every part to a .csv, .parquet or .json file.", show_default=False),
    ] = None,
) -> None:
    """Say why: the share of each relation in each score.

    The parts of a score sum to it. On the screen the strongest parts of each item stand side by side; `--out` writes
    all of them, one a row.

    Example:  attrformer explain runs/ml-1m --users 1 -k 3
    """
    from attrformer.dataset import to_polars

    tables.check_target(out)
    model = runs.open_model(run)
    found = model.explain(
        tables.split_ids(users),
        tables.read_histories(histories),
        items=tables.split_ids(items),
        k=k,
        hide_seen=not seen,
    )
    frame = to_polars(found)
    if out is None:
        known = model.fitted.knowledge
        frame = tables.with_reasons(frame, tables.titles_of(known.item_ids, known.titles))
    tables.deliver(frame, out)
