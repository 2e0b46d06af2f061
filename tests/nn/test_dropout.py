from __future__ import annotations

import torch

from attrformer.nn.dropout import Dropout


def test_a_share_is_dropped_and_the_rest_is_scaled_up() -> None:
    torch.manual_seed(0)
    values = torch.full((200, 500), 3.0, requires_grad=True)
    kept = Dropout(0.25)(values)
    assert kept.unique().tolist() == [0.0, 4.0]
    assert abs(float((kept == 0).float().mean()) - 0.25) < 0.01
    kept.sum().backward()
    assert values.grad is not None and torch.equal(values.grad, kept.detach() / 3)


def test_it_draws_from_the_global_generator() -> None:
    layer, values = Dropout(0.5), torch.ones(100)
    torch.manual_seed(0)
    first = layer(values)
    assert not torch.equal(first, layer(values))
    torch.manual_seed(0)
    assert torch.equal(first, layer(values))


def test_nothing_happens_outside_of_training() -> None:
    values = torch.randn(10)
    assert torch.equal(Dropout(0.5).eval()(values), values)
    assert torch.equal(Dropout(0.0)(values), values)
