"""Axes: round values that cover the range, and labels that tell them apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.report.scale import Scale, number, round_values, shorten


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.013, 0.072, [0.0, 0.02, 0.04, 0.06, 0.08]),
        (-3.0, 7.0, [-4.0, -2.0, 0.0, 2.0, 4.0, 6.0, 8.0]),
        (5.0, 5.0, [4.4, 4.6, 4.8, 5.0, 5.2, 5.4, 5.6]),
    ],
)
def test_round_values(low: float, high: float, expected: list[float]) -> None:
    assert round_values(low, high) == pytest.approx(expected)


def test_whole_values_for_epochs() -> None:
    assert round_values(1, 3, 8, whole=True) == [1, 2, 3]
    assert round_values(1, 1, 8, whole=True) == [1, 2]
    assert round_values(1, 40, 8, whole=True) == [0, 5, 10, 15, 20, 25, 30, 35, 40]


@pytest.mark.slow
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_round_values_cover_the_range_with_few_labels_that_differ(low: float, extent: float) -> None:
    high = low + extent
    values = round_values(low, high)
    margin = 1e-6 * (high - low) + 1e-9 * max(abs(low), abs(high))
    assert values[0] <= low + margin and values[-1] >= high - margin
    assert 2 <= len(values) <= 9
    labels = [tick.label for tick in Scale(values[0], values[-1], 0.0, 100.0).ticks(values)]
    assert len(set(labels)) == len(labels)


def test_scale_and_labels() -> None:
    upward = Scale(0.0, 0.5, 200.0, 0.0)
    assert upward(0.25) == 100.0
    assert [tick.label for tick in upward.ticks([0.0, 0.25, 0.5])] == ["0.00", "0.25", "0.50"]
    assert [tick.label for tick in Scale(0, 4000, 0.0, 1.0).ticks([0, 2000, 4000])] == ["0", "2,000", "4,000"]


def test_number() -> None:
    assert [number(value) for value in (0.12345, 12345.6, 0.0, 0.00002, None, float("nan"))] == [
        "0.1235",
        "12,345.6000",
        "0.0000",
        "2.0e-05",
        "-",
        "-",
    ]


def test_shorten() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcd fgh", 6) == "abcd…"
