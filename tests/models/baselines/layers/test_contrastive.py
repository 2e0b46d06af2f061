from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch import Tensor

from attrformer.models.baselines.layers.contrastive import crop, groups_by_length, mask, reorder, share_of

PADDING, GAP = 99, 100
LENGTHS = torch.tensor([1, 2, 3, 7, 10] * 100)


def histories() -> Tensor:
    """Rows 0, 1, 2 ... up to the length of each, then padding."""
    position = torch.arange(10).expand(len(LENGTHS), -1)
    return position.masked_fill(position >= LENGTHS.unsqueeze(1), PADDING)


def lists(items: Tensor) -> list[list[int]]:
    """The rows without their padding, which has to come last."""
    rows = []
    for row in items.tolist():
        there = [item for item in row if item != PADDING]
        assert row == there + [PADDING] * (len(row) - len(there))
        rows.append(there)
    return rows


def test_shares_are_rounded_down_from_what_is_meant() -> None:
    assert share_of(torch.tensor([10, 100, 7, 1]), 0.3).tolist() == [3, 30, 2, 0]
    # In floating point 0.29 * 100 is less than 29.
    assert share_of(torch.tensor([100]), 0.29).tolist() == [29]


@pytest.mark.parametrize(("share", "kept"), [(0.6, [1, 1, 1, 4, 6]), (1.0, [1, 2, 3, 7, 10]), (0.01, [1] * 5)])
def test_a_crop_is_a_piece_without_gaps_that_may_begin_anywhere(share: float, kept: list[int]) -> None:
    items, lengths = crop(histories(), LENGTHS, share, PADDING)
    assert lengths.tolist() == kept * 100
    rows = lists(items)
    assert [len(row) for row in rows] == lengths.tolist()
    for row in rows:
        assert row == list(range(row[0], row[0] + len(row)))
    for kind in range(5):
        starts = {row[0] for row in rows[kind::5]}
        assert starts == set(range(int(LENGTHS[kind]) - kept[kind] + 1))


def test_a_mask_takes_its_share_anywhere_and_leaves_the_rest() -> None:
    items, lengths = mask(histories(), LENGTHS, 0.3, GAP)
    assert lengths is LENGTHS
    rows = lists(items)
    for row, length in zip(rows, LENGTHS.tolist(), strict=True):
        assert len(row) == length and row.count(GAP) == int(0.3 * length + 1e-9)
        assert all(item in (position, GAP) for position, item in enumerate(row))
    masked = torch.tensor(rows[4::5]) == GAP
    assert bool(masked.any(0).all()) and not bool(masked.all(0).any())


def test_a_whole_history_can_be_masked() -> None:
    items, _ = mask(histories(), LENGTHS, 1.0, GAP)
    assert [set(row) for row in lists(items)] == [{GAP}] * len(LENGTHS)


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_reordering_shuffles_one_piece_and_leaves_the_rest(share: float) -> None:
    items, lengths = reorder(histories(), LENGTHS, share)
    assert lengths is LENGTHS
    moved_from, moved_to = set(), set()
    for row, length in zip(lists(items), LENGTHS.tolist(), strict=True):
        assert sorted(row) == list(range(length))
        moved = [position for position, item in enumerate(row) if item != position]
        if moved:
            assert moved[-1] - moved[0] + 1 <= int(share * length + 1e-9)
        if length == 10:
            moved_from |= set(moved[:1])
            moved_to |= set(moved[-1:])
    assert min(moved_from) == 0 and max(moved_to) == 9


def test_every_order_of_a_piece_comes_up_evenly() -> None:
    items = torch.tensor([[4, 5, 6, PADDING]]).expand(6000, -1)
    shuffled, _ = reorder(items, torch.full((6000,), 3), 1.0)
    found = [tuple(row) for row in lists(shuffled)]
    for order in permutations((4, 5, 6)):
        assert 850 < found.count(order) < 1150


def test_rows_of_similar_length_share_a_group() -> None:
    lengths = torch.tensor([1, 200, 4, 5, 8, 9, 2, 16, 17])
    groups = [rows.tolist() for rows in groups_by_length(lengths)]
    assert groups == [[0, 2, 6], [3, 4], [5, 7], [8], [1]]


def test_every_row_is_in_one_group_and_pads_at_most_to_twice_its_length() -> None:
    lengths = torch.randint(1, 201, (300,))
    groups = groups_by_length(lengths)
    assert torch.equal(torch.cat(groups).sort().values, torch.arange(300))
    for rows in groups:
        assert int(lengths[rows].max()) < max(5, 2 * int(lengths[rows].min()))
