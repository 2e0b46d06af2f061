from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.support.baselines import (
    check_batching,
    check_equations,
    check_gradients,
    check_round_trip,
    example_of,
    network_of,
    objective_of,
    read_by,
    small,
)
from torch import Tensor

from attrformer.errors import ConfigurationError
from attrformer.models.baselines.fearec import FEARecConfig, FEARecLayer, FEARecNetwork, ramp, spectral_distance
from attrformer.nn.losses import contrast

LENGTH = 12
CONFIG = small(FEARecConfig, ratio=0.6, time_share=0.3)


def padded(values: Tensor) -> Tensor:
    return F.pad(values, (0, 0, 0, LENGTH - len(values)))


def in_band(values: Tensor, band: tuple[int, int]) -> Tensor:
    """The slice of the spectrum of one padded history."""
    spectrum = torch.fft.rfft(padded(values), dim=0)
    kept = torch.zeros_like(spectrum)
    kept[band[0] : band[1]] = spectrum[band[0] : band[1]]
    return kept


def plain_periods(query: Tensor, key: Tensor, value: Tensor, band: tuple[int, int], lags: int) -> Tensor:
    correlation = torch.fft.irfft(in_band(query, band) * in_band(key, band).conj(), n=LENGTH, dim=0).mean(1)
    best, which = correlation.topk(lags)
    weights = best.softmax(0)
    rolled = sum(w * padded(value).roll(-int(lag), 0) for w, lag in zip(weights, which, strict=True))
    assert isinstance(rolled, Tensor)
    return rolled[: len(value)]


def plain_attention(query: Tensor, key: Tensor, value: Tensor, band: tuple[int, int]) -> Tensor:
    query, key, value = (
        torch.fft.irfft(in_band(part, band), n=LENGTH, dim=0)[: len(part)] for part in (query, key, value)
    )
    rows = []
    for place in range(len(query)):
        heads = []
        for start in (0, 8):
            of_head = slice(start, start + 8)
            fit = key[: place + 1, of_head] @ query[place, of_head] / math.sqrt(8)
            heads.append(fit.softmax(0) @ value[: place + 1, of_head])
        rows.append(torch.cat(heads))
    return torch.stack(rows)


def plain_layer(layer: FEARecLayer, hidden: Tensor, band: tuple[int, int]) -> Tensor:
    query, key, value = layer.attention.query_key_value(hidden).chunk(3, 1)
    mixed = 0.3 * plain_attention(query, key, value, band) + 0.7 * plain_periods(query, key, value, band, 2)
    hidden = layer.add.norm(hidden + layer.attention.output(mixed))
    return layer.feed.add.norm(hidden + layer.feed.outer(F.gelu(layer.feed.inner(hidden))))


def plain(network: FEARecNetwork, items: list[int]) -> Tensor:
    hidden = network.norm(network.item[items] + network.position[: len(items)])
    for layer, band in zip(network.layers, [(2, 7), (0, 5)], strict=True):
        hidden = plain_layer(layer, hidden, band)
    return hidden


def test_the_hidden_state_is_that_of_the_equations() -> None:
    network = network_of(CONFIG)
    assert CONFIG.lags == 2 and ramp(7, 2, 0.6) == [(2, 7), (0, 5)]
    batch, outputs = check_equations(network, plain)
    # The ends, in groups of similar length, in the order of the rows.
    torch.testing.assert_close(network.ends(batch.items), outputs.hidden[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ratio", [0.1, 0.4, 0.6, 1.0])
@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_slices_slide_from_high_to_low_and_cover_the_spectrum(layers: int, ratio: float) -> None:
    slices = ramp(26, layers, ratio)
    assert len(slices) == layers and len({stop - start for start, stop in slices}) == 1
    assert slices[0][1] == 26 and slices[-1][0] == 0
    assert sorted(slices, reverse=True) == slices
    assert {f for start, stop in slices for f in range(start, stop)} == set(range(26))
    assert slices[0][1] - slices[0][0] >= 26 * ratio


def test_the_loss_is_the_sum_of_its_three_parts() -> None:
    relations = read_by(CONFIG)
    network = network_of(CONFIG, relations)
    example, objective = example_of(CONFIG, relations), objective_of(relations)
    assert example.partners is not None and not torch.equal(example.partners.items, example.batch.items)
    view, other = network(example.batch).hidden[:, 0], network(example.partners).hidden[:, 0]
    wanted = F.cross_entropy(view @ network.item.t(), example.items[:, 0, 0])
    alone = network_of(replace(CONFIG, contrast_weight=0.0, spectrum_weight=0.0), relations)
    torch.testing.assert_close(alone.loss(example, objective), wanted, rtol=1e-4, atol=1e-5)
    spectra = torch.fft.fft(view - other, dim=1)[:, :9] / 4
    wanted = wanted + 0.1 * contrast(view, other, 1.0, example.final) + 0.1 * spectra.abs().mean()
    torch.testing.assert_close(network.loss(example, objective), wanted, rtol=1e-4, atol=1e-5)


def test_equal_views_have_no_distance_and_a_finite_gradient() -> None:
    view = torch.randn(3, 8, requires_grad=True)
    distance = spectral_distance(view, view)
    distance.backward()
    assert float(distance.detach()) == 0 and view.grad is not None and bool(view.grad.isfinite().all())


def test_scores_do_not_depend_on_the_batch() -> None:
    check_batching(CONFIG)


def test_the_loss_reaches_every_parameter() -> None:
    check_gradients(CONFIG)


@pytest.mark.parametrize("options", [{"ratio": 0.0}, {"time_share": 1.5}, {"lag_factor": 0.0}, {"temperature": 0.0}])
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        small(FEARecConfig, **options)


@pytest.mark.slow
def test_fit_save_and_load(tmp_path: Path) -> None:
    check_round_trip("fearec", tmp_path, "model.max_length=20")
