from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from attrformer.errors import DataError
from attrformer.evaluation.ranks import hidden_pairs, target_ranks, top_items

NONE = torch.empty(0, dtype=torch.int64)
LOW = float("-inf")


def rank_by_sorting(scores: list[float], target: int, seen: set[int]) -> tuple[int, int]:
    """Both ranks of one target, from a full sort that puts the target behind every item of its score."""
    everything = sorted(range(len(scores)), key=lambda item: (-scores[item], item == target))
    unseen = [item for item in everything if item == target or item not in seen]
    return unseen.index(target) + 1, everything.index(target) + 1


@st.composite
def blocks(draw: st.DrawFn) -> tuple[list[list[float]], list[int], list[tuple[int, int]]]:
    rows = draw(st.integers(1, 4))
    items = draw(st.integers(1, 7))
    # Few distinct values, so that ties are common.
    value = st.sampled_from([LOW, -1.5, 0.0, 0.5, 2.0])
    scores = draw(st.lists(st.lists(value, min_size=items, max_size=items), min_size=rows, max_size=rows))
    targets = draw(st.lists(st.integers(0, items - 1), min_size=rows, max_size=rows))
    seen = draw(st.lists(st.tuples(st.integers(0, rows - 1), st.integers(0, items - 1)), max_size=12))
    return scores, targets, seen


def coordinates(seen: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    return torch.tensor([row for row, _ in seen], dtype=torch.int64), torch.tensor(
        [item for _, item in seen], dtype=torch.int64
    )


@given(blocks(), st.sampled_from([torch.float32, torch.bfloat16, torch.float64]))
@settings(max_examples=200, deadline=None)
def test_ranks_equal_those_of_a_full_sort(block, dtype):
    scores, targets, seen = block
    hidden, ranked = target_ranks(torch.tensor(scores, dtype=dtype), torch.tensor(targets), *coordinates(seen))
    expected = [
        rank_by_sorting(scores[row], target, {item for owner, item in seen if owner == row})
        for row, target in enumerate(targets)
    ]
    assert list(zip(hidden.tolist(), ranked.tolist(), strict=True)) == expected
    assert hidden.dtype == ranked.dtype == torch.int64


@given(blocks(), st.integers(1, 9))
@settings(max_examples=200, deadline=None)
def test_lists_hold_the_best_items_that_may_be_recommended(block, count):
    scores, targets, seen = block
    table = torch.tensor(scores)
    before = table.clone()
    for name, lists in zip(
        ("hidden", "ranked"), top_items(table, torch.tensor(targets), *coordinates(seen), count), strict=True
    ):
        assert lists.shape == (len(targets), count)
        for row, found in enumerate(lists.tolist()):
            hidden = {item for owner, item in seen if owner == row and item != targets[row]}
            allowed = [
                item
                for item, score in enumerate(scores[row])
                if score > LOW and (name == "ranked" or item not in hidden)
            ]
            real = [item for item in found if item >= 0]
            assert found == real + [-1] * (count - len(real))
            assert len(set(real)) == len(real) and set(real) <= set(allowed)
            # Which of several tied items is taken is free, the scores of the list are not.
            best = sorted((scores[row][item] for item in allowed), reverse=True)[:count]
            assert [scores[row][item] for item in real] == best
    assert torch.equal(table, before)


def test_equal_scores_put_every_target_last():
    hidden, ranked = target_ranks(torch.zeros(2, 5), torch.tensor([0, 4]), torch.tensor([0]), torch.tensor([3]))
    assert hidden.tolist() == [4, 5]
    assert ranked.tolist() == [5, 5]


def test_a_target_in_its_own_context_is_still_ranked():
    scores = torch.tensor([[3.0, 2.0, 1.0]])
    hidden, ranked = target_ranks(scores, torch.tensor([1]), torch.tensor([0, 0]), torch.tensor([0, 1]))
    assert hidden.tolist() == [1]
    assert ranked.tolist() == [2]


def test_an_item_seen_twice_is_left_out_once():
    scores = torch.tensor([[3.0, 2.0, 1.0]])
    hidden, _ = target_ranks(scores, torch.tensor([2]), torch.tensor([0, 0]), torch.tensor([0, 0]))
    assert hidden.tolist() == [2]


def test_a_target_of_score_minus_infinity_is_last():
    scores = torch.tensor([[LOW, 2.0, LOW]])
    hidden, ranked = target_ranks(scores, torch.tensor([0]), torch.tensor([0]), torch.tensor([1]))
    assert (hidden.tolist(), ranked.tolist()) == ([2], [3])


def test_nan_scores_are_refused_and_the_row_is_named():
    scores = torch.zeros(3, 4)
    scores[1, 2] = float("nan")
    scores[0, 0] = float("inf")
    with pytest.raises(DataError, match="1 of 3 rows of scores hold NaN") as caught:
        target_ranks(scores, torch.tensor([0, 0, 0]), NONE, NONE)
    assert caught.value.row == 1


def test_scores_beyond_all_bounds_are_no_nan():
    scores = torch.tensor([[float("inf"), LOW, 0.0]])
    assert target_ranks(scores, torch.tensor([0]), NONE, NONE)[1].tolist() == [1]


def test_an_empty_block_has_no_ranks():
    hidden, ranked = target_ranks(torch.empty(0, 4), NONE, NONE, NONE)
    assert len(hidden) == len(ranked) == 0


def test_hidden_pairs_are_distinct_sorted_and_without_the_target():
    rows, items = hidden_pairs(
        torch.tensor([4, 2]), torch.tensor([1, 0, 1, 1, 0]), torch.tensor([3, 4, 3, 2, 1]), item_count=5
    )
    assert list(zip(rows.tolist(), items.tolist(), strict=True)) == [(0, 1), (1, 3)]
