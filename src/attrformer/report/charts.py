"""Geometry of the charts; the templates turn it into SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attrformer.report.scale import Scale, Tick, finite, number, round_values, shorten

WIDTH = 480
PAIR_LABEL = 15
BAR_LABELS = (16, 22)
"""Least and most characters that there is room for beside bars."""

Best = Callable[[Iterable[float]], float]
"""Finds the best of some values: `max`, or `min` where less is better."""


@dataclass(frozen=True, slots=True)
class Table:
    """The same values as text, for readers who cannot see the chart."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A marker of a line chart; `best` marks the best one of a series."""

    x: float
    y: float
    text: str
    best: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a line chart: its name, path data and markers."""

    name: str
    path: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class LineChart:
    """Curves over the epochs."""

    kind = "lines"
    title: str
    description: str
    height: int
    left: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar from `start` to `stop`, its interval from `low` to `high` where it has one."""

    label: str
    full_label: str
    top: float
    start: float
    stop: float
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True, slots=True)
class BarChart:
    """Horizontal bars, one below the other."""

    kind = "bars"
    title: str
    description: str
    height: int
    left: float
    zero: float
    bottom: float
    ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class Cell:
    """One pair of values: its place, the depth of its colour in 0..1, its sign and its text."""

    x: float
    y: float
    depth: float
    negative: bool
    text: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A matrix of pairs as colours."""

    kind = "heat"
    title: str
    description: str
    height: int
    left: float
    top: float
    side: float
    labels: tuple[tuple[str, str], ...]
    cells: tuple[Cell, ...]
    largest: str
    has_negative: bool
    table: Table


def line_chart(
    title: str,
    description: str,
    series: Mapping[str, Sequence[tuple[float, float | None]]],
    *,
    best: Best | None = None,
) -> LineChart | None:
    """Curves of one or two series over the epochs, or None where there is nothing to draw.

    Args:
        title: heading of the chart.
        description: one sentence for readers who cannot see it.
        series: (epoch, value) pairs by name; values that are missing or not finite are left out.
        best: what finds the value of each series that is marked, `max` or `min`; None marks none.
    """
    drawn = {name: [(x, y) for x, y in points if finite([y])] for name, points in series.items()}
    values = [float(y) for points in drawn.values() for _, y in points if y is not None]
    if not values:
        return None
    height, left, bottom = 250, 58.0, 212.0
    epochs = sorted({x for points in drawn.values() for x, _ in points})
    x_values, y_values = round_values(epochs[0], epochs[-1], 8, whole=True), round_values(min(values), max(values))
    across = Scale(x_values[0], x_values[-1], left, WIDTH - 16.0)
    upward = Scale(y_values[0], y_values[-1], bottom, 18.0)
    lines = tuple(_line(name, points, across, upward, best) for name, points in drawn.items() if points)
    by_epoch = [{x: y for x, y in points} for points in drawn.values()]
    rows = tuple((f"{epoch:g}", *(number(points.get(epoch)) for points in by_epoch)) for epoch in epochs)
    return LineChart(
        title=title,
        description=description,
        height=height,
        left=left,
        bottom=bottom,
        x_ticks=tuple(across.ticks(x_values)),
        y_ticks=tuple(upward.ticks(y_values)),
        lines=lines,
        table=Table(("Epoch", *drawn), rows),
    )


def _line(name: str, points: Sequence[tuple[float, Any]], across: Scale, upward: Scale, best: Best | None) -> Line:
    values = [y for _, y in points]
    marked = -1 if best is None else values.index(best(values))
    places = [(across(x), upward(y)) for x, y in points]
    path = "M" + " L".join(f"{x} {y}" for x, y in places)
    markers = tuple(
        Point(x, y, f"{name}, epoch {points[index][0]:g}: {number(points[index][1])}", index == marked)
        for index, (x, y) in enumerate(places)
    )
    return Line(name, path, markers)


def bar_chart(
    title: str, description: str, bins: Sequence[Mapping[str, Any]], *, label_header: str, value_header: str
) -> BarChart | None:
    """Horizontal bars with their intervals, or None where there is nothing to draw.

    Args:
        title: heading of the chart.
        description: one sentence for readers who cannot see it.
        bins: `label` and `value` of each bar, `count`, `low` and `high` where known.
        label_header: what the labels are, for the table.
        value_header: what the values are, for the table.
    """
    bins = [entry for entry in bins if finite([entry.get("value")])]
    if not bins:
        return None
    extent = finite([entry.get(key) for entry in bins for key in ("value", "low", "high")])
    ticks = round_values(min(0.0, *extent), max(0.0, *extent), 4)
    longest = min(max(len(str(entry["label"])) for entry in bins), BAR_LABELS[1])
    row, top, left = 30.0, 10.0, 8.0 + 7.75 * max(longest, BAR_LABELS[0])
    bottom = top + row * len(bins)
    across = Scale(ticks[0], ticks[-1], left, WIDTH - 66.0)
    bars = tuple(_bar(entry, top + row * index, across) for index, entry in enumerate(bins))
    columns = [key for key in ("low", "high", "count") if any(entry.get(key) is not None for entry in bins)]
    names = {"low": "Low", "high": "High", "count": "Count"}
    rows = tuple(
        (str(entry["label"]), number(entry["value"]), *(_cell_text(entry.get(key), key) for key in columns))
        for entry in bins
    )
    return BarChart(
        title=title,
        description=description,
        height=int(bottom + 28),
        left=left,
        zero=across(0.0),
        bottom=bottom,
        ticks=tuple(across.ticks(ticks)),
        bars=bars,
        table=Table((label_header, value_header, *(names[key] for key in columns)), rows),
    )


def _bar(entry: Mapping[str, Any], top: float, across: Scale) -> Bar:
    ends = sorted((across(0.0), across(entry["value"])))
    low, high = (across(entry[key]) if finite([entry.get(key)]) else None for key in ("low", "high"))
    label = str(entry["label"])
    return Bar(shorten(label, BAR_LABELS[1]), label, top, ends[0], ends[1], low, high, number(entry["value"]))


def _cell_text(value: float | None, key: str) -> str:
    return "-" if value is None else f"{value:,}" if key == "count" else number(value)


def heat_map(title: str, description: str, names: Sequence[str], matrix: Sequence[Sequence[float]]) -> HeatMap | None:
    """Pairs of values as colours, or None where there are none.

    Args:
        title: heading of the chart.
        description: one sentence for readers who cannot see it.
        names: `[n]` names of the values.
        matrix: `[n, n]` strength of each pair, from the row's value to the column's.
    """
    largest = max(map(abs, finite([value for row in matrix for value in row])), default=0.0)
    if not names or largest == 0.0:
        return None
    left, top = 118.0, 104.0
    # The slanted names of the last columns lean over the right edge of the matrix.
    side = round(min(30.0, (WIDTH - left - 56.0) / len(names)), 1)
    cells = tuple(
        # The square root keeps weak pairs visible beside a strong diagonal.
        Cell(
            x=round(left + column * side, 1),
            y=round(top + row * side, 1),
            depth=round(math.sqrt(abs(value) / largest), 3) if finite([value]) else 0.0,
            negative=value < 0,
            text=f"{names[row]} → {names[column]}: {number(value)}",
        )
        for row, values in enumerate(matrix)
        for column, value in enumerate(values)
    )
    return HeatMap(
        title=title,
        description=description,
        height=int(top + side * len(names) + 40),
        left=left,
        top=top,
        side=side,
        labels=tuple((_pair_label(name), name) for name in names),
        cells=cells,
        largest=number(largest),
        has_negative=any(cell.negative for cell in cells),
        table=Table(
            ("From / to", *names),
            tuple((name, *map(number, values)) for name, values in zip(names, matrix, strict=True)),
        ),
    )


def _pair_label(name: str) -> str:
    """A name that fits beside a heat map; of a long path of categories only its last step."""
    return name if len(name) <= PAIR_LABEL else shorten(name.rpartition(" > ")[2], PAIR_LABEL)
