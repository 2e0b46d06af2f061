"""The outcome of an evaluation: ranks of every target, and all figures that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from attrformer.errors import ConfigurationError, DataError
from attrformer.evaluation import drawing, metrics
from attrformer.evaluation.bootstrap import Interval, PairedTest, mean_intervals, paired_test
from attrformer.evaluation.protocol import SEEN_VARIANTS, Protocol
from attrformer.evaluation.slices import Slice, by_band, by_group

HEADLINE: Final = "NDCG@20"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Ranks of every target in both seen variants, and the figures that follow from them.

    Args:
        protocol: the conditions it was measured under.
        cutoffs: lengths of the list at which metrics are reported.
        users: int64 `[n]`, user codes.
        items: int64 `[n]`, the item that was to be predicted.
        history_lengths: int64 `[n]`, interactions in each context.
        ranks: int64 `[n]` for "hidden" and "ranked", counted from 1.
        lists: int32 `[n, longest cutoff]` for "hidden" and "ranked", recommended items, -1 where short; empty where
            no lists were kept.
        popularity: int64 `[n_items]`, training interactions of each item; None where not given.
        same_time: bool `[n]`, whether each target has the time of the last interaction of its context; None where
            times are not known.
        held_out: the same targets where no item is ranked but those that were held out of training; None where none
            were. `save` leaves it out.
    """

    protocol: Protocol
    cutoffs: tuple[int, ...]
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    history_lengths: NDArray[np.int64]
    ranks: dict[str, NDArray[np.int64]]
    lists: dict[str, NDArray[np.int32]] = field(default_factory=dict)
    popularity: NDArray[np.int64] | None = None
    same_time: NDArray[np.bool_] | None = None
    held_out: Evaluation | None = None
    _known: dict[tuple[str, str], Interval] = field(default_factory=dict, init=False, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Every metric that is reported, such as `NDCG@20`."""
        measures = list(metrics.RANK_METRICS)
        if self.lists:
            measures.append(metrics.COVERAGE)
            if self.popularity is not None:
                measures.append(metrics.POPULARITY_BIAS)
        return tuple(f"{measure}@{k}" for measure in measures for k in self.cutoffs)

    def per_target(self, name: str, seen: str = "hidden") -> NDArray[np.float64]:
        """A metric of each target, float64 `[n]`, aligned with `users`.

        Args:
            name: such as `NDCG@20`; rank metrics may have any k.
            seen: "hidden" or "ranked".

        Raises:
            ConfigurationError: the metric or variant is unknown, or is no mean over targets.
        """
        _check_seen(seen)
        measure, k = metrics.parse_metric(name)
        if measure in metrics.RANK_METRICS:
            return metrics.RANK_METRICS[measure](self.ranks[seen], k)
        if measure == metrics.COVERAGE:
            raise ConfigurationError(f"{name} belongs to all lists together. Ask for `metric('{name}')` instead.")
        if self.popularity is None:
            raise ConfigurationError(f"{name} needs the popularity of items. Evaluate with `popularity` given.")
        percentiles = metrics.popularity_percentiles(self.popularity)
        return metrics.popularity_bias(self._lists(name, seen, k), self.items, percentiles)

    def value(self, name: str, seen: str = "hidden") -> float:
        """A metric without its interval, at no cost of resampling.

        Args:
            name: such as `NDCG@20`.
            seen: "hidden" or "ranked".

        Raises:
            ConfigurationError: the metric or variant is unknown.
        """
        if metrics.parse_metric(name)[0] == metrics.COVERAGE:
            return self.metric(name, seen).value
        return float(self.per_target(name, seen).mean())

    def values(self) -> dict[str, dict[str, float]]:
        """Every reported metric without intervals: `{"seen=hidden": {"NDCG@20": x, ...}, "seen=ranked": {...}}`."""
        return {f"seen={seen}": {name: self.value(name, seen) for name in self.names} for seen in SEEN_VARIANTS}

    def metric(self, name: str, seen: str = "hidden") -> Interval:
        """A metric with its confidence interval.

        Args:
            name: such as `NDCG@20`; rank metrics may have any k, lists reach to the longest cutoff.
            seen: "hidden" or "ranked".

        Raises:
            ConfigurationError: the metric or variant is unknown.
        """
        _check_seen(seen)
        if (name, seen) not in self._known:
            measure, k = metrics.parse_metric(name)
            if measure == metrics.COVERAGE:
                self._known[name, seen] = metrics.coverage(
                    self._lists(name, seen, k),
                    self.protocol.items,
                    users=self._groups(),
                    confidence=self.protocol.confidence,
                )
            else:
                self._resample(name, seen)
        return self._known[name, seen]

    def to_json(self) -> dict[str, Any]:
        """`{"protocol": {...}, "seen=hidden": {"NDCG@20": {"value": x, "low": x, "high": x}, ...}, ...}`.

        Where items were held out, "held_out" holds the figures among them in the same form.
        """
        figures = {
            f"seen={seen}": {name: self.metric(name, seen).to_json() for name in self.names} for seen in SEEN_VARIANTS
        }
        among = {} if self.held_out is None else {"held_out": self.held_out.to_json()}
        return {"protocol": self.protocol.to_json(), **figures, **among}

    def by_history_length(self, name: str = HEADLINE, seen: str = "hidden", *, count: int = 5) -> list[Slice]:
        """A metric by the length of the context.

        Args:
            name: a metric that is a mean over targets.
            seen: "hidden" or "ranked".
            count: the most groups to make, each of about as many targets.

        Raises:
            ConfigurationError: the metric or variant is unknown.
        """
        return self._slices(self.history_lengths, name, seen, count)

    def by_item_popularity(self, name: str = HEADLINE, seen: str = "hidden", *, count: int = 5) -> list[Slice]:
        """A metric by the training interactions of the item that was to be predicted.

        Args:
            name: a metric that is a mean over targets.
            seen: "hidden" or "ranked".
            count: the most groups to make; items without any interaction are a group of their own.

        Raises:
            ConfigurationError: the metric or variant is unknown, or the popularity of items was not given.
        """
        if self.popularity is None:
            raise ConfigurationError("The popularity of items is not known. Evaluate with `popularity` given.")
        return self._slices(self.popularity[self.items], name, seen, count)

    def by_same_time(self, name: str = HEADLINE, seen: str = "hidden") -> list[Slice]:
        """A metric for targets with the time of the last interaction of their context, and for later ones.

        Where both have the same time, the order of the data decides which of them is to be predicted: a model that
        has learned how the data are sorted does well at these.

        Args:
            name: a metric that is a mean over targets.
            seen: "hidden" or "ranked".

        Returns:
            A slice for each of the two groups that has a target.

        Raises:
            ConfigurationError: the metric or variant is unknown, or times are not known.
        """
        if self.same_time is None:
            raise ConfigurationError("The times of targets are not known. Evaluate on data with times.")
        groups = {"same time": self.same_time, "later": ~self.same_time}
        return by_group(self.per_target(name, seen), groups, **self._sampling())

    def slices(self, name: str = HEADLINE, seen: str = "hidden") -> dict[str, list[Slice]]:
        """A metric by everything that is known to group targets by, under the names that files and reports give it.

        Args:
            name: a metric that is a mean over targets.
            seen: "hidden" or "ranked".

        Raises:
            ConfigurationError: the metric or variant is unknown.
        """
        found = {"history_length": self.by_history_length(name, seen)}
        if self.popularity is not None:
            found["item_popularity"] = self.by_item_popularity(name, seen)
        if self.same_time is not None:
            found["time_since_last"] = self.by_same_time(name, seen)
        return found

    def compare(self, other: Evaluation, name: str = HEADLINE, seen: str = "hidden") -> PairedTest:
        """Paired bootstrap test of this model against another on the same targets.

        Args:
            other: evaluation of the other model.
            name: a metric that is a mean over targets.
            seen: "hidden" or "ranked".

        Returns:
            This model less the other, with interval and p-value.

        Raises:
            DataError: the two evaluations have different targets.
        """
        if not (np.array_equal(self.users, other.users) and np.array_equal(self.items, other.items)):
            raise DataError(
                "the two evaluations have different targets", fix="Evaluate both on the same split of the same dataset"
            )
        return paired_test(self.per_target(name, seen), other.per_target(name, seen), **self._sampling())

    def table(self) -> Table:
        """The metrics of both variants with their intervals, for a rich console."""
        return drawing.table(self)

    def tables(self) -> list[Table]:
        """The table, and where items were held out that of the figures among them."""
        return [self.table(), *([] if self.held_out is None else self.held_out.tables())]

    def __str__(self) -> str:
        """The tables as plain text."""
        return drawing.as_text(self.tables())

    __repr__ = __str__

    def save(self, path: Path | str) -> None:
        """Write ranks, lists and protocol to a safetensors file, for later comparisons.

        Args:
            path: the file, replaced as a whole where it exists.
        """
        # Imported late, since storage builds evaluations.
        from attrformer.evaluation.storage import save_evaluation

        save_evaluation(self, Path(path))

    @classmethod
    def load(cls, path: Path | str) -> Evaluation:
        """Read what `save` wrote.

        Raises:
            CheckpointError: the file is missing, damaged or holds something else.
        """
        from attrformer.evaluation.storage import load_evaluation

        return load_evaluation(Path(path))

    def _sampling(self) -> dict[str, Any]:
        return {
            "users": self._groups(),
            "resamples": self.protocol.resamples,
            "confidence": self.protocol.confidence,
            "seed": self.protocol.seed,
        }

    def _groups(self) -> NDArray[np.int64] | None:
        """Who the targets belong to, where some users have several."""
        return None if self.protocol.users == len(self.users) else self.users

    def _slices(self, values: NDArray[np.int64], name: str, seen: str, count: int) -> list[Slice]:
        return by_band(self.per_target(name, seen), values, count=count, **self._sampling())

    def _resample(self, name: str, seen: str) -> None:
        """Remember the intervals of all reported means at once, since drawing users costs more than averaging."""
        wanted = [(name, seen)]
        if name in self.names:
            means = [known for known in self.names if metrics.parse_metric(known)[0] != metrics.COVERAGE]
            wanted = [(known, variant) for known in means for variant in SEEN_VARIANTS]
        table = np.stack([self.per_target(*key) for key in wanted], axis=1)
        intervals = mean_intervals(table, **self._sampling())
        self._known.update(zip(wanted, intervals, strict=True))

    def _lists(self, name: str, seen: str, k: int) -> NDArray[np.int32]:
        if not self.lists:
            raise ConfigurationError(f"{name} needs recommended lists. Evaluate with `lists=True`.")
        if k > self.lists[seen].shape[1]:
            longest = self.lists[seen].shape[1]
            raise ConfigurationError(f"{name} is longer than the lists of {longest}. Add {k} to the cutoffs.")
        return self.lists[seen][:, :k]


def _check_seen(seen: str) -> None:
    if seen not in SEEN_VARIANTS:
        raise ConfigurationError(f"Unknown variant seen='{seen}'. Give one of {', '.join(SEEN_VARIANTS)}.")
