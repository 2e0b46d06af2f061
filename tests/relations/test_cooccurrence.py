from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from tests.relations.builders import sequences

from attrformer.relations import cooccurrence
from attrformer.relations.config import CooccurrenceConfig
from attrformer.relations.cooccurrence import PairCounts, cooccurrence_relation
from attrformer.relations.row_table import RowRelation

ITEMS = 6
histories = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=7), min_size=1, max_size=6)
options = st.builds(
    CooccurrenceConfig,
    window=st.integers(1, 8),
    decay=st.sampled_from([1.0, 0.8, 0.5]),
    backward=st.sampled_from([0.0, 0.5, 1.0]),
    alpha=st.sampled_from([0.0, 0.3, 1.0]),
)


def brute_counts(rows: list[list[int]], config: CooccurrenceConfig) -> NDArray[np.float64]:
    counts = np.zeros((ITEMS, ITEMS))
    for row in rows:
        for early, first in enumerate(row):
            for late in range(early + 1, min(early + config.window, len(row) - 1) + 1):
                weight = config.decay ** (late - early - 1)
                counts[first, row[late]] += weight
                counts[row[late], first] += config.backward * weight
    return counts


def brute_relation(rows: list[list[int]], config: CooccurrenceConfig) -> NDArray[np.float64]:
    counts = brute_counts(rows, config)
    popularity = np.bincount([item for row in rows for item in row], minlength=ITEMS)
    out = np.zeros_like(counts)
    for i, j in zip(*np.nonzero(counts), strict=True):
        out[i, j] = counts[i, j] / (counts[i].sum() ** (1 - config.alpha) * popularity[j] ** config.alpha)
    return out


def table(relation: RowRelation, fold: int | None) -> NDArray[np.float32]:
    return np.stack([relation.row(item, fold) for item in range(ITEMS)])


def test_counts_of_one_history_by_hand() -> None:
    config = CooccurrenceConfig(window=2, decay=0.5, backward=0.25)
    (block,) = PairCounts(sequences([[0, 1, 2, 0]]), 3, np.zeros(1, np.int64), config).blocks()
    counts = block[1].toarray()
    assert block[0] == slice(0, 3)
    # Forward: 0-1, 1-2, 2-0 at one step; 0-2, 1-0 at two; 0-0 at three is out of the window.
    forward = np.array([[0, 1, 0.5], [0.5, 0, 1], [1, 0, 0]])
    np.testing.assert_allclose(counts, forward + 0.25 * forward.T)


def test_value_by_hand() -> None:
    config = CooccurrenceConfig(window=1, backward=0.0, alpha=0.3)
    relation = cooccurrence_relation(
        "cooccurrence_near", sequences([[0, 1], [0, 1], [0, 2]]), 3, np.zeros(3, np.int64), config, top_k=None
    )
    expected = [0.0, 2 / (3**0.7 * 2**0.3), 1 / (3**0.7 * 1**0.3)]
    np.testing.assert_allclose(relation.row(0), expected, rtol=1e-6)
    assert not relation.row(1).any()


@pytest.mark.slow
@given(histories, options, st.data())
def test_every_fold_equals_counting_by_loops_without_its_users(
    rows: list[list[int]], config: CooccurrenceConfig, data: st.DataObject
) -> None:
    folds = np.array(data.draw(st.permutations([user % 3 for user in range(len(rows))])), dtype=np.int64)
    relation = cooccurrence_relation("cooccurrence_near", sequences(rows), ITEMS, folds, config, top_k=None)
    count = int(folds.max()) + 1
    assert relation.folds == count
    for fold in [*range(count), None]:
        others = [row for row, own in zip(rows, folds, strict=True) if count == 1 or own != fold]
        expected = brute_relation(others, config)
        found = table(relation, fold)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
        # What only the fold's own users did leaves nothing behind, not even rounding.
        assert not found[expected == 0].any()


@pytest.mark.slow
@given(histories, options, st.integers(1, ITEMS))
def test_top_k_keeps_the_largest_values_of_each_row(rows: list[list[int]], config: CooccurrenceConfig, k: int) -> None:
    folds = np.arange(len(rows), dtype=np.int64) % 2
    whole = cooccurrence_relation("cooccurrence_near", sequences(rows), ITEMS, folds, config, top_k=None)
    cut = cooccurrence_relation("cooccurrence_near", sequences(rows), ITEMS, folds, config, top_k=k)
    for fold in [*range(whole.folds), None]:
        for item in range(ITEMS):
            full, kept = whole.row(item, fold), cut.row(item, fold)
            assert (kept > 0).sum() == min(k, (full > 0).sum())
            np.testing.assert_allclose(kept[kept > 0], full[kept > 0], rtol=1e-5)
            np.testing.assert_allclose(np.sort(kept)[::-1][:k], np.sort(full)[::-1][:k], rtol=1e-5)


@pytest.mark.slow
@given(histories, options, st.integers(1, 40))
def test_counting_some_items_at_a_time_changes_nothing(
    rows: list[list[int]], config: CooccurrenceConfig, pairs: int
) -> None:
    folds = np.arange(len(rows), dtype=np.int64) % 2
    with pytest.MonkeyPatch.context() as patch:
        found = []
        for most in (cooccurrence.BLOCK_PAIRS, pairs):
            patch.setattr(cooccurrence, "BLOCK_PAIRS", most)
            blocks = list(PairCounts(sequences(rows), ITEMS, folds, config).blocks())
            assert [item for covered, _ in blocks for item in range(covered.start, covered.stop)] == [*range(ITEMS)]
            found.append(cooccurrence_relation("cooccurrence_near", sequences(rows), ITEMS, folds, config, top_k=3))
    np.testing.assert_array_equal(found[0].indices, found[1].indices)
    np.testing.assert_array_equal(found[0].values, found[1].values)


def test_the_cut_of_long_rows_keeps_ties_for_the_exact_one() -> None:
    table = np.array([[5, 1, 3, 3, 3, 0], [0] * 6, [1, 1, 1, 1, 1, 1], [0, 2, 0, 0, 0, 0], [6, 5, 4, 3, 2, 1]])
    kept = cooccurrence.largest(sparse.csr_array(table.astype(np.float32)), 2).toarray()
    np.testing.assert_array_equal(
        kept, [[5, 0, 3, 3, 3, 0], [0] * 6, [1, 1, 1, 1, 1, 1], [0, 2, 0, 0, 0, 0], [6, 5, 0, 0, 0, 0]]
    )


@pytest.mark.parametrize("rows", [[[]], [[], [1]]])
def test_histories_without_pairs_relate_nothing(rows: list[list[int]]) -> None:
    folds = np.arange(len(rows), dtype=np.int64)
    relation = cooccurrence_relation("cooccurrence_near", sequences(rows), 3, folds, CooccurrenceConfig(), top_k=None)
    assert relation.dense is not None and not relation.dense.any()
