"""Sections of the report: tables of figures, the course of training, and what a check of the data found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrformer.data.check.text import percent, said
from attrformer.errors import ConfigurationError
from attrformer.evaluation.metrics import higher_is_better, in_brief
from attrformer.recommender.run_folder import passes_of
from attrformer.report.charts import Best, LineChart, Table, line_chart
from attrformer.report.scale import finite, number

VARIANTS: Final = ("seen=hidden", "seen=ranked")


def metrics_table(figures: Mapping[str, Any], variants: Sequence[str]) -> Table:
    """Every metric with its interval, a column for each seen variant.

    Args:
        figures: intervals by variant and metric.
        variants: the columns.
    """
    names = list(dict.fromkeys(name for variant in variants for name in figures[variant]))
    rows = tuple((name, *(_interval(figures[variant].get(name)) for variant in variants)) for name in names)
    return Table(("Metric", *variants), rows)


def groups_table(groups: Mapping[str, Mapping[str, Any]]) -> Table:
    """Recall, NDCG and metrics of one's own, at the longest of their cutoffs, for each group of targets.

    Args:
        groups: `groups` of `figures.json`, by kind and label.
    """
    rows = tuple(
        (label, f"{group['targets']:,}", name, *(_interval(group[variant].get(name)) for variant in VARIANTS))
        for halves in groups.values()
        for label, group in halves.items()
        for name in in_brief(group[VARIANTS[0]])
    )
    return Table(("Targets", "Count", "Metric", *VARIANTS), rows)


def _interval(figure: Mapping[str, float] | None) -> str:
    if figure is None:
        return "-"
    if len(finite([figure.get("low"), figure.get("high")])) < 2:
        return number(figure["value"])
    return f"{number(figure['value'])} [{number(figure['low'])}, {number(figure['high'])}]"


def curves(epochs: Sequence[Mapping[str, Any]], metric: str) -> tuple[LineChart, ...]:
    """The training loss, and the validation metric that selects the best epoch; none where nothing is known.

    Args:
        epochs: the lines of `metrics.jsonl`.
        metric: such as `NDCG@20`.
    """
    places = [round(passes_of(epoch), 2) for epoch in epochs]
    losses = {"loss": [(place, epoch.get("loss")) for place, epoch in zip(places, epochs, strict=True)]}
    quality: dict[str, list[tuple[float, float | None]]] = {variant: [] for variant in VARIANTS}
    for place, epoch in zip(places, epochs, strict=True):
        for variant in VARIANTS:
            value = (epoch.get("validation") or {}).get(variant, {}).get(metric)
            quality[variant].append((place, value["value"] if isinstance(value, dict) else value))
    charts = (
        line_chart("Training loss", _course("The training loss", losses["loss"]), losses),
        line_chart(f"Validation {metric}", _summary(metric, quality), quality, best=_best_of(metric)),
    )
    return tuple(chart for chart in charts if chart)


def _course(what: str, points: Sequence[tuple[float, float | None]]) -> str:
    known = [(x, y) for x, y in points if finite([y])]
    if not known:
        return what
    (first, before), (last, after) = known[0], known[-1]
    if first == last:
        return f"{what} is {number(after)} at epoch {last:g}."
    return f"{what} goes from {number(before)} at epoch {first:g} to {number(after)} at epoch {last:g}."


def _best_of(metric: str) -> Best | None:
    """What finds the best value of a metric; None for one that is not registered here, whose direction is unknown."""
    try:
        return max if higher_is_better(metric) else min
    except ConfigurationError:
        return None


def _summary(metric: str, series: Mapping[str, Sequence[tuple[float, float | None]]]) -> str:
    known = {name: [(x, y) for x, y in points if finite([y])] for name, points in series.items()}
    return " ".join(_course(f"Validation {metric} with {name}", points) for name, points in known.items() if points)


def findings_table(findings: Sequence[Mapping[str, Any]], *, whole: bool = False) -> Table | None:
    """Findings as rows; None where there are none.

    Args:
        findings: of a report as JSON.
        whole: whether with evidence and examples.
    """
    header = ("Severity", "Finding", *(("Evidence", "Examples") if whole else ()), "What to do")
    rows = []
    for finding in findings:
        evidence = "; ".join(f"{name.replace('_', ' ')} {said(value)}" for name, value in finding["evidence"].items())
        more = (evidence, "; ".join(finding["examples"])) if whole else ()
        title = f"{finding['title']}. {finding['detail']}" if whole else finding["title"]
        rows.append((finding["severity"], title, *more, finding["fix"]))
    return Table(header, tuple(rows)) if rows else None


def columns_table(columns: Sequence[Mapping[str, Any]]) -> Table | None:
    """What every column is used as; None where that is not known."""
    rows = tuple(
        (
            f"{use['table']}.{use['column'] or repr(use['column'])}",
            use["used_as"],
            "" if use["values"] is None else f"{use['values']:,}",
            "" if use["missing"] is None else percent(use["missing"]),
        )
        for use in columns
    )
    return Table(("Column", "Used as", "Values", "Missing"), rows) if rows else None
