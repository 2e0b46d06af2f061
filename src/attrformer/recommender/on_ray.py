"""Recommendations by a Ray cluster: its tasks compute the pieces that one machine would compute, with the same bits.

Tasks return their pieces to the command, which writes them as it writes its own. So nodes need the model's folder and
nothing to write to, an interrupted command goes on whatever engine it is given, and a task that is lost and repeated
leaves nothing behind. Lists of ten items take some 20 bytes each: a hundred million users are 20 GB through one
machine, far less than it takes to compute them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch

from attrformer.cluster import Cluster, Work
from attrformer.errors import CheckpointError
from attrformer.plugins import load_plugins, loaded_names
from attrformer.recommender.choice import Choice
from attrformer.recommender.model import Recommender
from attrformer.recommender.pieces import Piece
from attrformer.recommender.ranking import recommend
from attrformer.recommender.requests import Request
from attrformer.recommender.short_lists import ShortLists
from attrformer.recommender.state import ModelState
from attrformer.recommender.streaming import SAVE_EVERY, Compute, fingerprint

_State = tuple[ModelState, Request, Choice]


@dataclass(frozen=True, slots=True)
class _Shared:
    """What every task reads."""

    folder: Path
    plugins: tuple[str, ...]
    threads: int
    save_every: int
    query: str
    request: Request
    choice: Choice


def on_ray(
    cluster: Cluster, folder: Path, request: Request, choice: Choice, *, save_every: int = SAVE_EVERY
) -> Compute:
    """What `write_recommendations` takes as `compute`, to have the pieces computed by a cluster.

    Each task uses as many threads as this process would (`torch.get_num_threads`), since the last bits of scores depend
    on that, and takes as many processors of its node. A process of a node loads the model once.

    Args:
        cluster: to compute on, of the block `with connected(...)`.
        folder: of the saved model, under the same path on every node.
        request: the users to answer.
        choice: what may be recommended.
        save_every: people answered between two saves, as for `write_recommendations`.
    """
    threads = torch.get_num_threads()

    def compute(pieces: list[Piece], query: str) -> Iterator[tuple[Piece, pl.DataFrame]]:
        asked = choice if choice.short is None else choice.telling(ShortLists(request.names))
        shared = _Shared(folder.resolve(), loaded_names(), threads, save_every, query, request, asked)
        for piece, (answers, short) in cluster.run(Work(_load, _answer, shared, threads), pieces):
            if choice.short is not None and short is not None:
                choice.short.take(short)
            yield piece, answers

    return compute


def _load(shared: _Shared) -> _State:
    """The model and the query, once in each process of a node.

    Raises:
        CheckpointError: the folder of the model is not there, or holds another model.
    """
    torch.set_num_threads(shared.threads)
    if not shared.folder.is_dir():
        raise CheckpointError(
            f"There is no folder {shared.folder}. Put the run on a file system that all nodes have under the same "
            "path, or copy it to each."
        )
    load_plugins(shared.plugins)
    fitted = Recommender.load(shared.folder, device="cpu").fitted
    if fingerprint(fitted, shared.request, shared.choice, shared.save_every) != shared.query:
        raise CheckpointError(
            f"{shared.folder} holds another model than the one that was given. Copy the same one to every node; save a "
            "model that was changed."
        )
    return fitted, shared.request, shared.choice


def _answer(state: _State, piece: Piece) -> tuple[pl.DataFrame, ShortLists | None]:
    """The recommendations of a piece, and what is to be said of them."""
    fitted, request, choice = state
    short = None if choice.short is None else ShortLists(request.names)
    told = choice if short is None else choice.telling(short)
    answers = recommend(fitted, request, told, np.arange(piece.start, piece.stop))
    # Its names are those of all users.
    return answers, None if short is None else ShortLists(request.names[:0], short.notes, short.count)
