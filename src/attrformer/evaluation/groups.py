"""Figures of an evaluation by what is known of its targets: their users, how rare, how new, how repeated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import ConfigurationError
from attrformer.evaluation import metrics
from attrformer.evaluation.bootstrap import Interval, mean_intervals
from attrformer.evaluation.protocol import SEEN_VARIANTS, Protocol
from attrformer.evaluation.slices import Slice, by_band, by_group

HEADLINE: Final = "NDCG@20"

REPEATS: Final = "repeats"
LAST_TARGET: Final = "last_target"
NEW_ITEMS: Final = "new_items"
NEW_USERS: Final = "new_users"


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Every metric over the targets of one group.

    Args:
        targets: number of targets in the group.
        figures: intervals by seen variant ("hidden", "ranked") and metric.
    """

    targets: int
    figures: dict[str, dict[str, Interval]]

    def to_json(self) -> dict[str, Any]:
        """`{"targets": n, "seen=hidden": {"NDCG@20": {"value": x, "low": x, "high": x}, ...}, "seen=ranked": ...}`."""
        figures = {
            f"seen={seen}": {name: interval.to_json() for name, interval in found.items()}
            for seen, found in self.figures.items()
        }
        return {"targets": self.targets, **figures}


class Grouped:
    """What an evaluation knows of each of its targets; see `Evaluation` for the attributes."""

    protocol: Protocol
    cutoffs: tuple[int, ...]
    metrics: tuple[str, ...]
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    history_lengths: NDArray[np.int64]
    popularity: NDArray[np.int64] | None
    same_time: NDArray[np.bool_] | None
    repeats: NDArray[np.bool_] | None
    last: NDArray[np.bool_] | None
    new_users: NDArray[np.bool_] | None

    def per_target(self, name: str, seen: str = "hidden") -> NDArray[np.float64]:
        """A metric of each target, float64 `[n]`.

        Args:
            name: such as `NDCG@20`.
            seen: "hidden" or "ranked".

        Raises:
            ConfigurationError: the metric or variant is unknown, or is no mean over targets.
        """
        raise NotImplementedError

    @property
    def names(self) -> tuple[str, ...]:
        """Every metric that is reported, such as `NDCG@20`."""
        raise NotImplementedError

    def metric(self, name: str, seen: str = "hidden") -> Interval:
        """A metric with its confidence interval.

        Args:
            name: such as `NDCG@20`.
            seen: "hidden" or "ranked".
        """
        raise NotImplementedError

    def by_history_length(self, name: str = HEADLINE, seen: str = "hidden", *, count: int = 5) -> list[Slice]:
        """A metric by the length of the context.

        Args:
            name: a metric that is a mean over targets.
            seen: "hidden" or "ranked".
            count: the most groups to make, each of about as many targets.

        Raises:
            ConfigurationError: the metric or variant is unknown.
        """
        return self._bands(self.history_lengths, name, seen, count)

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
        return self._bands(self.popularity[self.items], name, seen, count)

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
        return self._two({"same time": self.same_time, "later": ~self.same_time}, name, seen)

    def by_repeats(self, name: str = HEADLINE, seen: str = "hidden") -> list[Slice]:
        """A metric for targets whose item is not in their history, and for repeated ones.

        With seen items hidden a repeated target cannot be recommended and is a miss.

        Args:
            name: a metric that is a mean over targets.
            seen: "hidden" or "ranked".

        Returns:
            A slice for each of the two groups that has a target.

        Raises:
            ConfigurationError: the metric or variant is unknown, or the evaluation was stored before this was kept.
        """
        return self._two(self._halves(REPEATS), name, seen)

    def by_last_target(self, name: str = HEADLINE, seen: str = "hidden") -> list[Slice]:
        """A metric for the last target of each user, and for earlier ones.

        Under a time split active users have many targets; among the last ones every user counts once.

        Args:
            name: a metric that is a mean over targets.
            seen: "hidden" or "ranked".

        Raises:
            ConfigurationError: the metric or variant is unknown, or the evaluation was stored before this was kept.
        """
        return self._two(self._halves(LAST_TARGET), name, seen)

    def by_new_items(self, name: str = HEADLINE, seen: str = "hidden") -> list[Slice]:
        """A metric for targets that are items without a training interaction, and for all others.

        Args:
            name: a metric that is a mean over targets.
            seen: "hidden" or "ranked".

        Raises:
            ConfigurationError: the metric or variant is unknown, or the popularity of items was not given.
        """
        return self._two(self._halves(NEW_ITEMS), name, seen)

    def by_new_users(self, name: str = HEADLINE, seen: str = "hidden") -> list[Slice]:
        """A metric for targets of users without a training interaction, and for all others.

        Args:
            name: a metric that is a mean over targets.
            seen: "hidden" or "ranked".

        Raises:
            ConfigurationError: the metric or variant is unknown, or the activity of users was not given.
        """
        return self._two(self._halves(NEW_USERS), name, seen)

    def slices(self, name: str = HEADLINE, seen: str = "hidden") -> dict[str, list[Slice]]:
        """A metric by everything that is known to group targets by, under the names that files and reports give it.

        Repeated targets, earlier targets of a user, new items and new users are there where there are any.

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
        return found | {kind: self._two(halves, name, seen) for kind, halves in self._present().items()}

    @cached_property
    def groups(self) -> dict[str, dict[str, GroupFigures]]:
        """Every metric of ranks for targets that are to be seen apart, by kind of group and label.

        The kinds are "repeats", "last_target", "new_items" and "new_users", each where there is such a target.
        """
        return {
            kind: {label: self._figures(inside) for label, inside in halves.items() if inside.any()}
            for kind, halves in self._present().items()
        }

    def _present(self) -> dict[str, dict[str, NDArray[np.bool_]]]:
        """The kinds of groups of which both or the unusual half occur."""
        found = {kind: self._halves(kind) for kind in (REPEATS, LAST_TARGET, NEW_ITEMS, NEW_USERS) if self._knows(kind)}
        return {kind: halves for kind, halves in found.items() if [*halves.values()][1].any()}

    def _knows(self, kind: str) -> bool:
        known = {REPEATS: self.repeats, LAST_TARGET: self.last, NEW_ITEMS: self.popularity, NEW_USERS: self.new_users}
        return known[kind] is not None

    def _halves(self, kind: str) -> dict[str, NDArray[np.bool_]]:
        """Which targets belong to the usual and which to the other half of a kind of group."""
        if kind == REPEATS and self.repeats is not None:
            return {"not in the history": ~self.repeats, "repeated": self.repeats}
        if kind == LAST_TARGET and self.last is not None:
            return {"last of the user": self.last, "earlier": ~self.last}
        if kind == NEW_ITEMS and self.popularity is not None:
            new = self.popularity[self.items] == 0
            return {"known items": ~new, "new items": new}
        if kind == NEW_USERS and self.new_users is not None:
            return {"known users": ~self.new_users, "new users": self.new_users}
        needed = {NEW_ITEMS: " with `popularity` given", NEW_USERS: " with `activity` given"}
        what = kind.replace("_", " ")
        raise ConfigurationError(f"Nothing is known of {what} here. Evaluate again{needed.get(kind, '')}.")

    def _figures(self, inside: NDArray[np.bool_]) -> GroupFigures:
        names = self._of_ranks(self.metrics)
        sampling = self._sampling()
        users = sampling.pop("users")
        found: dict[tuple[str, str], Interval] = {}
        for columns in (self._of_ranks(metrics.BUILT_IN), [name for name in names if metrics.is_own(name)]):
            # The columns of the library stay together, so that their last bits do not depend on what else is reported.
            keys = [(seen, name) for seen in SEEN_VARIANTS for name in columns]
            if keys:
                table = np.stack([self.per_target(name, seen)[inside] for seen, name in keys], axis=1)
                intervals = mean_intervals(table, users=None if users is None else users[inside], **sampling)
                found.update(zip(keys, intervals, strict=True))
        return GroupFigures(
            int(inside.sum()), {seen: {name: found[seen, name] for name in names} for seen in SEEN_VARIANTS}
        )

    def _of_ranks(self, measures: Iterable[str]) -> list[str]:
        """Every reported length of the metrics that look at ranks alone."""
        return [f"{measure}@{k}" for measure in metrics.of_ranks_alone(measures) for k in self.cutoffs]

    def _sampling(self) -> dict[str, Any]:
        return {
            "users": self._owners(),
            "resamples": self.protocol.resamples,
            "confidence": self.protocol.confidence,
            "seed": self.protocol.seed,
        }

    def _owners(self) -> NDArray[np.int64] | None:
        """Who the targets belong to, where some users have several."""
        return None if self.protocol.users == len(self.users) else self.users

    def _bands(self, values: NDArray[np.int64], name: str, seen: str, count: int) -> list[Slice]:
        return by_band(self.per_target(name, seen), values, count=count, **self._sampling())

    def _two(self, halves: Mapping[str, NDArray[np.bool_]], name: str, seen: str) -> list[Slice]:
        return by_group(self.per_target(name, seen), halves, **self._sampling())
