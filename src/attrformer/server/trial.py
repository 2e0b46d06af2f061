"""A model that has been read or changed is asked what requests will ask, before any of them meets it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from attrformer.columns import CONTRIBUTION, SCORE, USER
from attrformer.data.frames import to_polars
from attrformer.errors import AttrFormerError, CheckpointError
from attrformer.recommender import Recommender
from attrformer.server.calls import EXPLAIN, RECOMMEND, SIMILAR

_ASKED: Final = 32
"""Users, and items as histories of their own, that are asked about."""


def require_answers(model: Recommender) -> None:
    """Asks what requests will ask, and looks at the answers: what is called first is slow, and nothing damaged answers.

    Args:
        model: that has been read or changed.

    Raises:
        CheckpointError: an answer is empty or holds a score that is no number.
    """
    knowledge = model.fitted.knowledge
    items = _spread(knowledge.item_ids.values.to_list())
    users = _spread(np.flatnonzero(knowledge.histories.lengths > 0).tolist())
    known = knowledge.user_ids.decode(users).to_list() if users else []
    everything: dict[str, Any] = {"k": 50, "hide_seen": False}
    _ask(model, RECOMMEND, must=True, histories=[[item] for item in items], **everything)
    if known:
        _ask(model, RECOMMEND, must=True, users=known, **everything)
    _ask(model, EXPLAIN, histories=[items[:3], items[:1]], k=3, hide_seen=False)
    _ask(model, SIMILAR, items=items[:1])


def _ask(model: Recommender, method: str, must: bool = False, **arguments: Any) -> None:
    try:
        answer = to_polars(getattr(model, method)(**arguments))
    except AttrFormerError:
        # A model may refuse one of these, as it would refuse the request.
        return
    people = len(arguments.get("histories", arguments.get("users", ())))
    scores = [answer[name].to_numpy() for name in (SCORE, CONTRIBUTION) if name in answer.columns]
    if (must and answer[USER].n_unique() < people) or not all(np.isfinite(values).all() for values in scores):
        raise CheckpointError(
            "The model cannot be used: it gives no answers, or scores that are no numbers. "
            "Train it again, or restore it from a copy."
        )


def _spread(values: list[Any]) -> list[Any]:
    """Some values from the whole of a list, the first and the last among them."""
    if not values:
        return []
    places = np.unique(np.linspace(0, len(values) - 1, min(len(values), _ASKED)).astype(int))
    return [values[place] for place in places.tolist()]
