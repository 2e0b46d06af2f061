"""`attrformer export`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from attrformer.cli import console
from attrformer.cli.arguments import Run
from attrformer.cli.index import open_on_processor


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
