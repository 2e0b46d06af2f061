"""How alike two items are, from 0 to 1, by all relations between items together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import ConfigurationError
from attrformer.recommender.state import ModelState
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
                total += share * relation.likeness(item, others)
        return total

    return alike
