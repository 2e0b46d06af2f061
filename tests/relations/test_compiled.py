from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.relations.builders import sequences

from attrformer.data.sequences import Sequences
from attrformer.relations import compiled, pair_counts, strongest_pairs
from attrformer.relations.config import CooccurrenceConfig
from attrformer.relations.cooccurrence import counted_rows
from attrformer.relations.threads import on_threads

pytest.importorskip("numba")

Rows = dict[str, NDArray[np.float32]]


@contextmanager
def compiled_from(pairs: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "LEAST_PAIRS", pairs)
        patch.setattr(pair_counts, "COMPILED_PAIRS", 300)
        yield


def both(
    train: Sequences,
    items: int,
    folds: NDArray[np.int64] | None,
    config: CooccurrenceConfig,
    k: int | None,
    weighed: bool,
) -> tuple[Rows, Rows]:
    """Rows by compiled and by plain code."""
    weights = np.random.default_rng(1).integers(0, 3, len(train.items)).astype(np.float32) if weighed else None
    found = []
    for least in (0, 1 << 60):
        with compiled_from(least):
            found.append(counted_rows(train, items, folds, config, (weights, weights), top_k=k)[1])
    return found[0], found[1]


def assert_equal(one: Rows, other: Rows) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 5), max_size=7), min_size=1, max_size=6),
    st.builds(CooccurrenceConfig, window=st.integers(1, 8), backward=st.sampled_from([0.0, 0.5])),
    st.sampled_from([None, 1, 2, 6]),
    st.sampled_from([None, 1, 3]),
    st.booleans(),
)
def test_compiled_counts_are_equal_to_the_bit(
    rows: list[list[int]], config: CooccurrenceConfig, k: int | None, folds: int | None, weighed: bool
) -> None:
    fold_of = None if folds is None else np.arange(len(rows), dtype=np.int64) % folds
    assert_equal(*both(sequences(rows), 6, fold_of, config, k, weighed))


@pytest.mark.slow
@pytest.mark.parametrize("items", [40, 3000])
@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("k", [3, 20, None])
@pytest.mark.parametrize("part", [500, 1 << 20])
def test_long_rows_that_are_cut_are_equal_to_the_bit(items: int, weighed: bool, k: int | None, part: int) -> None:
    popular = np.random.default_rng(0).zipf(1.2, size=(200, 40)) % items
    train, folds = sequences(popular.tolist()), np.arange(200, dtype=np.int64) % 5
    with pytest.MonkeyPatch.context() as patch, on_threads(2):
        patch.setattr(pair_counts, "BLOCK_PAIRS", part)
        patch.setattr(strongest_pairs, "FEW", 2)
        assert_equal(*both(train, items, folds, CooccurrenceConfig(window=12), k, weighed))


def test_few_pairs_are_counted_without_compiling() -> None:
    assert compiled.kernels(compiled.LEAST_PAIRS - 1, 0) is None
    assert compiled.kernels(compiled.LEAST_PAIRS, 0) is not None
    assert compiled.kernels(0, compiled.LEAST_PAIRS // compiled.PAIRS_OF_ROW + 1) is not None


def test_without_numba_everything_is_counted_by_plain_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert compiled.kernels(compiled.LEAST_PAIRS, 0) is None
