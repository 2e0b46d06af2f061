"""`attrformer explain`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from attrformer.cli import console, query, runs, shop, tables
from attrformer.cli.arguments import Run, Users
from attrformer.errors import ConfigurationError
from attrformer.io import write_text
from attrformer.locks import locked_place

DRAWING = ".svg"


def explain(
    run: Run,
    users: Users = None,
    histories: query.Histories = None,
    user_attributes: query.UserAttributes = None,
    items: Annotated[
        list[str] | None,
        typer.Option("--items", "-i", help="Item ids, separated by commas; the k best by default.", show_default=False),
    ] = None,
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
    text: Annotated[bool, typer.Option("--text", help="Print text to read, also into a pipe.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the shares as bars into an .svg file.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Write every component to a .csv, .parquet or .json file.", show_default=False
        ),
    ] = None,
) -> None:
    """Say why: the share of each relation in each score, and what stands behind it.

    The components of a score sum to it. A terminal gets text with the strongest components of each item and their
    reasons, a pipe gets one line of csv for each item (or the text, with `--text`). `--out` writes all components, one
    a row, and `--plot` draws them.

    Example:  attrformer explain runs/ml-1m --user 1 -k 3
    """
    from attrformer.data import to_polars
    from attrformer.report import explanation_drawing, explanation_text

    tables.check_target(out)
    if plot is not None and plot.suffix.lower() != DRAWING:
        raise ConfigurationError(f"{plot} does not end in {DRAWING}. Give a file name that does.")
    model = runs.open_model(run)
    with console.shown_warnings():
        found = model.explain(
            **query.asked_users(model, users, histories, user_attributes),
            items=tables.split_ids(items),
            k=k,
            hide_seen=hide_seen,
            candidates=shop.each_or_all(tables.split_ids(candidates), candidates_file, "candidates"),
            exclude=shop.each_or_all(tables.split_ids(exclude), exclude_file, "exclude"),
            as_of=as_of,
            on_unknown=on_unknown.value,
            **shop.rules_of(where, boost, at_most, diversity, new_items, pinned, rules, item_values),
        )
    frame, known = to_polars(found), model.fitted.knowledge
    titles = tables.titles_of(known.item_ids, known.titles)
    if plot is not None:
        _write(explanation_drawing(frame, titles), plot)
    if out is not None:
        tables.deliver(frame, out)
    elif text or (plot is None and sys.stdout.isatty()):
        typer.echo(explanation_text(frame, titles), nl=False)
    elif plot is None:
        tables.deliver(tables.with_reasons(frame, titles), None)


def _write(drawing: str, path: Path) -> None:
    with locked_place(path):
        write_text(path, drawing)
    console.say(f"Drawing: {path}")
