"""Figures of any table of recommendations, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.errors import DataError
from attrformer.evaluation import metrics
from attrformer.evaluation.bootstrap import Interval, PairedTest, mean_intervals, paired_test
from attrformer.evaluation.config import EvaluationConfig
from attrformer.evaluation.evaluation import as_text
from attrformer.evaluation.metrics import Ranking
from attrformer.evaluation.table_ranks import ranked_table

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, eq=False)
class TableEvaluation:
    """The figures of one table of recommendations.

    Args:
        name: of what made the table.
        targets: user_id and item_id of every held-out interaction, in the order in which they were given.
        ranking: ranks of the targets, and lists and popularity where a catalogue was given.
        config: lengths of the list, metrics, resamples and level of the intervals.
        seed: of the bootstrap.
        counts: how many rows or targets were special, by what they were; those that were none are left out.
    """

    name: str
    targets: pl.DataFrame
    ranking: Ranking
    config: EvaluationConfig
    seed: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Every metric that is reported, such as `NDCG@20`."""
        return metrics.names_of(self.config.metrics, self.config.cutoffs, self.ranking)

    def per_target(self, name: str) -> NDArray[np.float64]:
        """A metric of each target, float64 `[n]`, aligned with `targets`.

        Args:
            name: such as `NDCG@20`.

        Raises:
            ConfigurationError: the metric is unknown, is no mean over targets, or needs more than is known.
        """
        return metrics.target_values(name, self.ranking)

    def metric(self, name: str) -> Interval:
        """A metric with its confidence interval; arguments and errors as for `per_target`."""
        if not metrics.is_mean(name):
            return metrics.overall_value(name, self.ranking, self.config.confidence)
        (found,) = mean_intervals(self.per_target(name), **self._sampling())
        return found

    def values(self) -> dict[str, float]:
        """Every reported metric without its interval."""
        return {name: self.metric(name).value for name in self.names}

    def compare(self, other: TableEvaluation, name: str = "NDCG@20") -> PairedTest:
        """Paired bootstrap test of this table against another one of the same targets.

        Args:
            other: evaluation of the other table.
            name: a metric that is a mean over targets.

        Returns:
            This table less the other, with interval and p-value.

        Raises:
            DataError: the two were evaluated on different targets, or on the same ones in another order.
        """
        if not self.targets.equals(other.targets):
            raise DataError(
                "the two tables were evaluated on different targets",
                fix="Evaluate both with the same held-out table",
            )
        return paired_test(self.per_target(name), other.per_target(name), **self._sampling())

    def to_json(self) -> dict[str, Any]:
        """`{"name": ..., "targets": n, "counts": {...}, "figures": {"NDCG@20": {"value": x, "low": x, "high": x}}}`."""
        figures = {name: self.metric(name).to_json() for name in self.names}
        return {"name": self.name, "targets": len(self.targets), "counts": self.counts, "figures": figures}

    def table(self) -> Table:
        """The metrics with their intervals, and what was special about the table, for a rich console."""
        from rich.markup import escape
        from rich.table import Table

        users = self.targets["user_id"].n_unique()
        title = f"{self.name} | {len(self.targets):,} targets of {users:,} users | ties against the model"
        drawn = Table("metric", "value", title=escape(title), title_justify="left")
        for name in self.names:
            drawn.add_row(name, str(self.metric(name)))
        if self.counts:
            drawn.add_section()
        for what, count in self.counts.items():
            drawn.add_row(what, f"{count:,}")
        return drawn

    def __str__(self) -> str:
        """The table as plain text."""
        return as_text([self.table()])

    __repr__ = __str__

    def _sampling(self) -> dict[str, Any]:
        users = self.ranking.users
        return {
            "users": users,
            "resamples": self.config.resamples,
            "confidence": self.config.confidence,
            "seed": self.seed,
        }


def evaluate_recommendations(
    recommendations: Any,
    held_out: Any,
    *,
    train: Any = None,
    items: Any = None,
    name: str = "recommendations",
    seed: int = 0,
    config: EvaluationConfig | None = None,
) -> TableEvaluation:
    """Judges a table of recommendations by the metrics of this library, whoever made it.

    - A target that is not recommended to its user is a miss, also where the user has no recommendations at all.
    - Equal scores, and equal ranks, count against the table: a target stands behind all others with its score.
    - An item that is recommended twice to a user keeps both places; the better one counts.
    - An item that the catalogue does not have keeps its place, too, and is never a hit.
    - Nothing is hidden: whether items of the history are recommended is up to the table.

    Args:
        recommendations: table of any frame library, or path of a file, with `user_id`, `item_id` and `rank` (whole
            numbers from 1) or `score` (higher is better); where both are there, `rank` counts.
        held_out: table with the `user_id` and `item_id` of every interaction that was to be predicted.
        train: table of the training interactions, for the popularity of items; None leaves out what needs it.
        items: table with the `item_id` of every item of the catalogue; where None and `train` is given, the items of
            `train` and `held_out`. Metrics of lists such as `Coverage` need one of both.
        name: of what made the table, for output.
        seed: of the bootstrap.
        config: lengths of the list, metrics, resamples and level of the intervals; defaults where None.

    Returns:
        Figures with intervals over users, and how many rows were special.

    Raises:
        DataError: a table lacks a column, an id or a score, has ids of another kind, or there is no target.
        ConfigurationError: a metric is unknown.
    """
    config = EvaluationConfig() if config is None else config
    metrics.require_known(config.metrics)
    found = ranked_table(recommendations, held_out, train, items, max(config.cutoffs))
    return TableEvaluation(name, found.targets, found.ranking, config, seed, found.counts)
