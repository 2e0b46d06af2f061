"""`attrformer download`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from attrformer.cli import console
from attrformer.errors import DownloadError


class Command(TyperCommand):
    """Lists in its help the data sets that can be fetched, also those of a file that --plugins names."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help; reading what is registered takes a moment that other commands are spared."""
        from attrformer.data.formats import SOURCES

        for argument in self.params:
            if argument.name == "name":
                argument.help = f"{', '.join(SOURCES)}."  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def download(
    name: Annotated[str, typer.Argument(help="Name of the data set.", metavar="NAME", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the raw files.")] = Path("data/raw"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the licence terms without being asked.")] = False,
    url: Annotated[
        str | None, typer.Option(help="Another address that serves the same files.", show_default=False)
    ] = None,
) -> None:
    """Fetch the raw files of a public data set.

    Shows the licence first, continues a broken download, and checks the checksum where one is published.

    Example:  attrformer download ml-1m
    """
    from attrformer.data.download import fetch, find_source

    source = find_source(name)
    console.say(f"{source.title}\n{source.terms}\nFull terms: {source.terms_url}\n")
    if not (yes or (sys.stdin.isatty() and typer.confirm("Do you accept these terms?", err=True))):
        raise DownloadError(f"The terms of {name} are not accepted. Read them above, then give --yes.")
    location = fetch(name, out, base_url=url, accept_licence=True)
    console.say(f"Next: attrformer prepare {location} --out data/{name}")
    typer.echo(location)
