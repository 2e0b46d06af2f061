"""The outcome of an evaluation: ranks of every target, and all figures that follow from them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import ConfigurationError, DataError
from attrformer.evaluation import metrics as measures
from attrformer.evaluation.bootstrap import Interval, PairedTest, mean_intervals, paired_test
from attrformer.evaluation.groups import HEADLINE as HEADLINE
from attrformer.evaluation.groups import Grouped
from attrformer.evaluation.metrics import in_brief
from attrformer.evaluation.protocol import HIDDEN, SEEN_VARIANTS, Protocol
from attrformer.evaluation.storage import STORED, load_values, save_values

if TYPE_CHECKING:
    from rich.table import Table

WIDTH: Final = 120
"""Characters of a line of plain text."""


@dataclass(frozen=True, eq=False)
class Evaluation(Grouped):
    """Ranks of every target in both seen variants, and the figures that follow from them.

    Args:
        protocol: the conditions it was measured under.
        cutoffs: lengths of the list at which metrics are reported.
        users: int64 `[n]`, user codes.
        items: int64 `[n]`, the item that was to be predicted.
        history_lengths: int64 `[n]`, interactions in each context.
        ranks: int64 `[n]` for "hidden" and "ranked", counted from 1; `metrics.UNREACHABLE_RANK` for targets that
            cannot be recommended, which repeated ones cannot with seen items hidden.
        lists: int32 `[n, longest cutoff]` for "hidden" and "ranked", recommended items, -1 where short; empty where
            no lists were kept.
        popularity: int64 `[n_items]`, training interactions of each item; None where not given.
        same_time: bool `[n]`, whether each target has the time of the last interaction of its context; None where
            times are not known.
        repeats: bool `[n]`, whether the context of each target holds its item already; None where stored before this
            was kept.
        last: bool `[n]`, whether each target is the last one of its user; None where stored before this was kept.
        new_users: bool `[n]`, whether the user of each target has no training interaction; None where not given.
        metrics: names of the metrics that are reported.
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
    repeats: NDArray[np.bool_] | None = None
    last: NDArray[np.bool_] | None = None
    new_users: NDArray[np.bool_] | None = None
    held_out: Evaluation | None = None
    metrics: tuple[str, ...] = measures.BUILT_IN
    _known: dict[tuple[str, str], Interval] = field(default_factory=dict, init=False, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Every metric that is reported, such as `NDCG@20`."""
        return measures.names_of(self.metrics, self.cutoffs, self.ranking())

    def per_target(self, name: str, seen: str = "hidden") -> NDArray[np.float64]:
        """A metric of each target, float64 `[n]`, aligned with `users`.

        Args:
            name: such as `NDCG@20`; rank metrics may have any k.
            seen: "hidden" or "ranked".

        Raises:
            ConfigurationError: the metric or variant is unknown, or is no mean over targets.
        """
        _check_seen(seen)
        return measures.target_values(name, self.ranking(seen))

    def ranking(self, seen: str = "hidden") -> measures.Ranking:
        """What metrics may look at.

        Args:
            seen: "hidden" or "ranked".

        Raises:
            ConfigurationError: the variant is unknown.
        """
        _check_seen(seen)
        values = {
            "ranks": self.ranks[seen],
            "lists": self.lists.get(seen),
            "items": self.items,
            "popularity": self.popularity,
            "users": self._owners(),
        }
        return measures.Ranking(self.protocol.items, values)

    def value(self, name: str, seen: str = "hidden") -> float:
        """A metric without its interval, at no cost of resampling.

        Args:
            name: such as `NDCG@20`.
            seen: "hidden" or "ranked".

        Raises:
            ConfigurationError: the metric or variant is unknown.
        """
        return float(self.per_target(name, seen).mean()) if measures.is_mean(name) else self.metric(name, seen).value

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
            if measures.is_mean(name):
                self._resample(name, seen)
            else:
                found = measures.overall_value(name, self.ranking(seen), self.protocol.confidence)
                self._known[name, seen] = found
        return self._known[name, seen]

    def to_json(self) -> dict[str, Any]:
        """`{"protocol": {...}, "seen=hidden": {"NDCG@20": {"value": x, "low": x, "high": x}, ...}, ...}`.

        "groups" holds the figures of repeated targets, earlier targets of a user, new items and new users beside those
        of all others, where there are any. Where items were held out, "held_out" holds the figures among them in the
        same form.
        """
        figures = {
            f"seen={seen}": {name: self.metric(name, seen).to_json() for name in self.names} for seen in SEEN_VARIANTS
        }
        apart = {
            kind: {label: group.to_json() for label, group in halves.items()} for kind, halves in self.groups.items()
        }
        groups = {"groups": apart} if apart else {}
        among = {} if self.held_out is None else {"held_out": self.held_out.to_json()}
        return {"protocol": self.protocol.to_json(), **figures, **groups, **among}

    def compare(self, other: Evaluation, name: str = HEADLINE, seen: str = "hidden") -> PairedTest:
        """Paired bootstrap test of this model against another on the same targets.

        Args:
            other: evaluation of the other model.
            name: a metric that is a mean over targets.
            seen: "hidden" or "ranked".

        Returns:
            This model less the other, with interval and p-value.

        Raises:
            DataError: the two evaluations have different targets, or one was made when repeated targets were still
                found with seen items hidden.
        """
        if not (np.array_equal(self.users, other.users) and np.array_equal(self.items, other.items)):
            raise DataError(
                "the two evaluations have different targets", fix="Evaluate both on the same split of the same dataset"
            )
        repeated = any(one.repeats is not None and one.repeats.any() for one in (self, other))
        if seen == HIDDEN and repeated and self.protocol.seen != other.protocol.seen:
            raise DataError(
                "one of the evaluations does not count repeated targets as misses with seen items hidden",
                fix="Evaluate both models with this version",
            )
        return paired_test(self.per_target(name, seen), other.per_target(name, seen), **self._sampling())

    def table(self) -> Table:
        """The metrics of both variants with their intervals, for a rich console."""
        return table(self)

    def tables(self) -> list[Table]:
        """The table, and where items were held out that of the figures among them."""
        return [self.table(), *([] if self.held_out is None else self.held_out.tables())]

    def __str__(self) -> str:
        """The tables as plain text."""
        return as_text(self.tables())

    __repr__ = __str__

    def save(self, path: Path | str) -> Path:
        """Write ranks, lists and protocol to a safetensors file, for later comparisons.

        Args:
            path: the file, replaced as a whole where it exists.

        Returns:
            The file.

        Raises:
            WriteError: the file cannot be written; what was there before is as it was.
        """
        save_values(Path(path), {name: getattr(self, name) for name in STORED})
        return Path(path)

    @classmethod
    def load(cls, path: Path | str) -> Evaluation:
        """Read what `save` wrote.

        Args:
            path: the file.

        Raises:
            CheckpointError: the file is missing, damaged or holds something else.
            ConfigurationError: it reports a metric of one's own that is not registered.
        """
        found = cls(**load_values(Path(path)))
        measures.require_known(found.metrics)
        return found

    def _resample(self, name: str, seen: str) -> None:
        """Remember the intervals of all reported means at once, since drawing users costs more than averaging."""
        # Those of the library stay together, so that their last bits do not depend on what else is reported.
        names: Iterable[str] = measures.BUILT_IN
        if measures.is_own(name):
            names = filter(measures.is_own, self.metrics)
        beside = measures.names_of(names, self.cutoffs, self.ranking())
        means = [known for known in beside if measures.is_mean(known)]
        wanted = [(known, variant) for known in means for variant in SEEN_VARIANTS] if name in means else [(name, seen)]
        table = np.stack([self.per_target(*key) for key in wanted], axis=1)
        intervals = mean_intervals(table, **self._sampling())
        self._known.update(zip(wanted, intervals, strict=True))


def _check_seen(seen: str) -> None:
    if seen not in SEEN_VARIANTS:
        raise ConfigurationError(f"Unknown variant seen='{seen}'. Give one of {', '.join(SEEN_VARIANTS)}.")


def table(evaluation: Grouped) -> Table:
    """The metrics of both seen variants with their intervals, under the line of the protocol.

    Figures of repeated targets, earlier targets of a user, new items and new users follow where there are any.

    Args:
        evaluation: whose metrics they are.
    """
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(title=escape(evaluation.protocol.line()), title_justify="left")
    drawn.add_column("metric")
    for seen in SEEN_VARIANTS:
        drawn.add_column(f"seen={seen}", justify="right")
    for name in evaluation.names:
        drawn.add_row(name, *(str(evaluation.metric(name, seen)) for seen in SEEN_VARIANTS))
    for halves in evaluation.groups.values():
        drawn.add_section()
        for label, group in halves.items():
            for name in in_brief(group.figures[SEEN_VARIANTS[0]]):
                cells = (str(group.figures[seen][name]) for seen in SEEN_VARIANTS)
                drawn.add_row(f"{name}, {label} ({group.targets:,} of {len(evaluation.users):,})", *cells)
    return drawn


def as_text(tables: Iterable[Table]) -> str:
    """Tables as plain text, one below the other.

    Args:
        tables: of any evaluations.
    """
    from rich.console import Console

    text = io.StringIO()
    console = Console(file=text, width=WIDTH, color_system=None)
    for drawn in tables:
        console.print(drawn)
    return text.getvalue()
