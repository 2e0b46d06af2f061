"""What a model says about itself, for the page."""

from __future__ import annotations

from typing import Any

from attrformer.dataset.attributes import AttributeKind
from attrformer.errors import UnknownIdError
from attrformer.relations.build import UserRelation
from attrformer.serving.answering import Served

CONTENT = "content"


def describe(served: Served) -> dict[str, Any]:
    """Sizes, relations with their strength, attributes with their values."""
    model, fitted = served.model, served.model.fitted
    relations = fitted.relations
    return {
        "model": served.generation,
        "name": model.config.model.name,
        "dataset": fitted.knowledge.dataset,
        "items": len(served.catalogue),
        "users": len(fitted.knowledge.user_ids),
        "relations": {name: float(strength) for name, strength in model.relation_strengths().items()},
        "similar_by": similar_by(served),
        "pair_attributes": model.pair_attributes(),
        # The last value stands for a missing one.
        "user_attributes": {name: list(user.labels[:-1]) for name, user in relations.users.items()},
        "user_numbers": [name for name, user in relations.users.items() if _counted(user)],
        "item_attributes": list(relations.item_columns),
    }


def similar_by(served: Served) -> list[str]:
    """What `similar_items` takes as `by`."""
    relations = served.model.fitted.relations
    return [CONTENT, *relations.rows, *(f"item_{name}" for name in relations.features)]


def latest(served: Served, user_id: str, limit: int) -> tuple[Any, list[int]]:
    """The id of a user and the codes of the latest items, oldest first.

    Raises:
        UnknownIdError: the model does not know the user.
    """
    knowledge = served.model.fitted.knowledge
    code = int(knowledge.user_ids.encode([user_id])[0])
    if code < 0:
        raise UnknownIdError(f"user_id: '{user_id}' is not among the users of this model. Give a known id.")
    codes = knowledge.histories.row(code)[-limit:]
    return knowledge.user_ids.decode([code]).to_list()[0], codes.tolist()


def _counted(user: UserRelation) -> bool:
    return user.reading is not None and user.reading.kind in (AttributeKind.NUMERIC, AttributeKind.TIME)
