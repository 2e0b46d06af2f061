"""`attrformer evaluate`."""

from __future__ import annotations

import json
from enum import Enum
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
    Run,
    Separators,
    Vectors,
)
from attrformer.cli.console import shown_warnings
from attrformer.errors import AttrFormerError, BusyError, CheckpointError, WriteError
from attrformer.locks import locked_folder

if TYPE_CHECKING:
    from attrformer.evaluation import Evaluation

BRIEFLY = 5.0
"""Seconds to wait for another evaluation to write its figures."""


class Part(str, Enum):
    """The interactions that are to be predicted."""

    TEST = "test"
    VALIDATION = "validation"


def evaluate(
    run: Run,
    data: Annotated[
        Path | None,
        typer.Option("--data", "-d", help="Dataset folder; the one it was trained on by default.", show_default=False),
    ] = None,
    part: Annotated[Part, typer.Option("--part", help="Which interactions to predict.")] = Part.TEST,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            metavar="NAMES",
            help="Metrics to report, separated by commas, also ones of your own; those of the run by default.",
            show_default=False,
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules",
            help="A YAML file with rules of a shop that lists are made by; they read attributes as they were at the "
            "time of each target. These figures are shown and not kept in the run.",
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Rank the whole catalogue for every user and print the metrics with their confidence intervals.

    Both variants are always given: seen=hidden leaves out what the user already had, so that a target which repeats it
    is a miss; seen=ranked ranks every item. Repeated targets, earlier targets of a user, new items and new users are
    shown apart where there are any.
    Where the run held items out of training, the figures among these items alone follow.

    Example:  attrformer evaluate runs/ml-1m --json > figures.json
    """
    named = None if metrics is None else [name.strip() for name in metrics.split(",") if name.strip()]
    model = runs.open_model(run)
    forms = reading.forms_of(date_order, delimiter, decimal, encoding, headers)
    options = reading.configured(model.config, columns, kinds, separators, duplicates, vectors, forms=forms)
    told = reading.as_given(columns, None, None, None)["columns"]
    dataset, split = runs.split_of_run(run, data, options, told)
    with shown_warnings():
        evaluation = model.evaluate(dataset, split=split, part=part.value, metrics=named, rules=rules)
    unkept = _keep(run, evaluation) if part is Part.TEST and not evaluation.protocol.rules else None
    if as_json:
        typer.echo(json.dumps(evaluation.to_json(), indent=2))
    else:
        console.show_all(evaluation.tables())
    if unkept is not None:
        raise unkept


def _keep(run: Path, evaluation: Evaluation) -> AttrFormerError | None:
    """Writes the figures into the run; returns what is wrong with it, since they are shown all the same."""
    from attrformer.recommender.run_folder import RunFolder
    from attrformer.report import write_report

    try:
        with locked_folder(run, wait=BRIEFLY):
            RunFolder(run).add_evaluation(evaluation)
            write_report(run)
    except BusyError as error:
        console.say(f"Note: the figures are not kept in the run. {error}")
    except (WriteError, CheckpointError) as error:
        return error
    return None
