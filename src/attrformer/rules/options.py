"""The rules that one request may bring, each written once: Python, YAML, the command line and HTTP read these."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from attrformer.config import Options
from attrformer.errors import ConfigurationError, require

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*")
_LARGEST: Final = 1e6

Boosts = dict[str, dict[str, float]] | tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class NewItemsRule(Options):
    """Room for new items.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """

    share: float = field(default=0.1, metadata={"help": "share of each list that is kept for new items, rounded up"})
    within: str | None = field(
        default=None,
        metadata={
            "help": "items whose first interaction is no longer ago count as new, too, such as 30d (s, m, h, d, w); "
            "without it only items without training interactions"
        },
    )

    last: bool = field(
        default=False,
        metadata={"help": "new items stand behind all others of a list, which keep their order; share may be 0 then"},
    )

    def __post_init__(self) -> None:
        within: object = self.within
        if isinstance(within, timedelta):
            object.__setattr__(self, "within", f"{within.total_seconds():.0f}s")
        super().__post_init__()
        within_bounds = 0 < self.share <= 1 or (self.share == 0 and self.last)
        require(within_bounds, "share", self.share, "a number above 0, 1 at most; 0 with last alone")
        if self.within is not None and (_SPAN.fullmatch(self.within) is None or not self.seconds):
            raise ConfigurationError(f"within is '{self.within}'. Give a number with s, m, h, d or w, such as 30d.")

    @property
    def seconds(self) -> float | None:
        """How long an item is new after its first interaction; None where it is not at all."""
        if self.within is None:
            return None
        found = _SPAN.fullmatch(self.within)
        return 0.0 if found is None else float(found[1]) * _UNITS[found[2]]


@dataclass(frozen=True)
class Rules(Options):
    """What a shop wants of its lists, whatever the model says.

    They are applied in this order: `where` (with candidates, exclude and seen items), `boost`, `diversity` and
    `at_most`, `new_items`, `pinned`.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """

    where: str | None = field(
        default=None,
        metadata={"help": 'condition on item attributes, such as price < 50 and brand in ["Ostora", "Vell"]'},
    )
    boost: Boosts = field(
        default=(),
        metadata={"help": "what is added to scores, by column and value, or by condition; amounts below 0 bury"},
    )
    at_most: dict[str, int] = field(
        default_factory=dict, metadata={"help": "items with the same value of a column in one list, by column"}
    )
    diversity: float = field(
        default=0.0, metadata={"help": "0 ranks by score alone, 1 by how unlike items are to those before them"}
    )
    new_items: NewItemsRule | None = field(default=None, metadata={"help": "share of each list kept for new items"})
    pinned: tuple[tuple[int, str | int], ...] = field(
        default=(), metadata={"help": "items by their position in each list; a list of ids pins from position 1 on"}
    )

    def __post_init__(self) -> None:
        for name, value in self.other_forms({name: getattr(self, name) for name in _FORMS}).items():
            object.__setattr__(self, name, value)
        super().__post_init__()
        require(0 <= self.diversity <= 1, "diversity", self.diversity, "a number from 0 to 1")
        for column, count in self.at_most.items():
            require(count >= 1, f"at_most.{column}", count, "1 or more")
        for _, amount in self.boosts:
            finite = math.isfinite(amount) and abs(amount) <= _LARGEST
            require(finite, "boost", amount, f"numbers from -{_LARGEST:,.0f} to {_LARGEST:,.0f}")
        for wrong, what in ((self._twice(0), "position"), (self._twice(1), "item")):
            if wrong is not None:
                raise ConfigurationError(f"pinned names {what} {wrong} twice. Give each once.")
        for position, _ in self.pinned:
            require(position >= 1, "a position of pinned", position, "1 or more")

    @classmethod
    def other_forms(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Options in the one form that they are kept in: pinned items as pairs, values of NumPy as those of Python.

        Args:
            values: by name, as they were given.
        """
        return {name: _FORMS[name](value) if name in _FORMS else value for name, value in values.items()}

    def _twice(self, place: int) -> str | int | None:
        named = [pin[place] for pin in self.pinned]
        return next((each for each in named if named.count(each) > 1), None)

    @property
    def boosts(self) -> list[tuple[str | tuple[str, str], float]]:
        """What is boosted, a condition or a column with a value, and by how much."""
        if isinstance(self.boost, tuple):
            return list(self.boost)
        return [((column, value), amount) for column, values in self.boost.items() for value, amount in values.items()]

    @property
    def key(self) -> str:
        """A text that is the same for equal rules only."""
        return json.dumps(self.to_dict(), sort_keys=True)

    def __bool__(self) -> bool:
        """Whether any rule is set."""
        return self != Rules()


RULES: Final = tuple(each.name for each in dataclasses.fields(Rules))
"""The names of all rules."""


def help_of(name: str, kind: type[Rules] | type[NewItemsRule] = Rules) -> str:
    """What a rule means, one sentence without a full stop.

    Args:
        name: of an option.
        kind: the options that it is one of.
    """
    return next(str(each.metadata["help"]) for each in dataclasses.fields(kind) if each.name == name)


def _positions(given: Any) -> Any:
    """Pinned items as pairs of position and id, by position; what is something else as it is, to be refused."""
    if isinstance(given, Mapping):
        pairs = [(_whole(position), _plain(item)) for position, item in given.items()]
    elif isinstance(given, (list, tuple)) and given and not isinstance(given[0], (list, tuple)):
        pairs = [(position, _plain(item)) for position, item in enumerate(given, 1)]
    elif isinstance(given, (list, tuple)) and all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in given):
        pairs = [(_whole(position), _plain(item)) for position, item in given]
    else:
        return given
    return tuple(sorted(pairs, key=lambda pair: pair[0] if isinstance(pair[0], int) else 0))


def _whole(value: Any) -> Any:
    """A position; keys of JSON objects are text."""
    value = _plain(value)
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value) else value


def _plain(value: Any) -> Any:
    """Values of NumPy as those of Python, keys of mappings as text."""
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else _key(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(map(_plain, value))
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value


def _key(key: Any) -> str:
    """A value of a column as attributes write it: whole numbers without a point, truth values in small letters."""
    key = _plain(key)
    if isinstance(key, bool):
        return str(key).lower()
    return str(int(key)) if isinstance(key, float) and key.is_integer() else str(key)


_FORMS: Final = {"pinned": _positions, "boost": _plain, "at_most": _plain}
"""Options that may be given in several forms, and what makes the one of them that is kept."""
