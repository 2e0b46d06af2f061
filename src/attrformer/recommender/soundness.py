"""Whether what was read of a model can be one: values in range, sizes that agree, numbers that are finite."""

from __future__ import annotations

import torch
from torch import Tensor

from attrformer.data.id_map import IdMap
from attrformer.recommender.state import ModelMetadata
from attrformer.relations.array_checks import (
    FLOATS,
    is_count,
    is_finite,
    require_array,
    require_sequences,
    require_that,
)
from attrformer.relations.relation_set import RelationSet


def require_sound(relations: RelationSet, knowledge: ModelMetadata, parameters: dict[str, Tensor]) -> None:
    """Looks through a model before it answers anybody.

    Args:
        relations: for inference.
        knowledge: ids, histories and what else is stored.
        parameters: weights by name.

    Raises:
        ValueError: a part cannot be that of a fitted model; the message names it.
    """
    require_that(is_count(relations.n_items), "the number of items is none")
    _require_knowledge(knowledge, relations.n_items)
    for name, values in parameters.items():
        finite = not values.is_floating_point() or bool(torch.isfinite(values).all())
        require_that(finite, f"'{name}' holds values that are no finite numbers")
    require_array("popularity", relations.popularity, FLOATS, (relations.n_items,), least=0)
    for relation in relations.values():
        relation.check(relations.n_items, len(knowledge.user_ids))


def require_ids(name: str, ids: IdMap) -> None:
    """Looks through external ids.

    Raises:
        ValueError: one is missing or there twice.
    """
    require_that(ids.values.null_count() == 0, f"an id of the {name} is missing")
    require_that(ids.values.n_unique() == len(ids), f"an id of the {name} is there twice")


def _require_knowledge(knowledge: ModelMetadata, items: int) -> None:
    require_ids("users", knowledge.user_ids)
    require_ids("items", knowledge.item_ids)
    require_that(len(knowledge.item_ids) == items, "there are more or fewer item ids than items")
    titles = knowledge.titles
    require_that(titles is None or len(titles) == items, "there are more or fewer titles than items")
    require_sequences("histories", knowledge.histories, items)
    require_that(len(knowledge.histories) == len(knowledge.user_ids), "there are more or fewer histories than users")
    texts = (knowledge.dataset, knowledge.frame_library, knowledge.precision, knowledge.selection, *knowledge.edges)
    require_that(all(isinstance(text, str) for text in texts), "a name is no text")
    require_that(isinstance(knowledge.figures, dict), "its figures are no object")
    require_that(
        is_finite(knowledge.dropout) and is_count(knowledge.updated), "a figure about its training is no number"
    )
    require_that(all(map(is_finite, dict(knowledge.strengths).values())), "the strength of a relation is no number")
