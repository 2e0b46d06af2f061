from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.relations.builders import categorical, multi

from attrformer.models.baselines.layers.attributes import AttributeEmbedding, AttributePredictor
from attrformer.relations.item_attribute import ItemAttributeRelation, item_attribute_relation

POPULARITY = np.array([4, 3, 2, 1, 0], dtype=np.float32)


def features() -> list[ItemAttributeRelation]:
    brand = categorical("brand", ["x", "x", "y", None, "y"])
    tags = multi("tags", [["a", "b"], ["a"], ["b", "c"], [], ["c"]])
    found = [item_attribute_relation(attribute, buckets=4, max_values=9) for attribute in (brand, tags)]
    return [relation for relation in found if relation is not None]


def test_an_item_has_the_mean_of_its_values() -> None:
    embedding = AttributeEmbedding(features()[1], 4)
    found = embedding(torch.tensor([[0, 1, 3], [2, 4, 5]]))
    a, b, c = embedding.values
    expected = torch.stack([(a + b) / 2, a, torch.zeros(4), (b + c) / 2, c, torch.zeros(4)]).view(2, 3, 4)
    torch.testing.assert_close(found, expected)
    assert embedding.known(torch.tensor([[0, 3, 5]])).tolist() == [[True, False, False]]
    assert list(embedding.state_dict()) == ["values"]


@pytest.mark.parametrize("block", [1, 12, 1 << 20])
def test_the_predictors_loss_and_its_gradient(block: int) -> None:
    torch.manual_seed(0)
    predictor = AttributePredictor(features(), 6, POPULARITY)
    hidden = torch.randn(2, 3, 6, requires_grad=True)
    items, mask = torch.tensor([[0, 1, 2], [3, 4, 0]]), torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    logits = F.linear(hidden, predictor.weight, predictor.bias)
    has = torch.cat([torch.from_numpy(relation.dense() > 0) for relation in features()], 1).float()[items]
    each = F.binary_cross_entropy_with_logits(logits, has, reduction="none")
    plain = ((each[:, :, :2].mean(2) + each[:, :, 2:].mean(2)) * mask).sum() / 5
    loss = predictor.loss(hidden, items, mask, block, torch.float32)
    torch.testing.assert_close(loss, plain)
    wanted = torch.autograd.grad(3 * plain, [hidden, predictor.weight, predictor.bias])
    found = torch.autograd.grad(3 * loss, [hidden, predictor.weight, predictor.bias])
    for mine, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, other)


def test_biases_start_at_how_common_a_value_is() -> None:
    predictor = AttributePredictor(features(), 6, POPULARITY)
    # Interactions with items of brands x and y, then of tags a, b and c, out of ten.
    assert torch.sigmoid(predictor.bias).tolist() == pytest.approx([(n + 0.5) / 11 for n in (7, 2, 7, 6, 2)])


def test_low_precision_changes_little() -> None:
    torch.manual_seed(0)
    predictor, hidden = AttributePredictor(features(), 32, POPULARITY), torch.randn(4, 5, 32, requires_grad=True)
    items, mask = torch.randint(0, 5, (4, 5)), torch.ones(4, 5)
    exact, rough = (predictor.loss(hidden, items, mask, 64, kind) for kind in (torch.float32, torch.bfloat16))
    torch.testing.assert_close(rough, exact, rtol=1e-2, atol=1e-2)
    mine, other = (torch.autograd.grad(loss, [hidden, predictor.weight]) for loss in (rough, exact))
    for found, wanted in zip(mine, other, strict=True):
        assert float((found - wanted).norm() / wanted.norm()) < 0.03
