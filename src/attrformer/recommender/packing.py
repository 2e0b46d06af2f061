"""Relations as named arrays, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from attrformer.relations.base import Arrays
from attrformer.relations.registry import kind_of
from attrformer.relations.relation_set import RelationSet


def pack_relations(relations: RelationSet) -> tuple[Arrays, dict[str, Any]]:
    """Relations for inference as arrays and a plain description of them.

    Names given by users stand in the description only; arrays are named by number.

    Args:
        relations: as `RelationSet.for_inference` gives them.
    """
    arrays: Arrays = {"popularity": relations.popularity}
    described: list[dict[str, Any]] = []
    for number, (name, relation) in enumerate(relations.items()):
        own, told = relation.to_arrays()
        arrays |= {f"relations/{number}/{part}": array for part, array in own.items()}
        described.append({"kind": relation.kind, "name": name, **told})
    return arrays, {"items": relations.n_items, "relations": described}


def unpack_relations(arrays: Arrays, layout: dict[str, Any]) -> RelationSet:
    """The inverse of `pack_relations`.

    Raises:
        ConfigurationError: a kind of relation is not known here.
        KeyError: an array or a part of the description is missing.
    """
    found = []
    for number, told in enumerate(layout["relations"]):
        prefix = f"relations/{number}/"
        own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        found.append(kind_of(told["kind"]).from_arrays(told["name"], own, told))
    return relation_set(layout["items"], arrays["popularity"], found)


def relation_set(items: int, popularity: Any, relations: list[Any]) -> RelationSet:
    """Relations for inference.

    Args:
        items: size of the catalogue.
        popularity: float32 `[items]`.
        relations: in their order.
    """
    return RelationSet(items, 0, np.empty(0, dtype=np.int64), popularity, tuple(relations))
