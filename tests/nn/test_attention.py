from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from attrformer.nn.attention import EncoderLayer, RelationAugmentedAttention
from attrformer.nn.recency import LookBack, distance_bins

WIDTH, HEADS, LENGTH, NAMES = 8, 2, 6, ["near", "brand"]


def attention(names: list[str]) -> RelationAugmentedAttention:
    module = EncoderLayer(WIDTH, HEADS, names, LENGTH, 0.0, 2).attention
    with torch.no_grad():
        for name in names:
            module.temperature[name].fill_(0.7)
            module.position_bias[name].normal_()
    return module


def values_of(batch: int = 3) -> dict[str, Tensor]:
    return {name: torch.rand(batch, LENGTH, LENGTH) for name in NAMES}


def logits_of(module: RelationAugmentedAttention, values: dict[str, Tensor]) -> Tensor | None:
    heads = module.stacked()
    if heads is None:
        return None
    return heads.logits(torch.stack([values[name] for name in module.relations], 1), LookBack(LENGTH)(None, LENGTH))


def relation_weights(module: RelationAugmentedAttention, name: str, values: Tensor) -> Tensor:
    """Softmax over earlier positions of temperature times value plus the bias of the distance, by loops."""
    bins, _ = distance_bins(LENGTH)
    out = torch.zeros_like(values)
    for t in range(LENGTH):
        bias = torch.stack([module.position_bias[name][bins[t - s]] for s in range(t + 1)])
        out[:, t, : t + 1] = torch.softmax(values[:, t, : t + 1] * module.temperature[name] + bias, 1)
    return out


def plain(module: RelationAugmentedAttention, hidden: Tensor, relations: dict[str, Tensor]) -> Tensor:
    """The same attention head by head."""
    width = WIDTH // HEADS
    value = module.value(hidden)
    later = torch.ones(LENGTH, LENGTH).triu(1).bool()
    mixed = []
    for head in range(HEADS):
        query, key = (module.query_key(hidden).split(width, 2)[at] for at in (head, HEADS + head))
        score = (query @ key.transpose(1, 2) / math.sqrt(width)).masked_fill(later, -torch.inf)
        mixed.append(torch.softmax(score, 2) @ value[..., head * width : (head + 1) * width])
    for number, name in enumerate(module.relations, start=HEADS):
        weights = relation_weights(module, name, relations[name])
        mixed.append(weights @ value[..., number * width : (number + 1) * width])
    return module.output(torch.cat(mixed, 2))


@pytest.mark.parametrize("names", [NAMES, NAMES[:1], []])
def test_equals_attention_head_by_head(names: list[str]) -> None:
    module, hidden, values = attention(names), torch.randn(3, LENGTH, WIDTH), values_of()
    torch.testing.assert_close(
        module(hidden, logits_of(module, values)), plain(module, hidden, values), rtol=1e-5, atol=1e-5
    )


def test_relation_heads_never_look_at_later_positions() -> None:
    logits = logits_of(attention(NAMES), values_of())
    assert logits is not None
    weights = torch.softmax(logits, 3)
    assert not weights.triu(1).any()
    torch.testing.assert_close(weights.sum(3), torch.ones(3, len(NAMES), LENGTH))


def test_logits_at_places_are_those_of_all_positions_there() -> None:
    heads, values = attention(NAMES).stacked(), torch.rand(3, len(NAMES), LENGTH, LENGTH)
    places = torch.tensor([[0, 5], [3, 3], [4, 1]])
    assert heads is not None
    whole = heads.logits(values, LookBack(LENGTH)(None, LENGTH))
    asked = torch.stack([own[:, at] for own, at in zip(values, places, strict=True)])
    expected = torch.stack([own[:, at] for own, at in zip(whole, places, strict=True)])
    torch.testing.assert_close(heads.logits(asked, LookBack(LENGTH)(places, LENGTH)), expected)


def test_the_output_before_a_change_stays_as_it_was() -> None:
    layer = EncoderLayer(WIDTH, HEADS, NAMES, LENGTH, 0.0, 2)
    hidden, values = torch.randn(3, LENGTH, WIDTH), values_of()
    before = layer(hidden, logits_of(layer.attention, values))
    changed, other = hidden.clone(), {name: value.clone() for name, value in values.items()}
    changed[:, 3:] += 1.0
    for value in other.values():
        value[:, 3:] += 1.0
        value[:, :, 3:] += 1.0
    after = layer(changed, logits_of(layer.attention, other))
    torch.testing.assert_close(after[:, :3], before[:, :3], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(after[:, 3:], before[:, 3:], atol=1e-2)
