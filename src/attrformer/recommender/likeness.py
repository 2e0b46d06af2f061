"""How alike two items are, from 0 to 1, by all relations between items together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import ConfigurationError
from attrformer.recommender.state import ModelState
from attrformer.relations.base import Relation
from attrformer.relations.item_attribute import ItemAttributeRelation
from attrformer.relations.row_table import RowRelation
from attrformer.rules.selection import Likeness

Codes = NDArray[np.int64]
Values = NDArray[np.float64]


def likeness_of(fitted: ModelState) -> Likeness:
    """The likeness that `diversity` reads.

    It is the mean over all relations between items of R(i, j) divided by the largest R(i, .) to another item, weighted
    by the strength of each relation. A relation of an attribute is R(i, j) itself, the cosine of the two items' values.

    Args:
        fitted: the model.

    Raises:
        ConfigurationError: the model has no relation between items.
    """
    relations = [relation for relation in fitted.relations.values() if relation.relates_items]
    if not relations:
        raise ConfigurationError(
            f"diversity compares items by relations, and the model '{fitted.config.name}' has none between items. "
            "Use at_most, or fit a model with relations."
        )
    strengths = np.array([fitted.knowledge.strengths.get(relation.name, 0.0) for relation in relations])
    if not strengths.sum() > 0:
        strengths = np.ones(len(relations))
    shares = strengths / strengths.sum()

    def alike(item: int, others: Codes) -> Values:
        total = np.zeros(len(others))
        for relation, share in zip(relations, shares.tolist(), strict=True):
            if share > 0:
                total += share * _alike(relation, item, others)
        return total

    return alike


def _alike(relation: Relation, item: int, others: Codes) -> Values:
    if isinstance(relation, ItemAttributeRelation):
        # Only the rows that are asked for: a whole one is as long as the catalogue.
        own = np.zeros(len(relation.labels), dtype=np.float64)
        np.add.at(own, relation.codes[item], relation.weights[item])
        cosines: Values = (own[relation.codes[others]] * relation.weights[others]).sum(1)
        return np.minimum(cosines, 1.0)
    if isinstance(relation, RowRelation) and relation.indices is not None:
        return _alike_in_entries(relation, item, others)
    row = relation.row(item)
    largest = float(np.delete(row, item).max(initial=0.0))
    if largest <= 0:
        return np.zeros(len(others))
    return np.minimum(row[others].astype(np.float64) / largest, 1.0)


def _alike_in_entries(relation: RowRelation, item: int, others: Codes) -> Values:
    """The same from the entries of a row, which are few where the catalogue is large."""
    assert relation.indices is not None and relation.values is not None
    at = relation.folds * relation.keys + item
    named, place = np.unique(relation.indices[at], return_inverse=True)
    values = np.bincount(place.reshape(-1), relation.values[at])
    largest = float(values[named != item].max(initial=0.0))
    if largest <= 0:
        return np.zeros(len(others))
    found = np.minimum(np.searchsorted(named, others), len(named) - 1)
    return np.where(named[found] == others, np.minimum(values[found] / largest, 1.0), 0.0)
