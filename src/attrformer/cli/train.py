"""`attrformer train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attrformer.cli import console, reading, runs
from attrformer.cli.arguments import (
    Columns,
    DateFirst,
    Decimals,
    Delimited,
    Duplicates,
    Encoding,
    Headers,
    Kinds,
    Quiet,
    Separators,
    Settings,
    Vectors,
)
from attrformer.locks import locked_folder
from attrformer.ranks import joined

if TYPE_CHECKING:
    from attrformer.recommender import Config


def train(
    ctx: typer.Context,
    data: Annotated[Path, typer.Option("--data", "-d", help="Dataset folder.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the run, new or to be resumed.", show_default=False)
    ],
    settings: Settings = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="YAML file of options.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    warm_start: Annotated[
        Path | None,
        typer.Option(
            "--warm-start",
            metavar="RUN",
            help="Run whose model is gone on from, on data that may have grown.",
            show_default=False,
        ),
    ] = None,
    columns: Columns = None,
    kinds: Kinds = None,
    separators: Separators = None,
    vectors: Vectors = None,
    duplicates: Duplicates = None,
    date_order: DateFirst = None,
    delimiter: Delimited = None,
    decimal: Decimals = None,
    encoding: Encoding = None,
    headers: Headers = None,
    quiet: Quiet = False,
) -> None:
    """Train a model on a dataset folder, then evaluate it.

    First it says what every column is used as, and what is suspicious in the data: `attrformer check` in short.

    The run folder gets the configuration, the metrics of each epoch, checkpoints, the model, its figures on the test
    interactions and an HTML report. Ctrl-C saves, as SIGTERM does; the same command with `--resume` continues.

    Several processes train one model if torchrun starts them; no option changes. See docs/training-many-processes.md.

    Where data have grown, `--warm-start RUN` begins with what an earlier run learned of the same items and values.

    Example:  attrformer train --data data/ml-1m --out runs/ml-1m --set training.epochs=50

    `attrformer options` lists everything that can be set.
    """
    from attrformer.recommender import Recommender
    from attrformer.report import write_report

    ctx.meta[console.HINT] = "The same command with --resume continues."
    with joined() as ranks:
        if ranks.first:
            # Held over everything that is written, and taken first: a run in progress is no run to be resumed.
            ctx.with_resource(locked_folder(out))
            runs.check_free(out, resume=resume)
        else:
            console.hush()

        forms = reading.forms_of(date_order, delimiter, decimal, encoding, headers)

        def configured() -> Config:
            options = runs.configuration(config, settings or (), resumed=out if resume else None)
            return reading.configured(options, columns, kinds, separators, duplicates, vectors, forms=forms)

        start = ranks.in_turn(lambda: None if warm_start is None else runs.open_model(warm_start))
        options = ranks.in_turn(configured)
        dataset, split = ranks.shared(lambda: runs.open_split(data, options))
        checked = runs.check_data(dataset, data, options, quiet=quiet) if ranks.first else None
        with console.notes():
            model = Recommender(options).fit(
                dataset, split=split, run=out, resume=resume, progress=not quiet, warm_start=start
            )
        if checked is None:
            return
        runs.remember_data(out, data)
        runs.remember_check(out, checked)
        page = write_report(out)
        if model.evaluation is not None:
            console.show_all(model.evaluation.tables())
        console.say(f"Report: {page}\nNext: attrformer recommend {out} -k 10")
