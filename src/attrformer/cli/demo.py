"""`attrformer demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attrformer.cli import console, runs, tables


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the run; numbered where it exists already.")
    ] = Path("runs/demo"),
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="An option as name=value; may be repeated.", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Train on a small made-up shop and show what comes out of it.

    Prints the metrics, ten recommendations for one user with their reasons, and where the HTML report lies. Needs no
    data and takes a few minutes at most.

    Example:  attrformer demo --set training.epochs=5
    """
    from attrformer.dataset.sample import sample_dataset
    from attrformer.recommender import AttrFormer

    run = runs.free_folder(out)
    dataset = sample_dataset()
    options = runs.configuration(None, settings or ())
    console.say(f"A shop of {dataset.user_count:,} users and {dataset.item_count:,} items. Training into {run}")
    model = AttrFormer(options).fit(dataset, run=run, progress=not quiet)
    evaluation = model.evaluate(dataset)
    page = runs.record(run, model, evaluation)
    console.show(evaluation.table())
    user = dataset.user_ids.to_list()[0]
    console.show(tables.table(tables.history(dataset, user), f"What {user} had last"))
    reasons = tables.with_reasons(model.explain([user], k=10))
    console.show(tables.table(tables.with_titles(reasons, dataset), f"Ten recommendations for {user}"))
    console.say(f"Report: {page}")
