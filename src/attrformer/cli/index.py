"""`attrformer index`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attrformer.cli import console, runs
from attrformer.cli.arguments import Quiet, Run
from attrformer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrformer.recommender import Recommender

FOLDER = "index"


def index(
    run: Run,
    method: Annotated[
        str, typer.Option(help="exact, approximate, or auto: approximate for large catalogues only.")
    ] = "auto",
    content: Annotated[int, typer.Option(help="Items taken from the search over the content part.")] = 256,
    connectivity: Annotated[int, typer.Option(help="Edges of each item in the graph.")] = 16,
    threads: Annotated[int, typer.Option(min=1, help="Threads; with one the index is the same each time.")] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the index; RUN/index by default.", show_default=False)
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Make an index, with which the best items of a large catalogue are found without looking at every item.

    Needs the extra: pip install 'attrformer[ann]'. It serves the model as it is now: make it again when items were
    added or the model was trained further.

    Example:  attrformer index runs/ml-25m
    """
    from attrformer.retrieval import Index, IndexOptions

    options = IndexOptions(
        method=method,  # type: ignore[arg-type]
        content=content,
        connectivity=connectivity,
    )
    folder = run / FOLDER if out is None else out
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} is a file. Name a folder in --out.")
    model = open_on_processor(run)
    start = time.perf_counter()
    made = Index.build(model, options, threads=threads, progress=None if quiet else _progress())
    made.save(folder)
    items = model.fitted.relations.n_items
    if not made.approximate:
        console.say(f"{items:,} items are searched exactly; {folder} says so.")
        return
    seconds = time.perf_counter() - start
    console.say(f"{items:,} items indexed in {seconds:.0f} s, {made.memory >> 20} MiB, in {folder}")


def open_on_processor(run: Path) -> Recommender:
    """The model of a run, on the CPU whatever else there is.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    model = runs.open_model(run)
    return model if model.fitted.device.type == "cpu" else type(model).load(run / runs.MODEL, device="cpu")


def _progress() -> Callable[[int], None]:
    def tell(count: int) -> None:
        console.say(f"{count:,} items linked")

    return tell
