"""`attrformer report`."""

from __future__ import annotations

import typer

from attrformer.cli.arguments import Run


def report(run: Run) -> None:
    """Write the HTML report of a run again and print where it lies.

    Works while the run is still training, too: the report shows the epochs so far.

    Example:  attrformer report runs/ml-1m
    """
    from attrformer.report import write_report

    typer.echo(write_report(run))
