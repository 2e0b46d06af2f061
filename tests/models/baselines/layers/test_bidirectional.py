from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from attrformer.models.baselines.layers.bidirectional import BidirectionalLayer

WIDTH, HEADS = 8, 2


def layer_of() -> BidirectionalLayer:
    torch.manual_seed(0)
    layer = BidirectionalLayer(WIDTH, HEADS, 0.0, 3).eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return layer


def plain(layer: BidirectionalLayer, hidden: Tensor) -> Tensor:
    """Equations 1 to 6 of BERT4Rec for one history `[l, d]` without padding, head by head."""
    attention, size = layer.attention, WIDTH // HEADS
    key, value = attention.key_value(hidden).chunk(2, 1)
    heads = []
    for number in range(HEADS):
        of_head = slice(number * size, (number + 1) * size)
        fit = attention.query(hidden)[:, of_head] @ key[:, of_head].t() / math.sqrt(size)
        heads.append(fit.softmax(1) @ value[:, of_head])
    mixed = layer.add.norm(hidden + attention.output(torch.cat(heads, 1)))
    return layer.feed.add.norm(mixed + layer.feed.outer(F.gelu(layer.feed.inner(mixed))))


def test_each_history_is_read_as_if_it_were_alone_whatever_its_padding_holds() -> None:
    layer, hidden = layer_of(), torch.randn(3, 5, WIDTH)
    lengths = [5, 3, 1]
    there = torch.arange(5) < torch.tensor(lengths).unsqueeze(1)
    hidden[~there] = 1e6
    out = layer(hidden, there)
    for row, length in enumerate(lengths):
        expected = plain(layer, hidden[row, :length])
        torch.testing.assert_close(out[row, :length], expected, rtol=1e-5, atol=1e-5)


def test_places_are_read_as_all_positions_are() -> None:
    layer, hidden = layer_of(), torch.randn(2, 4, WIDTH)
    there = torch.tensor([[True] * 4, [True, True, False, False]])
    places = torch.tensor([[3, 0, 0], [1, 0, 1]])
    everywhere = layer(hidden, there)
    expected = torch.stack([everywhere[row, at] for row, at in enumerate(places)])
    torch.testing.assert_close(layer(hidden, there, places), expected, rtol=1e-5, atol=1e-6)


def test_earlier_positions_read_later_ones() -> None:
    layer, hidden = layer_of(), torch.randn(1, 4, WIDTH)
    there = torch.ones(1, 4, dtype=torch.bool)
    changed = hidden.clone()
    changed[0, 3] += 1
    assert not torch.allclose(layer(changed, there)[0, 0], layer(hidden, there)[0, 0], atol=1e-3)
