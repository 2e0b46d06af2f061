"""`attrformer publish`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from attrformer.cli import console, runs


def publish(
    to: Annotated[
        Path, typer.Option("--to", metavar="MODELS", help="Folder of versions; made where needed.", show_default=False)
    ],
    run: Annotated[
        Path | None,
        typer.Argument(metavar="RUN", help="Run or saved model; none to go to a version there.", show_default=False),
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Name of the version; the time of now in UTC by default.", show_default=False)
    ] = None,
    keep: Annotated[
        int | None, typer.Option(help="Newest versions that stay; all by default.", show_default=False)
    ] = None,
) -> None:
    """Put a model into a folder of versions as the current one, which every service of that folder changes to.

    The copy is read and tried first; a model that cannot be used changes nothing. Services see the change within
    seconds, and answer with the version before meanwhile. Without RUN, a version that is there becomes the current one.

    Example:  attrformer publish runs/ml-1m --to models --keep 3
    """
    from attrformer.errors import ConfigurationError
    from attrformer.recommender import Recommender
    from attrformer.server import versions
    from attrformer.server.trial import require_answers

    if run is None and version is None:
        raise ConfigurationError("There is nothing to publish. Give a RUN, or --version to go to one that is there.")
    name = versions.publish(
        run, to, version, keep=keep, check=lambda folder: require_answers(Recommender.load(folder, device="cpu"))
    )
    if run is not None:
        runs.tell_of_kept(run, "the version does not have them")
    console.say(f"{to / versions.CURRENT} is {name}.")
