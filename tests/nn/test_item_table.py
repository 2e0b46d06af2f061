from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from attrformer.compiled import rounding
from attrformer.nn import bags
from attrformer.nn.item_table import _of_attribute


@given(st.integers(1, 9), st.integers(1, 3), st.integers(1, 20), st.integers(0, 99))
def test_sums_of_embeddings_have_the_gradient_of_torch(values: int, slots: int, items: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, values, (items, slots), generator=generator)
    weights = torch.rand(items, slots, generator=generator)
    weights = weights * (torch.rand(items, slots, generator=generator) < 0.6)
    outer = torch.randn(items, 4, generator=generator)
    found, right = (torch.randn(values, 4, generator=torch.Generator().manual_seed(seed)) for _ in range(2))
    own = _of_attribute(found.requires_grad_(), codes, weights)
    expected = F.embedding_bag(codes, right.requires_grad_(), per_sample_weights=weights, mode="sum")
    torch.testing.assert_close(own, expected)
    own.backward(outer)  # type: ignore[no-untyped-call]
    expected.backward(outer)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found.grad, right.grad)


@pytest.mark.slow
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("asked", ["both", "table", "weights"])
def test_weighted_sums_have_the_gradient_of_torch(asked: str, turned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba", reason="needs the extra `fast`")
    monkeypatch.setattr(bags, "MANY", 0)
    generator = torch.Generator().manual_seed(0)
    rows, outer = torch.randint(0, 7, (5, 4), generator=generator), torch.randn(5, 6, generator=generator)
    start = torch.randn(7, 6, generator=generator), torch.rand(5, 4, generator=generator)
    found = []
    for allowed in (False, True):
        table, weights = (value.clone() for value in start)
        table.requires_grad_(asked != "weights")
        weights.requires_grad_(asked != "table")
        with rounding(allowed):
            # Weights whose columns lie one after another in memory.
            given = weights.t().contiguous().t() if turned else weights
            sums = bags.weighted_sums(rows, table, given)
        assert (type(sums.grad_fn).__name__ == "_WeightedSumsBackward") == allowed
        sums.backward(outer)  # type: ignore[no-untyped-call]
        found.append((sums.detach(), table.grad, weights.grad))
    for first, second in zip(*found, strict=True):
        assert (first is None) == (second is None)
        if first is not None:
            torch.testing.assert_close(first, second)
