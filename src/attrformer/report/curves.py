"""The course of training: loss and validation figures over the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrformer.errors import ConfigurationError
from attrformer.evaluation.metrics import higher_is_better
from attrformer.report.charts import Best, LineChart, line_chart
from attrformer.report.figures import VARIANTS
from attrformer.report.scale import finite, number


def curves(epochs: Sequence[Mapping[str, Any]], metric: str) -> tuple[LineChart, ...]:
    """The training loss, and the validation metric that selects the best epoch; none where nothing is known.

    Args:
        epochs: the lines of `metrics.jsonl`.
        metric: such as `NDCG@20`.
    """
    # The log counts epochs from zero, people from one.
    losses = {"loss": [(epoch["epoch"] + 1, epoch.get("loss")) for epoch in epochs]}
    quality: dict[str, list[tuple[int, float | None]]] = {variant: [] for variant in VARIANTS}
    for epoch in epochs:
        for variant in VARIANTS:
            value = (epoch.get("validation") or {}).get(variant, {}).get(metric)
            quality[variant].append((epoch["epoch"] + 1, value["value"] if isinstance(value, dict) else value))
    charts = (
        line_chart("Training loss", _course("The training loss", losses["loss"]), losses),
        line_chart(f"Validation {metric}", _summary(metric, quality), quality, best=_best_of(metric)),
    )
    return tuple(chart for chart in charts if chart)


def _course(what: str, points: Sequence[tuple[int, float | None]]) -> str:
    known = [(x, y) for x, y in points if finite([y])]
    if not known:
        return what
    (first, before), (last, after) = known[0], known[-1]
    return f"{what} goes from {number(before)} at epoch {first} to {number(after)} at epoch {last}."


def _best_of(metric: str) -> Best | None:
    """What finds the best value of a metric; None for one that is not registered here, whose direction is unknown."""
    try:
        return max if higher_is_better(metric) else min
    except ConfigurationError:
        return None


def _summary(metric: str, series: Mapping[str, Sequence[tuple[int, float | None]]]) -> str:
    known = {name: [(x, y) for x, y in points if finite([y])] for name, points in series.items()}
    return " ".join(_course(f"Validation {metric} with {name}", points) for name, points in known.items() if points)
