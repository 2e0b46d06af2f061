from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from attrformer.models.baselines.layers.post_norm import attend, seen_before
from attrformer.nn.dropout import Dropout, Masks, dropped, keep_mask


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


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.1, 0.2, 0.5, 0.9])
def test_the_share_that_is_kept_is_that_of_plain_dropout(rate: float) -> None:
    torch.manual_seed(0)
    count = 4_000_000
    deviation = (rate * (1 - rate) / count) ** 0.5
    for kept in (keep_mask(torch.Size([count]), rate), F.dropout(torch.ones(count), rate) != 0):
        assert abs(float((~kept).float().mean()) - rate) <= 4 * deviation + 2**-16


@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (2, 3, 4), (0, 4)])
def test_any_shape_is_drawn(shape: tuple[int, ...]) -> None:
    assert keep_mask(torch.Size(shape), 0.5).shape == shape
    assert not keep_mask(torch.Size(shape), 1 - 2**-40).all() or 0 in shape


def test_elements_that_share_a_random_number_are_dropped_independently() -> None:
    torch.manual_seed(0)
    lanes = keep_mask(torch.Size([500_000, 4]), 0.3).float()
    assert float((torch.corrcoef(lanes.t()) - torch.eye(4)).abs().max()) < 0.007
    following = torch.corrcoef(torch.stack([lanes[:-1, 3], lanes[1:, 0]]))[0, 1]
    assert abs(float(following)) < 0.007


def test_attention_without_dropout_of_its_weights_is_the_mean_of_that_with_it() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 2, 5, 4)
    seen = seen_before(None, 5, query.device)
    expected = attend(query, key, value, seen, 0.0)
    found = torch.stack([attend(query, key, value, seen, 0.2) for _ in range(4000)])
    assert float((found.mean(0) - expected).abs().max()) < 0.05
    plain = torch.softmax((query @ key.transpose(2, 3) / 2).masked_fill(~seen, -torch.inf), 3)
    torch.manual_seed(1)
    found = attend(query, key, value, seen, 0.2)
    torch.manual_seed(1)
    torch.testing.assert_close(found, dropped(plain, 0.2) @ value)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_parts_of_a_batch_drop_what_the_whole_of_it_drops(parts: int) -> None:
    def run(values: torch.Tensor) -> list[torch.Tensor]:
        return [dropped(values, 0.3), dropped(values[:, :2].repeat(1, 1, 3), 0.5)]

    values = torch.randn(7, 5, 4)
    torch.manual_seed(0)
    whole, following = run(values), dropped(values, 0.5)
    torch.manual_seed(0)
    masks = Masks(len(values), parts)
    for number in reversed(range(parts)):
        with masks.of_part(number):
            for found, expected in zip(run(values[number::parts]), whole, strict=True):
                assert torch.equal(found, expected[number::parts])
    assert torch.equal(dropped(values, 0.5), following)
