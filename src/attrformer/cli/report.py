"""`attrformer report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder that `attrformer train` wrote.", show_default=False)
    ],
) -> None:
    """Write the HTML report of a run again and print where it lies.

    Works while the run is still training, too: the report shows the epochs so far.

    Example:  attrformer report runs/ml-1m
    """
    from attrformer.report import write_report

    typer.echo(write_report(run))
