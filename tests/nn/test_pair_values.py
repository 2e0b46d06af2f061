"""Compiled values of pairs of positions beside the plain ones of the relations' modules."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from attrformer.compiled import rounding
from attrformer.nn import pair_values
from attrformer.nn.pair_values import filled_up, of_buckets, of_products, of_rows, of_slots, takes

pytest.importorskip("numba", reason="needs the extra `fast`")
pytestmark = pytest.mark.slow

BATCH, LENGTH, VALUES, SCALE = 3, 70, 11, 33.0


def _codes() -> Tensor:
    return torch.randint(0, VALUES, (BATCH, LENGTH), generator=torch.Generator().manual_seed(0))


def _same(own: Tensor, plain: Tensor, learned: list[Tensor]) -> None:
    """Equal values and gradients at the position and before it, and 0 behind it."""
    lower = torch.ones(LENGTH, LENGTH).tril()
    assert not (own * (1 - lower)).any()
    torch.testing.assert_close(own * lower, plain * lower, rtol=1e-5, atol=1e-6)
    by = torch.randn(own.shape, generator=torch.Generator().manual_seed(1)) * lower
    found = torch.autograd.grad((own * by).sum(), learned)
    wanted = torch.autograd.grad((plain * by).sum(), learned)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


def test_rows_of_a_table_at_earlier_items() -> None:
    table, rows = torch.rand(5, VALUES), torch.randint(0, 5, (BATCH, LENGTH))
    own, lower = of_rows(table, rows, _codes(), SCALE), torch.ones(LENGTH, LENGTH).tril()
    plain = torch.log1p(table[rows.unsqueeze(2), _codes().unsqueeze(1)] * SCALE)
    torch.testing.assert_close(own, plain * lower, rtol=1e-5, atol=1e-6)


def test_profiles_at_the_values_of_earlier_positions() -> None:
    profiles = torch.rand(BATCH, LENGTH, VALUES, requires_grad=True)
    codes, weights = _codes(), torch.rand(BATCH, LENGTH).round()
    at = profiles.gather(2, codes.unsqueeze(1).expand(-1, LENGTH, -1)) * weights.unsqueeze(1)
    _same(of_slots(profiles, codes, weights, SCALE), torch.log1p(at * SCALE), [profiles])


def test_profiles_times_features_of_earlier_positions() -> None:
    profiles, features = torch.rand(BATCH, LENGTH, VALUES, requires_grad=True), torch.rand(BATCH, LENGTH, VALUES)
    plain = torch.log1p(torch.bmm(profiles, features.transpose(1, 2)) * SCALE)
    _same(of_products(profiles, features, SCALE), plain, [profiles])


@pytest.mark.parametrize("pick", [lambda b: b, lambda b: b // 6 * 6])
def test_values_of_buckets(pick: Callable[[Tensor], Tensor]) -> None:
    values, buckets = torch.randn(VALUES, requires_grad=True), pick(torch.randint(0, VALUES, (BATCH, LENGTH, LENGTH)))
    _same(of_buckets(values, buckets), values[buckets], [values])


def test_rows_are_filled_up_once() -> None:
    values = torch.rand(BATCH, LENGTH, LENGTH)
    wide = filled_up(values)
    assert (
        wide.shape == (BATCH, LENGTH, 128) and torch.equal(wide[..., :LENGTH], values) and not wide[..., LENGTH:].any()
    )
    again = filled_up(wide[..., :LENGTH])
    assert again.data_ptr() == wide.data_ptr() and again.shape == wide.shape
    exact = torch.rand(2, 64, 64)
    assert filled_up(exact).data_ptr() == exact.data_ptr()


def test_they_are_made_for_many_pairs_in_steps_that_may_round() -> None:
    many = torch.zeros(2, 256, dtype=torch.long)
    assert many.numel() * many.shape[1] > pair_values.MANY and not takes(many)
    with rounding(True):
        assert takes(many) and not takes(many[:, :128]) and not takes(many.to("meta"))
