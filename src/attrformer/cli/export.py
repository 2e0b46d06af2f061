"""`attrformer index`, `attrformer export`, `attrformer report`: what is made of a finished run."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attrformer.cli import console, runs
from attrformer.cli.arguments import Quiet, Run
from attrformer.errors import ConfigurationError

if TYPE_CHECKING:
    from attrformer.recommender import Recommender


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
    folder = run / "index" if out is None else out
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} is a file. Name a folder in --out.")
    model = open_on_processor(run)
    start = time.perf_counter()
    progress = None if quiet else lambda count: console.say(f"{count:,} items linked")
    made = Index.build(model, options, threads=threads, progress=progress)
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


class Format(str, Enum):
    """What a model can be exported to."""

    ONNX = "onnx"


def export(
    run: Run,
    format: Annotated[Format, typer.Option(help="What to write.")] = Format.ONNX,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder; RUN/onnx by default.", show_default=False)
    ] = None,
) -> None:
    """Export a run for onnxruntime: encoder and scorer with all relations, and what turns ids into their inputs.

    Needs the extra: pip install 'attrformer[onnx]'. In Python, OnnxRecommender.load(folder).recommend(histories) then
    answers as the model does, without torch.

    Example:  attrformer export runs/ml-1m --out ml-1m-onnx
    """
    from attrformer.onnx import export_model

    folder = run / format.value if out is None else out
    export_model(open_on_processor(run), folder)
    console.say(f"Exported to {folder}")


def report(run: Run) -> None:
    """Write the HTML report of a run again and print where it lies.

    Works while the run is still training, too: the report shows the epochs so far.

    Example:  attrformer report runs/ml-1m
    """
    from attrformer.report import write_report

    typer.echo(write_report(run))
