from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.relations.builders import sequences, walks

from attrformer.relations.nearest import NearestRule, NearestSequences
from attrformer.relations.user_index import UserIndex

ITEMS = 6
PUBLISHED = NearestRule(
    count=2, recency=None, rare_shared=False, length_power=0.0, ahead=1.0, behind=1.0, rare_first=False
)
FULL = NearestRule(count=9, recency=0.7, rare_shared=True, length_power=0.5, ahead=0.8, behind=0.25, rare_first=True)
histories = st.lists(st.integers(0, ITEMS - 1), max_size=ITEMS)


def index_of(rows: list[list[int]], items: int = ITEMS, candidates: int = 99) -> UserIndex:
    return UserIndex.build(sequences(rows), items, count=0, anchors=1, horizon=1, candidates=candidates)


def evidence(
    index: UserIndex, rule: NearestRule, contexts: list[list[int]], owners: list[int], items: int = ITEMS
) -> NDArray[np.float32]:
    width = max(map(len, contexts))
    padded = np.array([row + [0] * (width - len(row)) for row in contexts])
    back = np.array([[len(row) - 1 - position for position in range(width)] for row in contexts])
    return NearestSequences(index, items, rule).evidence(padded, back, np.array(owners))


def brute(rows: list[list[int]], rule: NearestRule, context: list[int], owner: int) -> list[float]:
    """The rule, one neighbour after the other."""
    length = len(context)
    idf = [math.log1p(len(rows) / max(sum(row.count(item) for row in rows), 1)) for item in range(ITEMS)]
    weight = {
        item: (length - back) / length if rule.recency is None else rule.recency**back
        for back, item in reversed(list(enumerate(reversed(context))))
    }
    similarity = {}
    for other, row in enumerate(rows):
        shared = set(context) & set(row)
        if other != owner and shared:
            total = sum(weight[item] * (idf[item] if rule.rare_shared else 1.0) for item in shared)
            similarity[other] = total / len(row) ** rule.length_power
    out = [0.0] * ITEMS
    for other in sorted(similarity, key=lambda user: (-round(similarity[user], 9), user))[: rule.count]:
        row = rows[other]
        latest = next(item for item in reversed(context) if item in row)
        aligned = len(row) - 1 - row[::-1].index(latest)
        for position, item in enumerate(row):
            place = rule.ahead ** (position - aligned - 1) if position > aligned else rule.behind
            first = idf[item] if rule.rare_first else 1.0
            out[item] += similarity[other] * weight[latest] * place * first
    return out


@settings(max_examples=40)
@given(st.lists(histories, min_size=1, max_size=8), histories.filter(len), st.integers(-1, 7))
def test_evidence_equals_looking_at_every_sequence(rows: list[list[int]], context: list[int], owner: int) -> None:
    owner = min(owner, len(rows) - 1)
    for rule in (FULL, replace(FULL, recency=None), replace(PUBLISHED, recency=0.5)):
        found = evidence(index_of(rows), rule, [context], [owner])
        np.testing.assert_allclose(found[0], brute(rows, rule, context, owner), rtol=1e-4, atol=1e-6)


def test_published_scores() -> None:
    rows = [[0, 1, 2], [1, 3], [4, 0], [5]]
    # The history 0, 1 weighs 1/2, 1: rows 0 and 1 are nearest with 3/2 and 1, both at the latest item.
    found = evidence(index_of(rows), PUBLISHED, [[0, 1]], [-1])
    assert found[0].tolist() == [1.5, 2.5, 1.5, 1.0, 0.0, 0.0]
    # Without row 0 the next one is row 2, which shares the item of weight 1/2 only.
    found = evidence(index_of(rows), PUBLISHED, [[0, 1]], [0])
    assert found[0].tolist() == [0.25, 1.0, 0.0, 1.0, 0.25, 0.0]


def test_equally_similar_sequences_are_taken_in_their_order() -> None:
    rows = [[1, 5], [0, 1], [0, 2], [0, 3], [0, 4]]
    found = evidence(index_of(rows), PUBLISHED, [[0]], [-1])
    assert found[0].tolist() == [2.0, 1.0, 1.0, 0.0, 0.0, 0.0]


def test_histories_do_not_depend_on_each_other() -> None:
    rows = walks(60, 30, 3)
    index = index_of(rows, 30)
    rule = replace(FULL, count=5)
    together = evidence(index, rule, rows, list(range(60)), 30)
    assert together.shape == (60, 30) and together.any(axis=1).sum() > 50
    # Nor does the index change by being read.
    assert index.starts.tolist() == index_of(rows, 30).starts.tolist()
    for user in range(0, 60, 7):
        np.testing.assert_array_equal(evidence(index, rule, [rows[user]], [user], 30)[0], together[user])


def test_a_sample_is_looked_at_where_an_item_has_too_many_holders() -> None:
    rows = [[0, 1 + user % 5] for user in range(40)]
    every = evidence(index_of(rows), replace(PUBLISHED, count=40), [[0]], [-1])[0]
    some = evidence(index_of(rows, candidates=10), replace(PUBLISHED, count=40), [[0]], [-1])[0]
    assert every[0] == 40.0 and some[0] == 10.0


def test_nobody_shares_anything() -> None:
    assert not evidence(index_of([[0, 1], []]), FULL, [[2, 3], [0]], [-1, 0]).any()
