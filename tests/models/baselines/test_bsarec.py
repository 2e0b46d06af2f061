from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.support.baselines import (
    check_batching,
    check_equations,
    check_gradients,
    check_round_trip,
    network_of,
    small,
)
from torch import Tensor

from attrformer.errors import ConfigurationError
from attrformer.models.baselines.bsarec import BSARecConfig, BSARecLayer, BSARecNetwork, FrequencyRescaler
from attrformer.nn.batch import Batch

CONFIG = small(BSARecConfig, components=3)


def left_padded_filter(hidden: Tensor, length: int, components: int, beta: Tensor) -> Tensor:
    """The published filter on one history that stands at the end of N positions."""
    signal = F.pad(hidden, (0, 0, length - len(hidden), 0))
    spectrum = torch.fft.rfft(signal, dim=0)
    spectrum[components // 2 + 1 :] = 0
    low = torch.fft.irfft(spectrum, n=length, dim=0)
    return (low + beta * (signal - low))[length - len(hidden) :]


def plain_layer(layer: BSARecLayer, hidden: Tensor) -> Tensor:
    """One layer for one history `[l, d]`, position by position."""
    root = layer.rescaler.root
    filtered = layer.add_filtered.norm(hidden + left_padded_filter(hidden, 12, 3, root**2))
    query, (key, value) = layer.query(hidden), layer.key_value(hidden).chunk(2, 1)
    rows = []
    for place in range(len(hidden)):
        heads = []
        for part in range(layer.heads):
            of_head = slice(part * 8, part * 8 + 8)
            fit = key[: place + 1, of_head] @ query[place, of_head] / math.sqrt(8)
            heads.append(fit.softmax(0) @ value[: place + 1, of_head])
        rows.append(layer.output(torch.cat(heads)))
    attended = layer.add_attended.norm(hidden + torch.stack(rows))
    mixed = 0.7 * filtered + 0.3 * attended
    return layer.feed.add.norm(mixed + layer.feed.outer(F.gelu(layer.feed.inner(mixed))))


def plain(network: BSARecNetwork, items: list[int]) -> Tensor:
    hidden = network.item[items] + network.position[: len(items)].flip(0)
    hidden = network.norm(hidden)
    for layer in network.layers:
        hidden = plain_layer(layer, hidden)
    return hidden


def test_the_hidden_state_is_that_of_the_equations() -> None:
    check_equations(network_of(CONFIG), plain)


def test_the_filter_keeps_low_frequencies_and_rescales_high_ones() -> None:
    filter_ = FrequencyRescaler(1, 8, 3)
    with torch.no_grad():
        filter_.root.fill_(0.5)
        position = torch.arange(8.0)
        low = 2.0 + torch.cos(2 * torch.pi * position / 8)
        high = torch.cos(2 * torch.pi * 3 * position / 8)
        out = filter_((low + high).view(1, 8, 1))
        torch.testing.assert_close(out.view(8), low + 0.25 * high, rtol=1e-5, atol=1e-5)
        assert torch.equal(filter_((low + high).view(1, 8, 1), torch.tensor([[7, 2]]))[0], out[0, [7, 2]])


def test_scores_do_not_depend_on_the_batch() -> None:
    check_batching(CONFIG)


def test_the_loss_reaches_every_parameter() -> None:
    check_gradients(CONFIG)


def test_the_filter_sees_later_positions_so_that_prefixes_are_taught() -> None:
    network = network_of(CONFIG)
    places, folds = torch.tensor([[0]]), torch.zeros(1, dtype=torch.int64)
    first = network(Batch(torch.tensor([[1, 2, 3]]), places, folds)).hidden
    second = network(Batch(torch.tensor([[1, 2, 9]]), places, folds)).hidden
    assert not torch.allclose(first, second, atol=1e-3)
    assert BSARecConfig.ENDS_BEFORE_TARGET


@pytest.mark.parametrize("options", [{"components": 4}, {"components": 0}, {"alpha": 1.5}])
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        small(BSARecConfig, **options)


@pytest.mark.slow
def test_fit_save_and_load(tmp_path: Path) -> None:
    check_round_trip("bsarec", tmp_path, "model.max_length=20")
