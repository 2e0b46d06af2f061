"""What a metric is, and what it may look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import ConfigurationError
from attrformer.evaluation.bootstrap import Interval

RANKS: Final = "ranks"
LISTS: Final = "lists"
ITEMS: Final = "items"
POPULARITY: Final = "popularity"
USERS: Final = "users"
INPUTS: Final = (RANKS, LISTS, ITEMS, POPULARITY, USERS)
"""What a metric can ask for in `reads`."""

_LACKING: Final = {
    LISTS: "recommended lists. Evaluate with `lists=True`.",
    POPULARITY: "the popularity of items. Evaluate with `popularity` given.",
}


class Ranking:
    """What is known of every target and of the list that was recommended in its place.

    A metric sees what it names in `reads` and nothing else. Arrays cannot be written to.

    Args:
        item_count: items in the catalogue.
        values: arrays by the names of `INPUTS`; None where something is not known.
        metric: name of the metric that looks at it, for messages; empty for everything.
    """

    def __init__(self, item_count: int, values: Mapping[str, NDArray[Any] | None], metric: str = "") -> None:
        self.item_count, self._values, self._metric = item_count, dict(values), metric

    def __len__(self) -> int:
        """Number of targets."""
        return len(next(values for name, values in self._values.items() if name != POPULARITY and values is not None))

    @property
    def ranks(self) -> NDArray[np.int64]:
        """int64 `[n]`, the rank of each target, counted from 1; `UNREACHABLE_RANK` where it cannot be recommended."""
        found: NDArray[np.int64] = self._value(RANKS)
        return found

    @property
    def lists(self) -> NDArray[np.int32]:
        """int32 `[n, k]`, the items recommended in place of each target, best first; -1 where a list is short."""
        found: NDArray[np.int32] = self._value(LISTS)
        return found

    @property
    def items(self) -> NDArray[np.int64]:
        """int64 `[n]`, the item that was to be predicted."""
        found: NDArray[np.int64] = self._value(ITEMS)
        return found

    @property
    def popularity(self) -> NDArray[np.int64]:
        """int64 `[item_count]`, training interactions of each item."""
        found: NDArray[np.int64] = self._value(POPULARITY)
        return found

    @property
    def users(self) -> NDArray[np.int64] | None:
        """int64 `[n]`, the user of each target; None where each target has a user of its own."""
        found: NDArray[np.int64] | None = self._value(USERS)
        return found

    def has(self, names: tuple[str, ...]) -> bool:
        """Whether all of these inputs are known."""
        return all(name == USERS or self._values.get(name) is not None for name in names)

    def only(self, metric: Metric, k: int) -> Ranking:
        """What a metric may look at: the inputs in its `reads`, lists cut to k.

        Args:
            metric: that is to be computed.
            k: length of the list.

        Raises:
            ConfigurationError: something that it reads is not known here.
        """
        name = f"{metric.name}@{k}"
        shown: dict[str, NDArray[Any] | None] = {}
        for wanted in metric.reads:
            values = self._values.get(wanted)
            if values is None and wanted != USERS:
                raise ConfigurationError(f"{name} needs {_LACKING.get(wanted, f'{wanted}. Evaluate again.')}")
            shown[wanted] = None if values is None else _read_only(values)
        lists = shown.get(LISTS)
        if lists is not None:
            if lists.shape[1] < min(k, self.item_count):
                raise ConfigurationError(
                    f"{name} is longer than the lists of {lists.shape[1]}. Add {k} to the cutoffs."
                )
            shown[LISTS] = lists[:, :k]
        return Ranking(self.item_count, shown, metric.name)

    def _value(self, name: str) -> Any:
        if name not in self._values:
            raise ConfigurationError(
                f"The metric '{self._metric}' looks at {name}, which it does not name. "
                f"Add '{name}' to its `reads`, which is a tuple of {', '.join(INPUTS)}."
            )
        return self._values[name]


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    view = values.view()
    view.flags.writeable = False
    return view


class Metric:
    """A figure of each target; what is reported is its mean over targets, with an interval over users.

    Derive from it, set `name` and what differs from the defaults, and write `per_target`.

    Attributes:
        name: what it is called; `name@k` is the metric at a list length.
        reads: what it looks at, a tuple of `INPUTS`.
        bounds: least and greatest value that a target can have.
        higher_is_better: whether more is better. Epochs are selected by it, and a better rank must not count for less.
        follows_rank: whether a target at a better rank never has a worse value, all else being equal.
    """

    name: ClassVar[str] = ""
    reads: ClassVar[tuple[str, ...]] = (RANKS,)
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    higher_is_better: ClassVar[bool] = True
    follows_rank: ClassVar[bool] = True

    def per_target(self, ranking: Ranking, k: int) -> NDArray[np.float64]:
        """The value of each target, on its own: other targets do not change it.

        Args:
            ranking: what the metric may look at.
            k: length of the list.

        Returns:
            Floating `[n]`.
        """
        raise NotImplementedError


class CatalogueMetric(Metric):
    """A figure of all lists together, which is no mean over targets: write `overall` in place of `per_target`."""

    follows_rank: ClassVar[bool] = False

    def per_target(self, ranking: Ranking, k: int) -> NDArray[np.float64]:
        """There is none.

        Raises:
            ConfigurationError: always.
        """
        name = f"{self.name}@{k}"
        raise ConfigurationError(f"{name} belongs to all lists together. Ask for `metric('{name}')` instead.")

    def overall(self, ranking: Ranking, k: int, confidence: float) -> Interval:
        """The figure and its interval.

        Args:
            ranking: what the metric may look at.
            k: length of the list.
            confidence: level of the interval.
        """
        raise NotImplementedError
