from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.models.builders import example_of, network_of
from tests.relations.builders import relations_of, shop
from tests.support.baselines import objective_of

from attrformer.relations import kept_rows
from attrformer.relations.kept_rows import KeptRows, equally_long
from attrformer.relations.relation_set import RelationSet

INDICES = np.array([[0, 0, 3], [0, 1, 2], [0, 0, 0]], dtype=np.int32)
VALUES = np.array([[0, 0, 0.5], [0.1, 0.2, 0.3], [0, 0, 0]], dtype=np.float32)


def filled(kept: KeptRows) -> KeptRows:
    """Two blocks of three rows, put in another order; the second block lacks its last row."""
    kept.put(1, np.array([1, 0]), INDICES[[0, 1]], VALUES[[0, 1]])
    kept.put(0, np.array([2]), INDICES[[2]], VALUES[[2]])
    kept.put(0, np.array([0, 1]), INDICES[:2], VALUES[:2])
    return kept


def test_small_tables_are_equally_long() -> None:
    tables = filled(KeptRows(2, 3, 3)).tables()
    assert tables["indices"].tolist() == [[0, 0, 3], [0, 1, 2], [0, 0, 0], [0, 1, 2], [0, 0, 3], [0, 0, 0]]
    assert tables.keys() == {"indices", "values"}


def test_large_tables_hold_entries_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_rows, "MOST_PLACES", 17)
    tables = filled(KeptRows(2, 3, 3)).tables()
    assert tables["starts"].tolist() == [0, 1, 4, 4, 7, 8, 8]
    assert tables["indices"].tolist() == [3, 0, 1, 2, 0, 1, 2, 3]
    np.testing.assert_allclose(tables["values"], [0.5, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.5])
    ends = tables["starts"][1:]
    indices, values = equally_long(tables["starts"][:-1][:3], ends[:3], tables["indices"], tables["values"])
    assert indices.tolist() == INDICES.tolist() and values.tolist() == VALUES.tolist()


def both(monkeypatch: pytest.MonkeyPatch) -> tuple[RelationSet, RelationSet]:
    """The relations of a shop, rows equally long and not."""
    long = relations_of(shop(), dense_items=0, top_k=9)
    monkeypatch.setattr(kept_rows, "MOST_PLACES", 0)
    short = relations_of(shop(), dense_items=0, top_k=9)
    assert short.rows["cooccurrence_near"].starts is not None and long.rows["cooccurrence_near"].starts is None
    return long, short


def test_both_forms_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    long, short = both(monkeypatch)
    for name in ("cooccurrence_near", "cooccurrence_wide", "indirect"):
        first, second = long.rows[name], short.rows[name]
        for fold in (0, 1, None):
            for key in range(0, 30, 7):
                assert first.row(key, fold).tolist() == second.row(key, fold).tolist()
        inferred = second.for_inference()
        assert inferred.starts is None and inferred.indices is not None and inferred.values is not None
        np.testing.assert_array_equal(inferred.indices, first.for_inference().indices)
        np.testing.assert_array_equal(inferred.values, first.for_inference().values)


def test_a_network_reads_both_forms_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    long, short = both(monkeypatch)
    losses = []
    for relations in (long, short):
        network = network_of(relations)
        losses.append(network.loss(example_of(shop(), relations), objective_of(relations)))
        losses[-1].backward()
        assert network.relations["cooccurrence_near"].gate.weight.grad is not None
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-6, atol=1e-7)
