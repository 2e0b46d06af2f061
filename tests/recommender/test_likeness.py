"""The likeness that diversity reads, against its formula over whole rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.retrieval.builders import model_of

from attrformer.errors import ConfigurationError
from attrformer.recommender import Recommender
from attrformer.recommender.likeness import likeness_of
from attrformer.relations.item_attribute import ItemAttributeRelation


def plain(model: Recommender, item: int, other: int, shares: dict[str, float]) -> float:
    total = 0.0
    for name, relation in model.fitted.relations.items():
        if not relation.relates_items:
            continue
        if isinstance(relation, ItemAttributeRelation):
            phi = np.zeros((2, len(relation.labels)))
            for row, code in enumerate((item, other)):
                np.add.at(phi[row], relation.codes[code], relation.weights[code])
            alike = float(phi[0] @ phi[1])
        else:
            row_of_item = relation.row(item).astype(float)
            value, row_of_item[item] = float(row_of_item[other]), 0.0
            alike = min(value / row_of_item.max(), 1.0) if row_of_item.max() > 0 else 0.0
        total += shares[name] * alike
    return total


@pytest.mark.parametrize("sparse", [True, False])
def test_likeness_is_the_weighted_mean_over_relations(sparse: bool) -> None:
    model = model_of(sparse=sparse)
    names = [name for name, relation in model.fitted.relations.items() if relation.relates_items]
    assert len(names) > 3
    everyone = np.arange(80)
    for strengths in ({}, {name: float(number) for number, name in enumerate(names)}):
        model.fitted.know(strengths=strengths)
        total = sum(strengths.values())
        shares = {name: strengths[name] / total if strengths else 1 / len(names) for name in names}
        alike = likeness_of(model.fitted)
        for item in (0, 3, 17):
            found = alike(item, everyone)
            right = [plain(model, item, other, shares) for other in range(80)]
            others = everyone != item
            np.testing.assert_allclose(found[others], np.array(right)[others], atol=1e-6)
            assert found.min() >= 0 and found.max() <= 1 + 1e-9 and found[others].max() > 0


def test_a_model_without_relations_between_items_says_so() -> None:
    model = model_of()
    fitted = model.fitted
    bare = fitted.relations.having(lambda relation: not relation.relates_items)
    lonely = replace(fitted.relations, relations=bare.relations)
    fitted.relations = lonely
    with pytest.raises(ConfigurationError, match="none between items"):
        likeness_of(fitted)
