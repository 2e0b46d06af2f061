"""`attrformer check`."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from attrformer.cli import console, reading
from attrformer.cli.arguments import (
    Columns,
    DateFirst,
    Decimals,
    Delimited,
    Duplicates,
    Encoding,
    Headers,
    Kinds,
    Separators,
    Vectors,
)

FOUND = 1
UNUSABLE = 2


class Strict(str, Enum):
    """From which severity on a finding fails the command."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


def check(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Dataset folder, raw files as `attrformer prepare` takes them, or one table of interactions.",
            show_default=False,
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    strict: Annotated[
        Strict | None,
        typer.Option(help="Exit with code 1 where there is a finding of this severity or worse.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write an HTML page, too (.html).", show_default=False)
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(help="Of raw files, as for `attrformer prepare`; recognised by itself.", show_default=False),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            help="Which interactions are predicted, as data.targets says, such as event=purchase.", show_default=False
        ),
    ] = None,
    negative: Annotated[
        str | None,
        typer.Option(
            help="Which interactions count against their item, as data.negative says, such as event=return.",
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
) -> None:
    """Say what your data will do to your figures, before anything is trained.

    Looks for duplicates, repeats, times that are unknown or arbitrary, ids that tell whose an item is, columns that
    were computed after the fact, edges that know test pairs, cold items, columns that are not what they seem; and says
    what every column will be used as. Each finding comes with its numbers, examples and what to do.

    Exit codes: 0; 1 where --strict finds something; 2 where no dataset can be made of the data.

    Example:  attrformer check data/ml-1m --strict warning
    """
    from attrformer.data.check import check_path
    from attrformer.data.check.opening import UNREADABLE
    from attrformer.errors import ConfigurationError

    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise ConfigurationError(f"{out} does not end in .html. Give a file name that does.")
    forms = reading.forms_of(date_order, delimiter, decimal, encoding, headers)
    given = reading.as_given(columns, kinds, separators, duplicates, vectors, forms=forms)
    report = check_path(data, format=format, targets=targets, negative=negative, **given)
    if out is not None:
        from attrformer.report import write_check

        write_check(report.to_json(), out)
        console.say(f"Page: {out}")
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        console.show(report)
    if report.find(UNREADABLE) is not None:
        raise typer.Exit(UNUSABLE)
    if strict is not None and report.from_on(strict.value):
        raise typer.Exit(FOUND)
