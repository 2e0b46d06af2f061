"""Like vectors are put side by side, each once."""

from __future__ import annotations

import numpy as np

from attrformer.retrieval.ordering import like_by_like


def test_every_row_is_there_once_and_like_ones_are_close() -> None:
    random = np.random.default_rng(0)
    kinds = random.standard_normal((10, 8)).astype(np.float32)
    which = random.integers(0, 10, 2000)
    table = kinds[which] * random.lognormal(0, 0.5, (2000, 1)).astype("f") + 0.01 * random.standard_normal((2000, 8))
    order = like_by_like(table.astype(np.float32))

    assert np.array_equal(np.sort(order), np.arange(2000))
    assert np.array_equal(order, like_by_like(table.astype(np.float32)))
    # Ten runs at best; in the given order nearly every step leads to another kind.
    assert np.count_nonzero(np.diff(which[order])) < 40
    assert np.count_nonzero(np.diff(which)) > 1500


def test_few_rows_and_equal_rows_stay_as_they_are() -> None:
    for table in (np.zeros((0, 3), np.float32), np.ones((5, 3), np.float32), np.ones((900, 3), np.float32)):
        assert np.array_equal(like_by_like(table), np.arange(len(table)))
