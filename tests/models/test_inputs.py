"""Long histories are read in pieces that fit into memory, and answered as if they were read together."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.builders import LENGTH, network_of, scorer_of
from tests.relations.builders import relations_of, shop

from attrformer.models.inputs import PADDED_PAIRS, in_pieces, pieces, together

DATA = shop()


def test_how_many_are_read_together() -> None:
    assert [together(longest, 4_000_000) for longest in (1, 200, 800, 5000)] == [4_000_000, 100, 6, 1]


def test_histories_that_fit_are_read_in_their_order() -> None:
    assert [rows.tolist() for rows in pieces(np.array([2, 5, 3]), pairs=75)] == [[0, 1, 2]]


def test_others_are_read_with_those_of_their_length() -> None:
    assert [rows.tolist() for rows in pieces(np.array([2, 5, 3, 2, 9]), pairs=30)] == [[4], [1], [2, 0, 3]]
    assert [rows.tolist() for rows in pieces(np.array([2, 5, 3, 2]), most=2)] == [[1, 2], [0, 3]]


def test_a_few_long_histories_are_read_apart_from_many_short_ones() -> None:
    lengths = np.array([4] * 90 + [200, 190, 100])
    assert [len(rows) for rows in pieces(lengths)] == [len(lengths)]
    found = list(pieces(lengths, padded=PADDED_PAIRS))
    assert [rows.tolist() for rows in found] == [[90, 91, 92, *range(5)], list(range(5, 90))]
    assert all((lengths[rows].max() ** 2 - lengths[rows] ** 2).sum() <= PADDED_PAIRS for rows in found)


@pytest.mark.slow
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=40), st.one_of(st.none(), st.integers(1, 9)), st.integers(1, 4000)
)
def test_every_history_is_read_once_and_pieces_fit(lengths: list[int], most: int | None, pairs: int) -> None:
    array = np.array(lengths)
    found = list(pieces(array, most, pairs))
    assert sorted(np.concatenate(found).tolist()) == list(range(len(lengths)))
    for rows in found:
        assert len(rows) == 1 or len(rows) * array[rows].max() ** 2 <= pairs
        assert most is None or len(rows) <= most


@pytest.mark.slow
@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(1, 4000))
def test_scores_come_back_in_the_order_of_the_histories(lengths: list[int], pairs: int) -> None:
    array = np.array(lengths)
    scores = in_pieces(array, lambda rows: torch.from_numpy(np.stack([rows, array[rows]], 1)).float(), pairs)
    assert scores.tolist() == [[row, length] for row, length in enumerate(lengths)]


def test_a_network_scores_in_pieces_what_it_scores_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    relations = relations_of(DATA)
    scorer = scorer_of(network_of(relations), relations)
    users = np.arange(DATA.user_count)
    whole = scorer.score(users, DATA.sequences)
    assert len(list(pieces(np.minimum(DATA.sequences.lengths, LENGTH), pairs=500))) > 3
    monkeypatch.setattr("attrformer.models.scorer.in_pieces", partial(in_pieces, pairs=500))
    torch.testing.assert_close(scorer.score(users, DATA.sequences), whole, rtol=1e-5, atol=1e-5)
