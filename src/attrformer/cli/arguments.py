"""Arguments and options that several commands take, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `attrformer train` wrote.", show_default=False)]

Users = Annotated[
    list[str] | None,
    typer.Option(
        "--users",
        "--user",
        "-u",
        help="User ids, separated by commas, or `all`; everyone where nobody is named at all.",
        show_default=False,
    ),
]

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="An option as name=value; may be repeated.", show_default=False),
]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
