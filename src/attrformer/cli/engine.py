"""Where a command computes: `--engine` and `--address`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from attrformer.cli import console
from attrformer.errors import ConfigurationError

if TYPE_CHECKING:
    from attrformer.cluster import Cluster, RayOptions


class Engine(str, Enum):
    """Where a command computes."""

    LOCAL = "local"
    RAY = "ray"


EngineOption = Annotated[
    Engine, typer.Option("--engine", help="Compute in this process, or by tasks of a Ray cluster (attrformer[ray]).")
]

Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="The Ray cluster, or `auto` for the one that this machine belongs to; that of RAY_ADDRESS, or else Ray "
        "started on this machine alone.",
        show_default=False,
    ),
]


def ray_options(engine: Engine, address: str | None) -> RayOptions | None:
    """What the options ask for, checked before any work is done; None for this process.

    Raises:
        ConfigurationError: Ray is not installed, or the options do not go together.
    """
    if engine is Engine.LOCAL:
        if address is not None:
            raise ConfigurationError("--address is that of a Ray cluster. Give --engine ray, or leave it out.")
        return None
    from attrformer.cluster import RayOptions, require_ray

    require_ray()
    return RayOptions(address)


@contextmanager
def on_cluster(options: RayOptions | None) -> Iterator[Cluster | None]:
    """A connection for the time of a block, and a note where tasks were lost; None for this process.

    Raises:
        ClusterError: no cluster answers.
    """
    if options is None:
        yield None
        return
    from attrformer.cluster import connected

    with connected(options) as cluster:
        yield cluster
    if cluster.lost:
        console.say(f"Note: tasks lost with their node or process and run again: {cluster.lost:,}.")
