"""`attrformer demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attrformer.cli import console, runs, tables
from attrformer.cli.arguments import Quiet, Settings
from attrformer.columns import USER

SHOWN_USER = 0


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the run; numbered where it exists already.")
    ] = Path("runs/demo"),
    settings: Settings = None,
    quiet: Quiet = False,
) -> None:
    """Train on a small made-up shop and show what comes out of it.

    Prints the metrics, ten recommendations for one user with their reasons, and where the HTML report lies. Needs no
    data and takes a few minutes at most.

    Example:  attrformer demo --set training.epochs=5
    """
    from attrformer.data.sample import sample_dataset
    from attrformer.recommender import Recommender
    from attrformer.report import write_report

    run = runs.free_folder(out)
    options = runs.configuration(None, settings or ())
    dataset = sample_dataset()
    console.say(f"A shop of {dataset.user_count:,} users and {dataset.item_count:,} items. The run goes to {run}")
    model = Recommender(options).fit(dataset, run=run, progress=not quiet)
    runs.remember_sample(run)
    page = write_report(run)
    if model.evaluation is not None:
        console.show(model.evaluation.table())
    user = dataset.user_ids.to_list()[SHOWN_USER]
    console.show(tables.table(tables.latest(dataset, SHOWN_USER), f"What {user} bought last"))
    titles = tables.titles_of(dataset.item_ids, dataset.item_titles)
    reasons = tables.with_reasons(model.explain([user], k=10), titles)
    console.show(tables.table(reasons.drop(USER), f"Ten recommendations for {user}, strongest reasons first"))
    console.say(f"Report: {page}")
