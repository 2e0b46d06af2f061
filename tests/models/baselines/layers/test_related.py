from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from tests.relations.builders import categorical, edges, multi

from attrformer.models.baselines.layers import related
from attrformer.models.baselines.layers.related import KnownPairs, SharedValues
from attrformer.relations.edges import edge_relation
from attrformer.relations.item_attribute import ItemAttributeRelation, item_attribute_relation

TAGS = [["a", "b"], ["a"], ["b", "c"], ["c", "a"], [], ["b"], ["c"], ["z"]]


def tags() -> ItemAttributeRelation:
    relation = item_attribute_relation(multi("tags", TAGS), buckets=4, max_values=10)
    assert relation is not None
    return relation


def expected(first: int, second: int) -> float:
    """Cosine with values weighted by inverse document frequency; 'z' is nobody else's."""
    idf = {value: np.log(8 / sum(value in other for other in TAGS)) for value in "abc"}
    one, two = ([v for v in TAGS[item] if v in idf] for item in (first, second))
    norm = np.sqrt(sum(idf[v] ** 2 for v in one) * sum(idf[v] ** 2 for v in two))
    return sum(idf[v] ** 2 for v in set(one) & set(two)) / norm if norm > 0 else 0.0


@pytest.mark.parametrize("whole", [True, False])
def test_shared_values_are_a_cosine(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(related, "WHOLE_ELEMENTS", 1000 if whole else 0)
    relation = SharedValues(tags())
    assert (relation.whole is not None) is whole
    history, following = torch.tensor([[0, 1, 2, 8], [7, 4, 3, 0]]), torch.tensor([[3, 0, 6], [1, 4, 5]])
    found = relation.between(history, following)
    assert found.shape == (2, 3, 4)
    for row in range(2):
        for place in range(3):
            for there in range(4):
                before, after = int(history[row, there]), int(following[row, place])
                value = 0.0 if before == 8 else expected(before, after)
                assert found[row, place, there].item() == pytest.approx(value, abs=1e-6)


def test_a_single_value_is_equal_or_not() -> None:
    relation = item_attribute_relation(categorical("brand", ["x", "y", "x", None, "y"]), buckets=4, max_values=10)
    assert relation is not None
    found = SharedValues(relation).between(torch.tensor([[0, 1, 3, 5]]), torch.tensor([[2, 4, 3]]))
    assert found.tolist() == [[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]]


def test_only_the_rarest_values_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(related, "RAREST", 1)
    relation = item_attribute_relation(multi("t", [["a", "b"], ["a"], ["a"], ["b"], ["q"]]), buckets=4, max_values=9)
    assert relation is not None
    # Two items have b and three have a, so that the first item is compared by b.
    found = SharedValues(relation).between(torch.tensor([[0]]), torch.tensor([[1, 2, 3]]))
    assert found.flatten().tolist() == [0, 0, 1]


def test_drawn_pairs_share_a_value_and_reach_every_related_item() -> None:
    torch.manual_seed(0)
    items, others = SharedValues(tags()).draw(4000)
    pairs = Counter(zip(items.tolist(), others.tolist(), strict=True))
    possible = {(i, j) for i in range(8) for j in range(8) if i != j and expected(i, j) > 0}
    assert set(pairs) == possible
    owners = Counter(items.tolist())
    assert set(owners) == {0, 1, 2, 3, 5, 6} and all(abs(n - 4000 / 6) < 120 for n in owners.values())
    # Item 5 has b alone, which items 0 and 2 have too.
    assert abs(pairs[5, 0] / owners[5] - 0.5) < 0.08


@pytest.mark.parametrize("top_k", [None, 2])
def test_edges_lead_from_the_history_to_what_follows(top_k: int | None) -> None:
    table = edges([(0, 1, 1.0), (0, 2, 0.5), (2, 0, 1.0), (3, 3, 1.0), (1, 3, 0.2)])
    relation = KnownPairs(edge_relation("edge_also", table, 4, top_k=top_k))
    found = relation.between(torch.tensor([[0, 1, 2, 3, 4]]), torch.tensor([[0, 1, 2, 3]]))
    assert found.tolist() == [[[0, 0, 1, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]]
    torch.manual_seed(0)
    items, others = relation.draw(900)
    pairs = Counter(zip(items.tolist(), others.tolist(), strict=True))
    assert set(pairs) == {(0, 1), (0, 2), (2, 0), (1, 3)}
    assert abs(pairs[2, 0] - 300) < 60 and abs(pairs[0, 1] - 150) < 50
