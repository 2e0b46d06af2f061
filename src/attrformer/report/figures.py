"""Tables of figures with their intervals, from what a training folder holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrformer.evaluation.metrics import in_brief
from attrformer.report.charts import Table
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
