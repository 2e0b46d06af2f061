"""Explanations: the components of each score, and what stands behind each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor

from attrformer.columns import COMPONENT, CONTRIBUTION, COUNT, HISTORY, ITEM, RANK, REASON, SCORE, USER, VALUE
from attrformer.models.inputs import together
from attrformer.recommender.attributions import Attributor, Explained
from attrformer.recommender.choice import Choice
from attrformer.recommender.lists import marks_of
from attrformer.recommender.parts import part_scores
from attrformer.recommender.popularity import popularity_parts
from attrformer.recommender.ranking import answers, blocks
from attrformer.recommender.requests import Group, Request
from attrformer.recommender.ruled_lists import RULE, boost_part, boosts_of, listed
from attrformer.recommender.state import ModelState
from attrformer.relations.config import RelationsConfig
from attrformer.relations.explaining import Attribution

Codes = NDArray[np.int64]

_ELEMENTS = 1 << 23
"""Pairs of answers and attribute values in memory at a time."""

_OWNER, _ORDER = "owner", "order"


def explain(
    fitted: ModelState, request: Request, choice: Choice, items: Codes | None, options: RelationsConfig
) -> pl.DataFrame:
    """`user_id, item_id, score, rank, part, contribution, history, value, count, reason`: a row for each part.

    Args:
        fitted: the model.
        request: the users to answer.
        choice: what may be recommended, where `items` is None.
        items: item codes to explain, or None for the best; their rank is that among each other.
        options: of the relations.
    """
    return pl.concat(
        [
            _nothing(fitted, request, choice if items is None else None),
            *explained(fitted, request, choice, items, options),
        ]
    )


def explained(
    fitted: ModelState,
    request: Request,
    choice: Choice,
    items: Codes | None,
    options: RelationsConfig,
    most: Callable[[], int] = lambda: _ELEMENTS,
) -> Iterator[pl.DataFrame]:
    """The same in pieces, for who has other things to do between them.

    Args:
        fitted: the model.
        request: as for `explain`, as are those that follow.
        choice: what may be recommended.
        items: item codes to explain, or None.
        options: of the relations.
        most: asked before each piece how many items it may explain; those of one person may come in several.
    """
    if items is not None:
        boosts = None if choice.rules is None else choice.rules.only_boosts()
        choice = Choice(max(len(items), 1), hide_seen=False, candidates=items, rules=boosts)
    each, largest, start = min(choice.k, fitted.relations.n_items), _most(fitted, choice.k), 0
    while start < len(request):
        asked = max(1, most())
        block = start + next(blocks(fitted, len(request) - start, max(1, min(largest, asked // each))))
        start += len(block)
        cut = asked if len(block) == 1 else each * len(block)
        groups = [
            _explain_group(fitted, request, group, choice, options, cut) for group in request.groups(fitted, block)
        ]
        if len(block) == 1:
            yield from map(_in_order, groups[0])
        else:
            # People of several groups stand between each other in the request.
            yield _in_order(pl.concat([next(group) for group in groups]))


def _explain_group(
    fitted: ModelState, request: Request, group: Group, choice: Choice, options: RelationsConfig, most: int
) -> Iterator[pl.DataFrame]:
    """The answers of a group with their parts, so many of them in each frame."""
    users, values = request.users[group.places], request.values_at(fitted, group.places)
    if group.contexts is None:
        batch, parts = None, list(popularity_parts(fitted, len(users), values))
        scores = sum((part for _, part in parts[1:]), parts[0][1].clone())
        named: Iterator[tuple[str, Tensor]] = iter(parts)
    else:
        batch, outputs = fitted.outputs(users, group.contexts, values, request.as_of)
        scores, named = fitted.scores_of(outputs), part_scores(outputs, fitted.precision)
    rows, items, shown = listed(fitted, choice, scores.clone(), group)
    frame = answers(fitted, request, group.places[rows.cpu().numpy()], items.cpu().numpy(), shown.cpu().numpy(), choice)
    named = chain(named, boost_part(choice, len(scores)))
    kept = list(named) if len(rows) > most else named
    for start in range(0, max(len(rows), 1), most):
        cut = slice(start, start + most)
        row = rows[cut].cpu().numpy()
        asked = Explained(
            batch, rows[cut], items[cut], users[row], {name: codes[row] for name, codes in values.items()}
        )
        yield _told(fitted, asked, frame[cut], group.places[row], kept, options, choice)


def _told(
    fitted: ModelState,
    asked: Explained,
    frame: pl.DataFrame,
    owner: Codes,
    parts: Iterable[tuple[str, Tensor]],
    options: RelationsConfig,
    choice: Choice,
) -> pl.DataFrame:
    """A row for each part of some answers.

    Args:
        fitted: the model.
        asked: the answers.
        frame: the same as a table.
        owner: int64 `[n]`, places in the request.
        parts: name and what it adds to the score of every item, `[b, items]`.
        options: of the relations.
        choice: what the answers were chosen by.
    """
    attributor = Attributor(fitted, asked, options)
    frames = []
    for order, (name, part) in enumerate(parts):
        added = part[asked.rows, asked.items].cpu().numpy()
        found = boosts_of(choice, asked.items.cpu().numpy()) if name == RULE else attributor.attributions(name, added)
        spoken = _columns(fitted, found)
        place = (pl.Series(_OWNER, owner), pl.lit(order, pl.Int64).alias(_ORDER))
        frames.append(
            frame.with_columns(pl.lit(name).alias(COMPONENT), pl.Series(CONTRIBUTION, added), *spoken, *place)
        )
    return pl.concat(frames)


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort(_OWNER, RANK, _ORDER).drop(_OWNER, _ORDER)


def _columns(fitted: ModelState, found: list[Attribution]) -> list[pl.Series]:
    """Attributions as the last columns of the answer."""
    codes = np.array([one.history for one in found], dtype=np.int64)
    history = fitted.knowledge.item_ids.decode(np.maximum(codes, 0)).rename(HISTORY).set(pl.Series(codes < 0), None)
    return [
        history,
        pl.Series(VALUE, [one.value for one in found], dtype=pl.String),
        pl.Series(COUNT, [one.count for one in found], dtype=pl.Int64),
        pl.Series(REASON, [one.reason for one in found], dtype=pl.String),
    ]


def _most(fitted: ModelState, k: int) -> int:
    """People who are explained together: their histories are, and each answer once for each value of an attribute."""
    widest = max((len(feature.labels) for feature in fitted.relations.features.values()), default=1)
    most = _ELEMENTS // (min(k, fitted.relations.n_items) * widest)
    return max(1, min(most, together(fitted.config.max_length)))


def _nothing(fitted: ModelState, request: Request, choice: Choice | None) -> pl.DataFrame:
    ids = fitted.knowledge.item_ids.values.dtype
    kinds: dict[str, Any] = {USER: request.names.dtype, ITEM: ids, SCORE: pl.Float32, RANK: pl.Int64}
    kinds |= dict.fromkeys(marks_of(choice, np.empty(0, dtype=np.int64)), pl.Boolean)
    kinds |= {COMPONENT: pl.String, CONTRIBUTION: pl.Float32, HISTORY: ids}
    kinds |= {VALUE: pl.String, COUNT: pl.Int64, REASON: pl.String}
    return pl.DataFrame(schema=kinds)
