"""Drawings of results as SVG files that follow the reader's light or dark theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import jinja2

from attrformer.benchmark.contrasts import contrasts
from attrformer.benchmark.results import CPU, Board, Result
from attrformer.benchmark.wording import percent, training
from attrformer.evaluation.bootstrap import Interval
from attrformer.evaluation.evaluation import HEADLINE
from attrformer.evaluation.protocol import HIDDEN, SEEN_VARIANTS
from attrformer.report.scale import Scale, Tick, round_values

WIDTH: Final = 720
ROW: Final = 34.0
LINE_HEIGHT: Final = 13.0
LETTER: Final = 6.6

Label = tuple[float, float, float]
"""Left end, base line and width of a text."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """An SVG file and the sentence that stands in its place for those who cannot see it."""

    svg: str
    description: str


def gain_chart(board: Board, dataset: str) -> Drawing | None:
    """Relative gain of this project's model over every other one, in both seen variants; None without results."""
    own = board.own(dataset)
    if own is None:
        return None
    others = sorted(board.on(dataset), key=lambda result: -result.figure(HEADLINE, HIDDEN).value)
    found = contrasts(own, [other for other in others if other.row != own.row], HEADLINE)
    shown = [other for other in others if all((other.row, seen) in found for seen in SEEN_VARIANTS)]
    gains = [[found[other.row, seen].gain for seen in SEEN_VARIANTS] for other in shown]
    limits = [100 * end for pair in gains for gain in pair for end in (gain.low, gain.high)]
    if not limits or not all(map(math.isfinite, limits)):
        return None
    values = round_values(min(0.0, *limits), max(0.0, *limits), 6)
    left, top, bottom = 190.0, 40.0, 40.0 + ROW * len(shown)
    across = Scale(values[0], values[-1], left, WIDTH - 24.0)
    bars = [
        bar
        for place, (other, pair) in enumerate(zip(shown, gains, strict=True))
        for bar in _bars(other.title, pair, across, top + ROW * place)
    ]
    labels = [(other.title, round(top + ROW * place + 21, 1)) for place, other in enumerate(shown)]
    title = f"{dataset}: {HEADLINE} of {own.title} above each other model, in per cent"
    return _drawn(
        "gains",
        title,
        f"Horizontal bars with intervals, {len(shown)} models, hidden and ranked.",
        height=bottom + 30,
        left=left,
        top=top,
        bottom=bottom,
        zero=across(0.0),
        ticks=across.ticks(values),
        bars=bars,
        labels=labels,
        series=[f"seen={seen}" for seen in SEEN_VARIANTS],
    )


def _bars(title: str, gains: Sequence[Interval], across: Scale, top: float) -> list[dict[str, Any]]:
    """The bars of one model, a variant each, from 0 to its gain, with the interval."""
    return [
        {
            "y": round(top + 4 + 13 * number, 1),
            "series": number + 1,
            "from": min(across(0.0), across(100 * gain.value)),
            "width": max(abs(across(100 * gain.value) - across(0.0)), 1.0),
            "low": across(100 * gain.low),
            "high": across(100 * gain.high),
            "text": f"{title}, seen={seen}: {percent(gain)}",
        }
        for number, (seen, gain) in enumerate(zip(SEEN_VARIANTS, gains, strict=True))
    ]


def cost_chart(board: Board, dataset: str) -> Drawing | None:
    """Accuracy against the time of training, of every model that is trained; None without results."""
    found = [result for result in board.on(dataset) if result.cost("training_seconds") > 0]
    if not found:
        return None
    times = [math.log10(_shown_time(result)[1]) for result in found]
    figures = [result.figure(HEADLINE, HIDDEN).value for result in found]
    values = round_values(min(figures), max(figures))
    left, bottom, height = 66.0, 450.0, 500.0
    across = Scale(min(times) - 0.1, max(times) + 0.35, left, WIDTH - 20.0)
    upward = Scale(values[0], values[-1], bottom, 44.0)
    places = [(across(time), upward(figure)) for time, figure in zip(times, figures, strict=True)]
    return _drawn(
        "costs",
        f"{dataset}: {HEADLINE} (seen=hidden) against the time of training",
        f"Points of {len(found)} models, hollow if never trained on a CPU alone; the axis of time is logarithmic.",
        height=height,
        left=left,
        top=44.0,
        bottom=bottom,
        x_ticks=_time_ticks(across),
        y_ticks=upward.ticks(values),
        points=_points(found, places),
        series=["this project", "paper's baselines", "references"],
    )


def _points(found: Sequence[Result], places: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    """Markers with names beside them, each name where it covers no marker and no other name."""
    taken = [(x - 7, y + 4, 14.0) for x, y in places]
    points = []
    for result, (x, y) in zip(found, places, strict=True):
        width = LETTER * len(result.title)
        start, line, _ = label = _free_place(x, y, width, taken)
        taken.append(label)
        series = {"ours": 1, "paper": 2}.get(result.group, 3)
        text = f"{result.title}: {result.figure(HEADLINE, HIDDEN)}, {training(result)}"
        points.append(
            {"x": x, "y": y, "label": result.title, "start": round(start, 1), "line": round(line, 1)}
            | {"series": series, "text": text, "hollow": _shown_time(result)[0]}
            | {"leader": _leader(x, y, start, line, width)}
        )
    return points


def _shown_time(result: Result) -> tuple[bool, float]:
    """Whether a model's time is that of an accelerator, and the time; that of a CPU where there are both."""
    first = result.trainings[0]
    return first.place != CPU, first.seconds


def _leader(x: float, y: float, start: float, line: float, width: float) -> tuple[float, float] | None:
    """Where a thin line from a marker meets its name; None where the name stands right beside it."""
    if abs(line - 4 - y) < LINE_HEIGHT:
        return None
    return round(min(max(x, start), start + width), 1), round(line + 3 if line < y else line - 11, 1)


def _free_place(x: float, y: float, width: float, taken: Sequence[Label]) -> Label:
    """Start, line and width of a name beside its marker: on its right, its left, or as near as there is room."""
    places = [
        (start, y + 4 + shift, width)
        for distance in range(0, 141, 14)
        for shift in (distance, -distance)
        for start in (x + 9, x - 9 - width)
        if start >= 0 and start + width <= WIDTH
    ]
    return next((place for place in places if not any(_overlap(place, other) for other in taken)), places[0])


def _overlap(first: Label, second: Label) -> bool:
    apart = first[0] + first[2] < second[0] or second[0] + second[2] < first[0]
    return not apart and abs(first[1] - second[1]) < LINE_HEIGHT


def _time_ticks(across: Scale) -> list[Tick]:
    """Round times on a logarithmic axis."""
    rounds = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10800, 36000, 108000, 360000)
    return [
        Tick(across(math.log10(seconds)), _short(seconds))
        for seconds in rounds
        if across.low <= math.log10(seconds) <= across.high
    ]


def _short(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h"


def _drawn(kind: str, title: str, description: str, **content: Any) -> Drawing:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("attrformer.benchmark"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    template = environment.get_template("drawing.svg.j2")
    svg = template.render(kind=kind, title=title, description=description, width=WIDTH, **content)
    return Drawing(svg, f"{title}. {description}")
