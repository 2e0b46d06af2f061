from __future__ import annotations

import pytest
import torch

from attrformer.models.baselines.layers.spectrum import at_lags, band_projection, frequencies, lag_correlation


@pytest.mark.parametrize(
    ("length", "first", "stop"), [(8, 0, 2), (8, 3, 5), (9, 0, 1), (9, 2, 5), (1, 0, 1), (50, 10, 26)]
)
def test_a_band_is_what_the_transform_keeps(length: int, first: int, stop: int) -> None:
    signal = torch.randn(length, 3, generator=torch.Generator().manual_seed(0))
    spectrum = torch.fft.rfft(signal, dim=0)
    assert len(spectrum) == frequencies(length)
    kept = torch.zeros_like(spectrum)
    kept[first:stop] = spectrum[first:stop]
    expected = torch.fft.irfft(kept, n=length, dim=0)
    torch.testing.assert_close(band_projection(length, first, stop) @ signal, expected, rtol=1e-5, atol=1e-6)


def test_bands_project_and_together_are_everything() -> None:
    low, high = band_projection(10, 0, 2), band_projection(10, 2, 6)
    torch.testing.assert_close(low @ low, low)
    torch.testing.assert_close(low + high, torch.eye(10))
    torch.testing.assert_close(band_projection(10, 0, 1), torch.full((10, 10), 0.1))


def test_lag_correlation_by_hand() -> None:
    query = torch.tensor([[[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]]])
    key = torch.tensor([[[5.0, 0.0], [0.0, 7.0], [0.0, 0.0]]])
    # q_0 k_0, q_1 k_0, q_2 k_1 of lags 0, 1, 1; nothing else fits, and lag 4 would be q_0 k_1.
    assert lag_correlation(query, key, 5).tolist() == [[5.0, 10.0 + 21.0, 0.0, 0.0, 0.0]]


def test_lag_correlation_is_the_inverse_transform_of_the_cross_spectrum() -> None:
    query, key = torch.randn(2, 3, 6, 4, generator=torch.Generator().manual_seed(0))
    spectra = [torch.fft.rfft(torch.nn.functional.pad(x, (0, 0, 0, 5)), dim=1) for x in (query, key)]
    expected = torch.fft.irfft(spectra[0] * spectra[1].conj(), n=11, dim=1).sum(2)
    torch.testing.assert_close(lag_correlation(query, key, 11), expected, rtol=1e-5, atol=1e-5)


def test_lags_shift_values_to_the_left() -> None:
    values, length = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)), 7
    weights = torch.rand(2, length, generator=torch.Generator().manual_seed(1))
    padded = torch.nn.functional.pad(values, (0, 0, 0, length - 4))
    shifted = torch.stack([padded.roll(-lag, 1) for lag in range(length)])
    expected = (weights.t()[:, :, None, None] * shifted).sum(0)
    everywhere = torch.arange(4).unsqueeze(0)
    torch.testing.assert_close(at_lags(weights, everywhere, 4) @ values, expected[:, :4])
    places = torch.tensor([[3, 1], [0, 2]])
    some = torch.stack([expected[row, places[row]] for row in range(2)])
    torch.testing.assert_close(at_lags(weights, places, 4) @ values, some)
