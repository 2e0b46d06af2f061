"""What a model says about itself, for the page."""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

import numpy as np

from attrformer.columns import TIMESTAMP, USER
from attrformer.data.attributes import AttributeKind
from attrformer.data.sequences import Sequences
from attrformer.errors import UnknownIdError
from attrformer.recommender.similar import item_relations
from attrformer.relations.user_attribute import UserAttributeRelation
from attrformer.server.answering import Served

CONTENT = "content"
BEHAVIOURS: Final = "behaviours"


def describe(served: Served) -> dict[str, Any]:
    """Sizes, relations with their strength, attributes with their values."""
    model, fitted = served.model, served.model.fitted
    relations, values = fitted.relations, fitted.knowledge.item_values
    return {
        "model": served.generation,
        "version": served.version,
        "name": model.config.model.name,
        "dataset": fitted.knowledge.dataset,
        "items": len(served.catalogue),
        "users": len(fitted.knowledge.user_ids),
        "relations": {name: float(strength) for name, strength in model.relation_strengths().items()},
        "similar_by": similar_by(served),
        "pair_attributes": model.pair_attributes(),
        "user_attributes": {name: _values(user) for name, user in relations.users.items()},
        "user_numbers": [name for name, user in relations.users.items() if _counted(user)],
        "item_attributes": list(relations.item_columns),
        "item_columns": [] if values is None else sorted(values.columns),
        "changing_columns": sorted({*relations.changing_columns, *([] if values is None else values.changes)}),
    }


def similar_by(served: Served) -> list[str]:
    """What `similar_items` takes as `by`."""
    return [CONTENT, *item_relations(served.model.fitted)]


def latest(served: Served, user_id: str, limit: int) -> dict[str, Any]:
    """What a user did last: user_id, how many items are known, and the latest of them with times, oldest first.

    Args:
        served: the model.
        user_id: as text.
        limit: most items to give.

    Raises:
        UnknownIdError: the model does not know the user.
    """
    knowledge = served.model.fitted.knowledge
    code = int(knowledge.user_ids.encode([user_id])[0])
    if code < 0:
        raise UnknownIdError(f"user_id: '{user_id}' is not among the users of this model. Give a known id.")
    row = knowledge.histories.rows(np.array([code]))
    items = []
    for place in range(max(0, len(row.items) - limit), len(row.items)):
        item = served.catalogue.entry(int(row.items[place]))
        if row.times is not None:
            item[TIMESTAMP] = int(row.times[place])
        if row.behaviours:
            item[BEHAVIOURS] = {name: _behaviour(row, name, place) for name in row.behaviours}
        items.append(item)
    return {USER: knowledge.user_ids.decode([code]).to_list()[0], "total": len(row.items), "items": items}


def _behaviour(row: Sequences, name: str, place: int) -> float | str | None:
    """A behaviour attribute as a history may hold it again: a number, a value, or None where it is missing."""
    value, labels = float(row.behaviours[name][place]), row.meaning.values.get(name)
    if not isfinite(value):
        return None
    if labels is None:
        return value
    return labels[int(value)] if value < len(labels) else None


def _values(user: UserAttributeRelation) -> list[str]:
    """What can be chosen among; nothing where a value is given and its group found."""
    grouped = user.encoder is not None and user.encoder.clusters is not None
    # The last value stands for a missing one.
    return [] if grouped else list(user.labels[:-1])


def _counted(user: UserAttributeRelation) -> bool:
    return user.encoder is not None and user.encoder.kind in (AttributeKind.NUMERIC, AttributeKind.TIME)
