from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from tests.relations.builders import sequences

from attrformer.relations import pair_counts, row_table, strongest_pairs
from attrformer.relations.config import CooccurrenceConfig
from attrformer.relations.cooccurrence import cooccurrence_relation
from attrformer.relations.pair_counts import PairCounts
from attrformer.relations.row_table import RowRelation
from attrformer.relations.threads import on_threads

ITEMS = 6
histories = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=7), min_size=1, max_size=6)
options = st.builds(
    CooccurrenceConfig,
    window=st.integers(1, 8),
    decay=st.sampled_from([1.0, 0.8, 0.5]),
    backward=st.sampled_from([0.0, 0.5, 1.0]),
    alpha=st.sampled_from([0.0, 0.3, 1.0]),
)


def brute_counts(rows: list[list[int]], config: CooccurrenceConfig, items: int = ITEMS) -> NDArray[np.float64]:
    counts = np.zeros((items, items))
    for row in rows:
        for early, first in enumerate(row):
            for late in range(early + 1, min(early + config.window, len(row) - 1) + 1):
                weight = config.decay ** (late - early - 1)
                counts[first, row[late]] += weight
                counts[row[late], first] += config.backward * weight
    return counts


def brute_relation(rows: list[list[int]], config: CooccurrenceConfig, items: int = ITEMS) -> NDArray[np.float64]:
    counts = brute_counts(rows, config, items)
    popularity = np.bincount([item for row in rows for item in row], minlength=items)
    out = np.zeros_like(counts)
    for i, j in zip(*np.nonzero(counts), strict=True):
        out[i, j] = counts[i, j] / (counts[i].sum() ** (1 - config.alpha) * popularity[j] ** config.alpha)
    return out


def table(relation: RowRelation, fold: int | None) -> NDArray[np.float32]:
    return np.stack([relation.row(item, fold) for item in range(ITEMS)])


def test_counts_of_one_history_by_hand() -> None:
    config = CooccurrenceConfig(window=2, decay=0.5, backward=0.25)
    pairs = PairCounts(sequences([[0, 1, 2, 0]]), 3, np.zeros(1, np.int64), config)
    (block,) = pairs.blocks()
    assert pairs.by_rank.tolist() == [0, 1, 2]
    counts = pairs.entries(block).toarray()
    np.testing.assert_allclose(pairs.whole_rows(block)[:, 0, :3], counts)
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
@given(histories, options, st.integers(1, 40), st.sampled_from([1, 1000]), st.sampled_from([None, 1, 2, ITEMS]))
def test_how_many_are_counted_at_a_time_and_in_what_form_changes_nothing(
    rows: list[list[int]], config: CooccurrenceConfig, most: int, cells_per_pair: int, k: int | None
) -> None:
    folds = np.arange(len(rows), dtype=np.int64) % 2
    with pytest.MonkeyPatch.context() as patch:
        found = [cooccurrence_relation("cooccurrence_near", sequences(rows), ITEMS, folds, config, top_k=k)]
        patch.setattr(pair_counts, "BLOCK_PAIRS", most)
        patch.setattr(pair_counts, "DENSE_CELLS", most)
        patch.setattr(pair_counts, "CELLS_PER_PAIR", cells_per_pair)
        patch.setattr(strongest_pairs, "FEW", 1)
        blocks = PairCounts(sequences(rows), ITEMS, folds, config).blocks()
        assert [item for block in blocks for item in range(block.first, block.last)] == [*range(ITEMS)]
        found.append(cooccurrence_relation("cooccurrence_near", sequences(rows), ITEMS, folds, config, top_k=k))
    for fold in [*range(found[0].folds), None]:
        for item in range(ITEMS):
            one, other = np.sort(found[0].row(item, fold)), np.sort(found[1].row(item, fold))
            np.testing.assert_allclose(one, other, rtol=1e-5)


LARGE = 40


@pytest.mark.parametrize("cells_per_pair", [0, 1000])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("backward", [0.0, 0.5])
def test_the_cut_before_folds_are_told_apart_loses_nothing(cells_per_pair: int, threads: int, backward: float) -> None:
    random = np.random.default_rng(0)
    popular = random.zipf(1.3, size=(60, 30)) % LARGE
    train, folds = sequences(popular.tolist()), np.arange(60, dtype=np.int64) % 3
    config = CooccurrenceConfig(window=6, backward=backward)
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in (
            (pair_counts, "CELLS_PER_PAIR", cells_per_pair),
            (pair_counts, "BLOCK_PAIRS", 500),
            (strongest_pairs, "FEW", 2),
        ):
            patch.setattr(module, name, value)
        with on_threads(threads):
            whole = cooccurrence_relation("cooccurrence_near", train, LARGE, folds, config, top_k=None)
            cut = cooccurrence_relation("cooccurrence_near", train, LARGE, folds, config, top_k=3)
    assert whole.dense is not None
    indices, values = row_table.keep_top(sparse.csr_array(whole.dense), 3)
    np.testing.assert_array_equal(cut.indices, indices)
    np.testing.assert_array_equal(cut.values, values)
    plain = brute_relation(
        [row for row, fold in zip(popular.tolist(), folds, strict=True) if fold != 1], config, items=LARGE
    )
    np.testing.assert_allclose(whole.dense.reshape(4, LARGE, LARGE)[1], plain, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("rows", [[[]], [[], [1]]])
def test_histories_without_pairs_relate_nothing(rows: list[list[int]]) -> None:
    folds = np.arange(len(rows), dtype=np.int64)
    relation = cooccurrence_relation("cooccurrence_near", sequences(rows), 3, folds, CooccurrenceConfig(), top_k=None)
    assert relation.dense is not None and not relation.dense.any()
