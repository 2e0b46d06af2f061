from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from attrformer.relations import vector_neighbours
from attrformer.relations.vector_neighbours import NONE, nearest_neighbours, with_new_neighbours


def vectors_of(items: int, seed: int, width: int = 4) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(items, width))
    vectors[rng.random(items) < 0.1] = 0.0
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1.0)).astype(np.float32)


def brute(vectors: NDArray[np.float32], item: int, others: range, k: int) -> set[int]:
    """The k nearest of some items to one of them."""
    cosine = {other: float(vectors[item] @ vectors[other]) for other in others if other != item}
    kept = sorted((other for other in cosine if cosine[other] > 0), key=lambda other: -cosine[other])
    return set(kept[:k])


def used(row: NDArray[np.int32]) -> list[int]:
    return row[row != NONE].tolist()


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 99))
def test_neighbours_are_the_nearest_items_above_zero(items: int, k: int, seed: int) -> None:
    vectors = vectors_of(items, seed)
    found, reach = nearest_neighbours(vectors, k)
    assert found.shape == (items, k) and found.dtype == np.int32
    for item, row in enumerate(found):
        assert set(used(row)) == brute(vectors, item, range(items), k)
        assert used(row) == sorted(used(row)) and (row[: k - len(used(row))] == NONE).all()
        farthest = min((float(vectors[item] @ vectors[other]) for other in used(row)), default=0.0)
        assert reach[item] == pytest.approx(farthest if len(used(row)) == k else 0.0, abs=1e-6)


@given(st.integers(2, 30), st.integers(1, 8), st.integers(1, 5), st.integers(0, 99))
def test_new_items_join_the_rows_that_they_are_near_enough_to(known: int, new: int, k: int, seed: int) -> None:
    vectors = vectors_of(known + new, seed)
    before, reach = nearest_neighbours(vectors[:known], k)
    found, farther = with_new_neighbours(before, reach, vectors, k)
    assert farther.shape == (known + new,) and (farther >= 0).all()
    assert found.shape[0] == known + new and before.shape[1] <= found.shape[1] <= 2 * k
    for item in range(known):
        old, row = used(before[item]), used(found[item])
        assert row == sorted(row) and set(old) <= set(row)
        near = brute(vectors, item, range(known, known + new), k)
        wanted = {other for other in near if float(vectors[item] @ vectors[other]) >= reach[item] - 1e-7}
        assert set(row) - set(old) == wanted
    for item in range(known, known + new):
        assert set(used(found[item])) == brute(vectors, item, range(known + new), k)


def test_rows_do_not_grow_beyond_twice_their_size() -> None:
    vectors = np.tile(np.array([[1.0, 0.0]], np.float32), (4, 1))
    found, reach = nearest_neighbours(vectors, 3)
    for _ in range(5):
        vectors = np.concatenate([vectors, vectors[:2]])
        found, reach = with_new_neighbours(found, reach, vectors, 3)
    assert found.shape == (14, 6)


def test_large_catalogues_are_searched_in_the_cells_near_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, 16))
    vectors = centres[rng.integers(60, size=3000)] + 0.3 * rng.normal(size=(3000, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    exact = nearest_neighbours(vectors, 10)[0]
    monkeypatch.setattr(vector_neighbours, "EXACT_ITEMS", 100)
    monkeypatch.setattr(vector_neighbours, "_CELL", 50)
    monkeypatch.setattr(vector_neighbours, "_CELLS_SEARCHED", 12)
    found = nearest_neighbours(vectors, 10)[0]
    shared = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.tolist(), found.tolist(), strict=True)])
    assert shared > 0.95
    assert (np.diff(found, axis=1) > 0).all()
