from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from attrformer.nn.batch import Batch
from attrformer.nn.recency import SINGLE_STEPS, RecencyProfile, distance_bins, gap_buckets, look_up
from attrformer.relations.positions import GAP_BUCKETS


def batch_of(length: int, places: list[int], **options: Any) -> Batch:
    return Batch(
        torch.zeros(1, length, dtype=torch.long), torch.tensor([places]), torch.zeros(1, dtype=torch.long), **options
    )


@given(st.integers(1, 3000))
def test_bins_grow_with_distance_without_gaps(length: int) -> None:
    bins, count = distance_bins(length)
    steps = np.diff(bins.numpy())
    assert len(bins) == length and bins[0] == 0 and count == int(bins[-1]) + 1
    assert set(steps.tolist()) <= {0, 1}


def test_near_distances_have_a_bin_each_and_far_ones_share_by_half_doublings() -> None:
    bins, count = distance_bins(400)
    assert bins[:SINGLE_STEPS].tolist() == list(range(SINGLE_STEPS))
    widths = np.bincount(bins.numpy())[SINGLE_STEPS:]
    # 12 to 16, 17 to 23, 24 to 33, ... : two bins a doubling.
    assert widths[:4].tolist() == [5, 7, 10, 14]
    assert count == SINGLE_STEPS + len(widths) < 30


def test_gap_buckets_by_doubling() -> None:
    times = torch.tensor([[100, 100, 101, 103, 104, 108, 2_000_000_000]])
    found = gap_buckets(times, torch.tensor([[5, 0]]), GAP_BUCKETS)
    # From position 5 back: gaps 8, 8, 7, 5, 4, 0, and a later position.
    assert found[0, 0].tolist() == [3, 3, 2, 2, 2, 0, 0]
    assert found[0, 1].tolist() == [0] * 7
    assert gap_buckets(times, torch.tensor([[6]]), GAP_BUCKETS).max() == GAP_BUCKETS - 1


@given(st.lists(st.integers(-(2**33), 2**33), min_size=1, max_size=20))
def test_gap_buckets_are_the_whole_logarithm(gaps: list[int]) -> None:
    near = [gap + step for gap in (2**k for k in range(34)) for step in (-1, 0, 1)]
    times = torch.tensor([[0, *(-gap for gap in (*gaps, *near))]])
    expected = [0 if gap <= 0 else min(max(gap.bit_length() - 1, 1), GAP_BUCKETS - 1) for gap in (0, *gaps, *near)]
    assert gap_buckets(times, torch.tensor([[0]]), GAP_BUCKETS)[0, 0].tolist() == expected


def test_large_gaps_keep_their_bucket() -> None:
    # Single precision would round up across the boundary.
    gap = 2**23 - 1
    found = gap_buckets(torch.tensor([[0, gap, gap + 1]]), torch.tensor([[1, 2]]), GAP_BUCKETS)
    assert found[0, :, 0].tolist() == [22, 23]


def start(decay: float, length: int = 8) -> tuple[RecencyProfile, Tensor]:
    profile = RecencyProfile(length, decay, 0, {})
    return profile, profile(batch_of(length, [0, 3, length - 1]), None)


@pytest.mark.parametrize("decay", [0.5, 0.8, 1.0])
def test_profile_starts_as_a_power_of_the_distance(decay: float) -> None:
    _, found = start(decay)
    for row, place in enumerate([0, 3, 7]):
        expected = [decay ** (place - s) if s <= place else 0.0 for s in range(8)]
        torch.testing.assert_close(found[0, row].exp(), torch.tensor(expected))


def test_profile_adds_terms_of_gap_and_level() -> None:
    profile = RecencyProfile(4, 0.8, 3, {"rating": 3})
    assert profile.by_gap is not None
    with torch.no_grad():
        profile.by_gap.copy_(torch.tensor([0.0, 10.0, 20.0]))
        next(iter(profile.by_level.values())).copy_(torch.tensor([0.0, 0.1, 0.2]))
    batch = batch_of(4, [2], levels={"rating": torch.tensor([[2, 0, 1, 2]])})
    gaps = torch.tensor([[[2, 1, 0, 0]]])
    decay = torch.log(torch.tensor(0.8))
    expected = torch.tensor([20.2, 10.0, 0.1]) + decay * torch.tensor([2.0, 1.0, 0.0])
    found = profile(batch, gaps)
    torch.testing.assert_close(found[0, 0, :3], expected)
    assert found[0, 0, 3] == -torch.inf
    # Without times and levels the distance alone counts.
    torch.testing.assert_close(profile(batch_of(4, [2]), None)[0, 0, :3], decay * torch.tensor([2.0, 1.0, 0.0]))


@pytest.mark.parametrize("tables", [(7,), (3, 7)])
@pytest.mark.parametrize("index", [(5,), (4, 4), (2, 3, 5)])
def test_looked_up_entries_and_their_gradient_are_those_of_plain_indexing(
    tables: tuple[int, ...], index: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    values, where = torch.randn(tables, dtype=torch.float64, requires_grad=True), torch.randint(0, 7, index)
    found, expected = look_up(values, where), values[..., where]
    assert torch.equal(found, expected)
    above = torch.randn_like(found)
    torch.testing.assert_close(*(torch.autograd.grad(each, values, above) for each in (found, expected)))
