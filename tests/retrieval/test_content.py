"""The graph over item vectors finds large products, and vectors of zeros stay out of it."""

from __future__ import annotations

import numpy as np
import pytest

from attrformer.retrieval.content import ContentGraph
from attrformer.retrieval.options import IndexOptions

pytest.importorskip("usearch")


def test_the_largest_products_are_found_where_norms_differ() -> None:
    random = np.random.default_rng(0)
    table = random.standard_normal((3000, 16)).astype(np.float32) * random.lognormal(0, 0.3, (3000, 1)).astype("f")
    hidden = random.standard_normal((40, 16)).astype(np.float32)
    graph = ContentGraph.build(table, IndexOptions())

    found = [graph.search(one, 200) for one in hidden]
    right = np.argsort(-hidden @ table.T, axis=1)[:, :10]
    assert np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(found, right, strict=True)]) > 0.98
    assert all(len(np.unique(row)) == len(row) for row in found)
    assert graph.memory > 3000 * 16 * 2


def test_vectors_of_zeros_are_left_out() -> None:
    table = np.eye(6, 4, dtype=np.float32)
    told: list[int] = []
    graph = ContentGraph.build(table, IndexOptions(), progress=told.append)

    assert sorted(graph.search(np.ones(4, np.float32), 6)) == [0, 1, 2, 3]
    assert told == [4]
    nothing = ContentGraph.build(np.zeros((3, 4), np.float32), IndexOptions())
    assert len(nothing.search(np.ones(4, np.float32), 2)) == 0


def test_one_thread_links_the_same_each_time() -> None:
    table = np.random.default_rng(1).standard_normal((500, 8)).astype(np.float32)
    hidden = table[:5] * 3
    first, second = (ContentGraph.build(table, IndexOptions()) for _ in range(2))
    assert all(np.array_equal(first.search(one, 20), second.search(one, 20)) for one in hidden)
