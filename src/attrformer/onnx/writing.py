"""Exporting a fitted model to ONNX."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from attrformer.errors import ConfigurationError
from attrformer.folders import new_folder
from attrformer.locks import locked_place
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.nn.relations.base import ContributingModule
from attrformer.onnx.folder import GRAPH, Description, UserAttribute, is_export, write_description
from attrformer.onnx.graph import ScoringGraph
from attrformer.onnx.inputs import LEVELS, NEIGHBOURS, NOW, THEN, USERS
from attrformer.recommender.model import Recommender
from attrformer.recommender.state import ModelState
from attrformer.relations.naming import module_key
from attrformer.relations.positions import NO_TIMES

OPSET: Final = 20
EXPORTABLE: Final = ("attrformer", "sasrec")
"""Models whose graphs are tested."""

_SINGLE_FILE = 1 << 30
"""Bytes of weights and relations up to which a graph is one file; ONNX itself allows 2 GiB."""


def export_model(model: Recommender, folder: Path | str) -> Path:
    """Writes a model that `OnnxRecommender` runs: encoder and scorer with all relations and attributes.

    The graph takes batches and histories of any length; its outputs are "hidden" `[batch, width]` and "scores"
    `[batch, items]`. Similar users, and the values that items have at a time, are searched outside of it, by plain
    array operations.

    Args:
        model: a fitted model on the CPU.
        folder: made where needed; an exported model that lies there is replaced when the new one is complete.

    Returns:
        The folder.

    Raises:
        NotFittedError: the model is not fitted.
        ConfigurationError: a package is missing, the model is of another kind or on another device, or the folder
            holds something else.
        BusyError: another process is exporting into the folder.
        WriteError: it cannot be written; what was exported before is as it was.
    """
    folder, fitted = Path(folder), model.fitted
    _check(fitted, folder)
    graph = ScoringGraph(fitted.network).eval()
    size = sum(tensor.nbytes for tensor in (*graph.parameters(), *graph.buffers()))
    program = _translated(graph, _example(fitted))
    with locked_place(folder), new_folder(folder) as unfinished:
        program.save(str(unfinished / GRAPH), external_data=size > _SINGLE_FILE)
        write_description(_describe(fitted), unfinished)
    return folder


def _check(fitted: ModelState, folder: Path) -> None:
    if fitted.config.name not in EXPORTABLE:
        raise ConfigurationError(
            f"'{fitted.config.name}' cannot be exported. Models that can be: {', '.join(EXPORTABLE)}."
        )
    if isinstance(fitted.network, AttrFormerNetwork):
        for name, module in fitted.network.contributing().items():
            if type(module).onnx_contribution is ContributingModule.onnx_contribution:
                raise ConfigurationError(
                    f"The relation '{name}' has no counterpart in ONNX. Fit a model without it to export that."
                )
    if fitted.device.type != "cpu":
        raise ConfigurationError(f"The model is on {fitted.device}. Load it with device='cpu' to export it.")
    try:
        import onnxscript  # noqa: F401

        import onnx  # noqa: F401
    except ImportError as error:
        raise ConfigurationError("Exporting needs onnx and onnxscript: pip install 'attrformer[onnx]'.") from error
    if folder.exists() and not is_export(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder} holds something else than an exported model. Give another folder.")


def _example(fitted: ModelState) -> dict[str, Tensor]:
    """Inputs that trace every path; no two sizes are equal, and none is 1, so that all that may vary does."""
    # Of a model that reads the last interaction alone as well; the position of the first stands for both here.
    relations, count, length = fitted.relations, 3, min(5, max(2, fitted.config.max_length))
    inputs = {
        "items": torch.zeros(count, length, dtype=torch.long),
        "lengths": torch.full((count,), length),
    }
    if not isinstance(fitted.network, AttrFormerNetwork):
        return inputs
    if relations.reads_times:
        inputs["times"] = torch.full((count, length), NO_TIMES)
    for name in relations.levels:
        inputs[LEVELS + module_key(name)] = torch.zeros(count, length, dtype=torch.long)
    for name in relations.users:
        inputs[USERS + module_key(name)] = torch.zeros(count, dtype=torch.long)
    for relation in relations.changing.values():
        inputs[THEN + module_key(relation.name)] = torch.zeros(count, length, dtype=torch.long)
        inputs[NOW + module_key(relation.name)] = torch.zeros(count, relations.n_items, dtype=torch.long)
    index = relations.similar_users
    if index is not None:
        shape = (count, index.count)
        inputs[f"{NEIGHBOURS}users"] = torch.zeros(shape, dtype=torch.long)
        inputs[f"{NEIGHBOURS}similarity"] = torch.ones(shape)
        inputs[f"{NEIGHBOURS}following"] = torch.zeros(*shape, index.horizon, dtype=torch.long)
    return inputs


def _translated(graph: ScoringGraph, inputs: dict[str, Tensor]) -> Any:
    """The graph as an ONNX program with free batch and length."""
    batch, length = torch.export.Dim.DYNAMIC, torch.export.Dim.DYNAMIC
    shapes = {
        name: {0: batch, 1: length} if name in ("items", "times") or name.startswith((LEVELS, THEN)) else {0: batch}
        for name in inputs
    }
    with _quiet(), torch.no_grad():
        return torch.onnx.export(
            graph,
            (),
            kwargs={"inputs": inputs},
            dynamo=True,
            dynamic_shapes={"inputs": shapes},
            input_names=list(inputs),
            output_names=["hidden", "scores"],
            opset_version=OPSET,
            verbose=False,
        )


def _describe(fitted: ModelState) -> Description:
    relations, knowledge = fitted.relations, fitted.knowledge
    whole = isinstance(fitted.network, AttrFormerNetwork)
    attributes = {n: UserAttribute(user.labels, user.codes, user.encoder) for n, user in relations.users.items()}
    return Description(
        model=fitted.config.name,
        max_length=fitted.config.max_length,
        times=whole and relations.reads_times,
        items=knowledge.item_ids,
        users=knowledge.user_ids,
        frame_library=knowledge.frame_library,
        attributes=attributes if whole else {},
        levels=relations.levels if whole else {},
        similar_users=relations.similar_users if whole else None,
        behaviours=fitted.behaviours,
        meaning=knowledge.histories.meaning,
        item_values=knowledge.item_values,
        changing={relation.name: relation for relation in relations.changing.values()} if whole else {},
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks about packages that are not installed and about its own progress."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
