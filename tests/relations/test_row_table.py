from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from attrformer.relations import row_table
from attrformer.relations.row_table import RowRelation, keep_top


def rows_of(matrix: list[list[float]], k: int) -> list[dict[int, float]]:
    """The kept entries of each row, unused places left out."""
    indices, values = keep_top(sparse.csr_array(np.array(matrix, dtype=np.float32)), k)
    assert indices.shape == values.shape == (len(matrix), k)
    kept = zip(indices.tolist(), values.tolist(), strict=True)
    return [{i: v for i, v in zip(*pair, strict=True) if v > 0} for pair in kept]


def test_ties_go_to_the_lower_column() -> None:
    assert rows_of([[0.5, 1, 0.5, 0.5, 0]], 2) == [{0: 0.5, 1: 1.0}]
    assert rows_of([[1, 1, 1, 1, 1]], 3) == [{0: 1.0, 1: 1.0, 2: 1.0}]


def test_rows_with_fewer_entries_keep_them_all() -> None:
    assert rows_of([[0, 2, 0], [0, 0, 0], [1, 2, 3]], 3) == [{1: 2.0}, {}, {0: 1.0, 1: 2.0, 2: 3.0}]


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=4),
    st.integers(1, 5),
)
def test_kept_entries_are_the_first_of_a_stable_sort(matrix: list[list[int]], k: int) -> None:
    for row, kept in zip(matrix, rows_of([[float(value) for value in row] for row in matrix], k), strict=True):
        order = sorted(range(5), key=lambda column: (-row[column], column))
        assert kept == {column: float(row[column]) for column in order[:k] if row[column] > 0}


def test_used_columns_ascend() -> None:
    indices, values = keep_top(sparse.csr_array(np.array([[1.0, 5.0, 2.0, 4.0]])), 3)
    np.testing.assert_array_equal(indices, [[1, 2, 3]])
    np.testing.assert_array_equal(values, [[5, 2, 4]])


def test_rows_by_fold_and_for_inference() -> None:
    dense = np.arange(12, dtype=np.float32).reshape(6, 2)
    relation = RowRelation("cooccurrence_near", keys=2, folds=2, columns=2, dense=dense)
    np.testing.assert_array_equal(relation.row(1, 0), [2, 3])
    np.testing.assert_array_equal(relation.row(0, 1), [4, 5])
    np.testing.assert_array_equal(relation.row(1), [10, 11])
    inference = relation.for_inference()
    assert inference.folds == 0
    np.testing.assert_array_equal(inference.row(1), [10, 11])
    assert inference.dense is not None and inference.dense.shape == (2, 2)


def test_sparse_row_equals_its_dense_row() -> None:
    matrix = np.array([[0, 3, 1], [0, 0, 0], [2, 0, 0]], dtype=np.float32)
    indices, values = keep_top(sparse.csr_array(matrix), 3)
    relation = RowRelation("cooccurrence_near", keys=3, folds=0, columns=3, indices=indices, values=values)
    np.testing.assert_array_equal(np.stack([relation.row(key) for key in range(3)]), matrix)


def plain_top(row: list[float], k: int) -> list[tuple[int, float]]:
    best = sorted(((column, value) for column, value in enumerate(row) if value), key=lambda each: (-each[1], each[0]))
    return sorted(best[:k])


@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0]), min_size=7, max_size=7), min_size=1, max_size=5),
    st.integers(1, 7),
    st.integers(1, 30),
)
def test_the_kept_entries_are_those_of_a_sort(matrix: list[list[float]], k: int, cells: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_table, "_CELLS", cells)
        indices, values = keep_top(sparse.csr_array(np.array(matrix, dtype=np.float32)), k)
    for row, columns, kept in zip(matrix, indices, values, strict=True):
        expected = plain_top(row, k)
        assert [(int(c), float(v)) for c, v in zip(columns, kept, strict=True)][k - len(expected) :] == expected
        assert not kept[: k - len(expected)].any()
