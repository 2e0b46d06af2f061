from __future__ import annotations

import numpy as np
import pytest
from tests.relations.builders import dataset, relations_of, sequences, walks

from attrformer.relations.config import CooccurrenceConfig
from attrformer.relations.cooccurrence import cooccurrence_relation
from attrformer.relations.indirect import indirect_relation
from attrformer.relations.row_table import RowRelation

ITEMS = 9


def direct(top_k: int | None) -> RowRelation:
    train = sequences(walks(12, ITEMS, 3))
    folds = np.arange(12, dtype=np.int64) % 3
    return cooccurrence_relation("cooccurrence_near", train, ITEMS, folds, CooccurrenceConfig(), top_k=top_k)


def test_two_steps_by_hand() -> None:
    step = np.array([[0, 2, 2, 0], [0, 0, 0, 3], [4, 0, 0, 1], [0, 0, 0, 0]], dtype=np.float32)
    relation = indirect_relation("indirect", RowRelation("cooccurrence_near", 4, 0, 4, dense=step), top_k=None)
    # From item 0 half goes to 1, which reaches 3 by 3, and half to 2, which reaches 3 by 1. Ways back are left out.
    expected = np.array([[0, 0, 0, 2], [0, 0, 0, 0], [0, 1.6, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
    assert relation.dense is not None
    np.testing.assert_allclose(relation.dense, expected, rtol=1e-6)


@pytest.mark.parametrize("top_k", [None, ITEMS, 4])
def test_each_fold_is_made_of_its_own_rows_alone(top_k: int | None) -> None:
    whole = direct(top_k)
    found = indirect_relation("indirect", whole, top_k=None)
    for fold in range(whole.folds + 1):
        table = np.stack([whole.row(item, fold) for item in range(ITEMS)]).astype(np.float64)
        total = table.sum(1, keepdims=True)
        expected = (table / np.where(total > 0, total, 1)) @ table
        np.fill_diagonal(expected, 0)
        np.testing.assert_allclose([found.row(item, fold) for item in range(ITEMS)], expected, rtol=1e-5, atol=1e-7)


def test_top_k_keeps_the_largest_entries() -> None:
    whole, cut = (indirect_relation("indirect", direct(None), top_k=k) for k in (None, 3))
    for item in range(ITEMS):
        row, kept = whole.row(item), cut.row(item)
        assert (kept > 0).sum() <= 3
        np.testing.assert_allclose(kept[kept > 0], row[kept > 0], rtol=1e-6)
        assert row[kept == 0].max(initial=0) <= kept[kept > 0].min(initial=np.inf) + 1e-7


def test_it_is_there_where_it_is_asked_for_and_near_is() -> None:
    data = dataset(sequences(walks(10, 8, 0)), 8)
    assert "indirect" in relations_of(data, indirect=True).rows
    assert "indirect" not in relations_of(data, indirect=False).rows
    assert "indirect" not in relations_of(data, indirect=True, cooccurrence_near=CooccurrenceConfig(enabled=False)).rows
