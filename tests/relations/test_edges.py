from __future__ import annotations

import numpy as np
from tests.relations.builders import edges

from attrformer.relations.edges import edge_relation

TABLE = edges([(0, 1, 2.0), (0, 2, 4.0), (2, 0, 0.5), (2, 1, 0.25), (2, 2, 0.5)])


def test_each_row_is_scaled_to_a_maximum_of_one() -> None:
    relation = edge_relation("also", TABLE, 3, top_k=None)
    expected = [[0, 0.5, 1], [0, 0, 0], [1, 0.5, 1]]
    np.testing.assert_allclose(np.stack([relation.row(item) for item in range(3)]), expected)


def test_repeated_edges_add_up() -> None:
    relation = edge_relation("also", edges([(0, 1, 1.0), (0, 1, 2.0), (0, 2, 6.0)]), 3, top_k=None)
    np.testing.assert_allclose(relation.row(0), [0, 0.5, 1])


def test_every_fold_reads_the_same_rows() -> None:
    # Edges are supplied, not counted, hence one block for training and inference.
    relation = edge_relation("also", TABLE, 3, top_k=None)
    assert relation.folds == 0
    assert relation.dense is not None and relation.dense.shape == (3, 3)


def test_top_k_keeps_the_heaviest_edges_ties_to_the_lower_item() -> None:
    relation = edge_relation("also", TABLE, 3, top_k=1)
    np.testing.assert_allclose(np.stack([relation.row(item) for item in range(3)]), [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
