from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attrformer.nn.batch import at_target_positions, gathered
from attrformer.nn.recency import look_up, small_entries

pytestmark = pytest.mark.slow


def assert_same_gradients(first: torch.Tensor, second: torch.Tensor, leaf: torch.Tensor) -> None:
    assert torch.equal(first, second)
    weights = torch.randn_like(first)
    (wanted,) = torch.autograd.grad((first * weights).sum(), leaf)
    (found,) = torch.autograd.grad((second * weights).sum(), leaf)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 4), (3, 5, 2, 6)])
def test_gathered_places_are_those_that_are_looked_up(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    values = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    places = torch.tensor([[0, 4, 4], [1, 2, 3], [2, 2, 2]])
    assert_same_gradients(at_target_positions(values, places), gathered(values, places), values)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(1, 3))
def test_entries_of_small_tables_have_the_gradient_of_a_look_up(index: list[int], rows: int) -> None:
    torch.manual_seed(0)
    tables, asked = torch.randn(rows, 5, dtype=torch.float64, requires_grad=True), torch.tensor(index)
    assert_same_gradients(look_up(tables, asked), small_entries(tables, asked), tables)
