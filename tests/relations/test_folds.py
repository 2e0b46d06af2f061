from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attrformer.relations.folds import assign_folds, without_each_fold


@given(st.integers(0, 40), st.integers(1, 7), st.integers(0, 3))
def test_folds_differ_in_size_by_at_most_one(users: int, folds: int, seed: int) -> None:
    assigned = assign_folds(users, folds, seed)
    sizes = np.bincount(assigned, minlength=folds)
    assert len(assigned) == users and len(sizes) == folds
    assert sizes.max() - sizes.min() <= 1


def test_folds_depend_on_the_seed_and_on_nothing_else() -> None:
    np.testing.assert_array_equal(assign_folds(50, 5, 1), assign_folds(50, 5, 1))
    assert (assign_folds(50, 5, 1) != assign_folds(50, 5, 2)).any()


def test_each_block_leaves_its_fold_out_and_the_last_holds_everyone() -> None:
    counts = [
        np.array([[1.0, 0.0]], np.float32),
        np.array([[2.0, 0.0]], np.float32),
        np.array([[0.0, 5.0]], np.float32),
    ]
    found = np.concatenate(without_each_fold(counts))
    np.testing.assert_array_equal(found, [[2, 5], [1, 5], [3, 0], [3, 5]])


def test_one_fold_switches_cross_fitting_off() -> None:
    found = np.concatenate(without_each_fold([np.array([[3.0]], np.float32)]))
    np.testing.assert_array_equal(found, [[3], [3]])
