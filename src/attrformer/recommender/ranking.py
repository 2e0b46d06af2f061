"""Ranked lists and their explanations, batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.columns import CONTRIBUTION, HISTORY, ITEM, PART, RANK, SCORE, USER
from attrformer.errors import ConfigurationError
from attrformer.nn.batch import Batch
from attrformer.recommender.fitted import Fitted
from attrformer.recommender.parts import loudest_positions, part_scores
from attrformer.recommender.requests import Request

Codes = NDArray[np.int64]

_ELEMENTS = 1 << 23
"""Scores in memory at a time."""

_MOST = 256
"""Histories answered together where the catalogue is small."""


def best_items(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best items of each row, equal scores in the order of the catalogue; -inf is never among them.

    Args:
        scores: `[b, items]`.
        k: items wanted.

    Returns:
        Rows and item codes, two int64 tensors of equal length, rows ascending, best items first.
    """
    k = min(k, scores.shape[1])
    # topk may take any of several equal scores; all that reach its last value are sorted out by hand.
    threshold = scores.topk(k, dim=1).values[:, -1:]
    rows, items = ((scores >= threshold) & (scores > -torch.inf)).nonzero(as_tuple=True)
    order = torch.argsort(scores[rows, items], descending=True, stable=True)
    order = order[torch.argsort(rows[order], stable=True)]
    rows, items = rows[order], items[order]
    kept = _places(rows, len(scores)) < k
    return rows[kept], items[kept]


def recommend(fitted: Fitted, request: Request, k: int, hide_seen: bool, candidates: Codes | None) -> pl.DataFrame:
    """`user_id, item_id, score, rank`, users in the order of the request, best items first.

    Args:
        fitted: the model.
        request: whom to answer.
        k: items for each.
        hide_seen: leave out what the history holds.
        candidates: item codes to choose from, or None for the whole catalogue.

    Raises:
        ConfigurationError: k is below 1.
    """
    _check_count(k)
    owners, chosen, values = [], [], []
    for block in _blocks(fitted, request):
        contexts = request.contexts.rows(block)
        scores = fitted.score(request.users[block], contexts)
        _mask(scores, contexts.row_of_position(), contexts.items, hide_seen, candidates)
        rows, items = best_items(scores, k)
        owners.append(block[rows.cpu().numpy()])
        chosen.append(items.cpu().numpy())
        values.append(scores[rows, items].cpu().numpy())
    owner = _joined(owners, np.int64)
    return pl.DataFrame(
        {
            USER: request.names.gather(owner),
            ITEM: fitted.knowledge.item_ids.decode(_joined(chosen, np.int64)),
            SCORE: _joined(values, np.float32),
            RANK: _ranks(owner),
        }
    )


def explain(fitted: Fitted, request: Request, k: int, hide_seen: bool, items: Codes | None) -> pl.DataFrame:
    """`user_id, item_id, score, rank, part, contribution, history`: the parts of each score, which they sum to.

    Args:
        fitted: the model.
        request: whom to answer.
        k: items for each, where `items` is None.
        hide_seen: leave out what the history holds, where `items` is None.
        items: item codes to explain, or None for the best; their rank is that among each other.

    Raises:
        ConfigurationError: k is below 1.
    """
    _check_count(k)
    blocks = _blocks(fitted, request)
    if not blocks:
        return _nothing(fitted, request)
    return pl.concat([_explain_block(fitted, request, block, k, hide_seen, items) for block in blocks])


def _explain_block(
    fitted: Fitted, request: Request, block: Codes, k: int, hide_seen: bool, wanted: Codes | None
) -> pl.DataFrame:
    contexts = request.contexts.rows(block)
    batch, outputs = fitted.outputs(request.users[block], contexts)
    scores = fitted.scores_of(outputs)
    shown = scores.clone()
    _mask(shown, contexts.row_of_position(), contexts.items, hide_seen and wanted is None, wanted)
    rows, items = best_items(shown, k if wanted is None else len(wanted))
    history = _history(fitted, batch, rows, items)
    owner, ids = block[rows.cpu().numpy()], fitted.knowledge.item_ids
    answers = pl.DataFrame(
        {
            USER: request.names.gather(owner),
            ITEM: ids.decode(items.cpu().numpy()),
            SCORE: scores[rows, items].cpu().numpy(),
            RANK: _ranks(owner),
        }
    )
    nothing = pl.Series([None] * len(answers), dtype=ids.values.dtype)
    frames = [
        answers.with_columns(
            pl.lit(name).alias(PART),
            pl.Series(CONTRIBUTION, values[rows, items].cpu().numpy()),
            history.get(name, nothing).alias(HISTORY),
        )
        for name, values in part_scores(outputs, fitted.precision)
    ]
    # Part after part becomes answer after answer.
    order = np.arange(len(frames) * len(answers)).reshape(len(frames), -1).T.ravel()
    return pl.concat(frames)[order]


def _history(fitted: Fitted, batch: Batch, rows: Tensor, items: Tensor) -> dict[str, pl.Series]:
    """External id of the item of the history that speaks loudest for each answer, by relation."""
    # Every history has answers of its own; padding them to one width lets all positions be asked at once.
    place = _places(rows, len(batch.items))
    width = int(place.max()) + 1 if len(place) else 1
    padded = torch.zeros(len(batch.items), width, dtype=torch.int64, device=items.device)
    padded[rows, place] = items
    found = {}
    for name, positions in loudest_positions(fitted.network, batch, padded).items():
        position = positions[rows, place]
        codes = batch.items[rows, position.clamp_min(0)].clamp_max(fitted.relations.items - 1)
        silent = pl.Series((position < 0).cpu().numpy())
        found[name] = fitted.knowledge.item_ids.decode(codes.cpu().numpy()).set(silent, None)
    return found


def _mask(
    scores: Tensor, rows: NDArray[np.int64], items: NDArray[np.int32], hide: bool, candidates: Codes | None
) -> None:
    """-inf for what may not be recommended, in place."""
    if candidates is not None:
        outside = torch.ones(scores.shape[1], dtype=torch.bool, device=scores.device)
        outside[torch.from_numpy(candidates).to(scores.device)] = False
        scores.masked_fill_(outside, -torch.inf)
    if hide:
        at = (torch.from_numpy(rows).to(scores.device), torch.from_numpy(items.astype(np.int64)).to(scores.device))
        scores[at] = -torch.inf


def _blocks(fitted: Fitted, request: Request) -> list[Codes]:
    size = max(1, min(_MOST, _ELEMENTS // max(1, fitted.relations.items)))
    everyone = np.arange(len(request.contexts))
    return [everyone[start : start + size] for start in range(0, len(everyone), size)]


def _places(rows: Tensor, count: int) -> Tensor:
    """Place of each entry within its row, for rows in ascending order."""
    counts = torch.bincount(rows, minlength=count)
    return torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]


def _ranks(owner: NDArray[np.int64]) -> NDArray[np.int64]:
    counts = np.bincount(owner)
    return np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner] + 1


def _joined(parts: list[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=kind)


def _nothing(fitted: Fitted, request: Request) -> pl.DataFrame:
    ids = fitted.knowledge.item_ids.values.dtype
    kinds: list[Any] = [request.names.dtype, ids, pl.Float32, pl.Int64, pl.String, pl.Float32, ids]
    names = (USER, ITEM, SCORE, RANK, PART, CONTRIBUTION, HISTORY)
    return pl.DataFrame(schema=dict(zip(names, kinds, strict=True)))


def _check_count(k: int) -> None:
    if k < 1:
        raise ConfigurationError(f"k is {k}. Give 1 or more.")
