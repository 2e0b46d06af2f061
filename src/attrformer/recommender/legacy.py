"""Models that were saved when torch's names of relations had an underscore for every dot, under the names of today."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from torch import Tensor

from attrformer.relations.build import RelationSet
from attrformer.relations.naming import earlier_key, module_key, relation_name


def with_present_names(
    relations: RelationSet, edges: Iterable[str], parameters: dict[str, Tensor], strengths: dict[str, float]
) -> tuple[RelationSet, dict[str, Tensor], dict[str, float]]:
    """Relations, parameters and strengths under the names that they have today.

    Such a model has no two relations whose names fell together: it could not be trained.

    Args:
        relations: of a saved model.
        edges: names of the edge tables among them.
        parameters: weights by name.
        strengths: strength of each relation.
    """
    columns = [*(("item", name) for name in relations.features), *(("user", name) for name in relations.users)]
    columns += [*(("behaviour", name) for name in relations.levels), *(("edge", name) for name in edges)]
    names = {earlier_key(*column): relation_name(*column) for column in columns}
    if all(module_key(name) == earlier for earlier, name in names.items()):
        return relations, parameters, strengths
    keys = {earlier: module_key(name) for earlier, name in names.items()}
    parts = {part for name in parameters for part in name.split(".")}
    if any(key != earlier and key in parts for earlier, key in keys.items()):
        return relations, parameters, strengths
    rows = {names.get(name, name): replace(row, name=names.get(name, name)) for name, row in relations.rows.items()}
    renamed = {".".join(keys.get(part, part) for part in name.split(".")): value for name, value in parameters.items()}
    return replace(relations, rows=rows), renamed, {names.get(name, name): value for name, value in strengths.items()}
