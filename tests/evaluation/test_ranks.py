from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from attrformer.errors import DataError
from attrformer.evaluation.metrics import UNREACHABLE_RANK, mrr, ndcg, recall
from attrformer.evaluation.ranks import best_columns, seen_pairs, target_ranks, top_items
from attrformer.ordering import best_places

NONE = torch.empty(0, dtype=torch.int64)
LOW = float("-inf")


def rank_by_sorting(scores: list[float], target: int, seen: set[int]) -> tuple[int, int]:
    """Both ranks of one target, from a full sort that puts the target behind every item of its score."""
    everything = sorted(range(len(scores)), key=lambda item: (-scores[item], item == target))
    unseen = [item for item in everything if item not in seen]
    if scores[target] == LOW:
        return UNREACHABLE_RANK, UNREACHABLE_RANK
    hidden = UNREACHABLE_RANK if target in seen else unseen.index(target) + 1
    return hidden, everything.index(target) + 1


def best_by_sorting(scores: list[float], k: int) -> list[int]:
    """The best items of one row, equal scores in the order of the catalogue."""
    return [item for item in sorted(range(len(scores)), key=lambda item: -scores[item]) if scores[item] > LOW][:k]


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


@pytest.mark.slow
@given(blocks(), st.integers(1, 9))
@settings(max_examples=200, deadline=None)
def test_lists_are_those_of_a_full_sort_in_catalogue_order(block, count):
    scores, targets, seen = block
    table = torch.tensor(scores)
    before = table.clone()
    for name, lists in zip(("hidden", "ranked"), top_items(table, *coordinates(seen), count), strict=True):
        assert lists.shape == (len(targets), count)
        for row, found in enumerate(lists.tolist()):
            hidden = {item for owner, item in seen if owner == row and name == "hidden"}
            best = best_by_sorting([LOW if item in hidden else score for item, score in enumerate(scores[row])], count)
            assert found == best + [-1] * (count - len(best))
    assert torch.equal(table, before)


@pytest.mark.slow
@given(blocks(), st.integers(1, 7), st.sampled_from([torch.float32, torch.bfloat16]), st.randoms())
@settings(max_examples=200, deadline=None)
def test_the_order_of_equal_scores_is_that_of_the_catalogue_everywhere(block, k, dtype, random):
    scores = block[0]
    table = torch.tensor(scores, dtype=dtype)
    k = min(k, table.shape[1])
    values, found = best_columns(table, k)
    # The same entries in any order, each with its code.
    order = torch.tensor([random.sample(range(table.shape[1]), table.shape[1]) for _ in scores])
    shuffled = best_columns(table.gather(1, order), k, order)
    for row, own in enumerate(scores):
        best = best_by_sorting(own, k)
        for some_values, items in ((values, found), shuffled):
            assert items[row, : len(best)].tolist() == best
            assert some_values[row].tolist() == sorted(own, reverse=True)[:k]
        assert best_places(table[row].float().numpy(), k).tolist() == best


@pytest.mark.parametrize("kind", ["all equal", "few values", "random"])
def test_many_equal_scores_of_a_wide_row_are_in_catalogue_order(kind):
    generator = torch.Generator().manual_seed(0)
    tables = {
        "all equal": torch.zeros(3, 5000),
        "few values": torch.randint(0, 9, (3, 5000), generator=generator).float(),
        "random": torch.randn(3, 5000, generator=generator),
    }
    table = tables[kind]
    for k in (1, 20, 700, 5000):
        wanted = torch.argsort(table, dim=1, descending=True, stable=True)[:, :k]
        assert torch.equal(best_columns(table, k)[1], wanted)
        assert [best_places(row, k).tolist() for row in table.numpy()] == wanted.tolist()


def test_equal_scores_put_every_target_last():
    hidden, ranked = target_ranks(torch.zeros(2, 5), torch.tensor([0, 4]), torch.tensor([0]), torch.tensor([3]))
    assert hidden.tolist() == [4, 5]
    assert ranked.tolist() == [5, 5]


def test_a_target_in_its_own_context_is_a_miss_at_every_cutoff_where_seen_items_are_hidden():
    scores = torch.tensor([[3.0, 2.0, 1.0]])
    hidden, ranked = target_ranks(scores, torch.tensor([1]), torch.tensor([0, 0]), torch.tensor([0, 1]))
    assert hidden.tolist() == [UNREACHABLE_RANK]
    assert ranked.tolist() == [2]
    for k in (1, 20, UNREACHABLE_RANK, 10**12):
        assert [measure(hidden.numpy(), k).tolist() for measure in (recall, ndcg, mrr)] == [[0.0]] * 3


def test_an_item_seen_twice_is_left_out_once():
    scores = torch.tensor([[3.0, 2.0, 1.0]])
    hidden, _ = target_ranks(scores, torch.tensor([2]), torch.tensor([0, 0]), torch.tensor([0, 0]))
    assert hidden.tolist() == [2]


def test_a_target_of_score_minus_infinity_is_never_recommended_and_a_miss():
    scores = torch.tensor([[LOW, 2.0, LOW]])
    hidden, ranked = target_ranks(scores, torch.tensor([0]), torch.tensor([0]), torch.tensor([1]))
    assert (hidden.tolist(), ranked.tolist()) == ([UNREACHABLE_RANK], [UNREACHABLE_RANK])


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


def test_seen_pairs_are_distinct_and_sorted():
    rows, items = seen_pairs(torch.tensor([1, 0, 1, 1, 0]), torch.tensor([3, 4, 3, 2, 1]), item_count=5)
    assert list(zip(rows.tolist(), items.tolist(), strict=True)) == [(0, 1), (0, 4), (1, 2), (1, 3)]
