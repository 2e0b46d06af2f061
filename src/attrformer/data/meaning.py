"""What the columns of interactions mean: values of categories, weights, dislikes, and which events are predicted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import ConfigurationError

Floats = NDArray[np.float32]
Marks = NDArray[np.bool_]

_COMPARED: Final = re.compile(
    r"\s*(?P<column>[^<>=]*[^<>=\s])\s*(?P<how><=|>=|==|=|<|>)\s*(?P<value>.*\S)\s*", re.DOTALL
)
_EXAMPLES: Final = "event=purchase, event=return,skip or rating<=2"


@dataclass(frozen=True, slots=True)
class Condition:
    """Interactions that are told by one of their columns, such as "event=purchase" or "rating<=2".

    Args:
        column: of the interactions.
        how: "=", "<", "<=", ">" or ">=".
        values: to compare with; several for "=" only.
    """

    column: str
    how: str
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, option: str) -> Condition:
        """Reads a condition.

        Args:
            text: column, comparison and value. After "=" stand one value, several with commas between them, or a JSON
                list.
            option: where it stands, for the error.

        Raises:
            ConfigurationError: it is none.
        """
        found = _COMPARED.fullmatch(text)
        if found is None:
            raise ConfigurationError(f"{option} is '{text}', which is no condition. Write {_EXAMPLES}.")
        how, value = found["how"].replace("==", "="), found["value"]
        values = _listed(value, option) if how == "=" else (value,)
        condition = cls(found["column"], how, values)
        if how != "=" and condition._numbers() is None:
            raise ConfigurationError(f"{option} compares with '{value}', which is no number. Write {_EXAMPLES}.")
        return condition

    @property
    def text(self) -> str:
        """The condition as it is written."""
        plain = all("," not in value and value == value.strip() and value[:1] != "[" for value in self.values)
        return f"{self.column}{self.how}{','.join(self.values) if plain else json.dumps(self.values)}"

    @property
    def described(self) -> str:
        """What the column is where the condition holds, for sentences."""
        words = {"<": "below ", "<=": "at most ", ">": "above ", ">=": "at least "}
        return words.get(self.how, "") + " or ".join(
            f"“{value}”" if self.how == "=" else value for value in self.values
        )

    def holds(self, column: Floats, labels: tuple[str, ...] | None) -> Marks:
        """Whether it holds, bool `[m]`; not where the value is missing.

        Args:
            column: numbers, or codes of values; NaN where missing.
            labels: the value of each code; None where the column holds numbers.
        """
        numbers = self._numbers()
        if labels is not None:
            codes = [code for code, label in enumerate(labels) if label in self.values]
            return np.isin(column, np.array(codes, dtype=np.float32))
        if numbers is None:
            return np.zeros(len(column), dtype=bool)
        compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
        return np.isin(column, numbers) if self.how == "=" else np.asarray(compare[self.how](column, numbers[0]))

    def edges(self) -> Floats:
        """Where levels of a number have to be cut, so that the condition holds for whole levels."""
        numbers = self._numbers()
        if numbers is None:
            return np.empty(0, dtype=np.float32)
        below = np.nextafter(numbers, np.float32(-np.inf))
        # A value that equals an edge belongs to the level below it.
        cuts = {"<": [below], ">": [numbers], "<=": [numbers], ">=": [below]}.get(self.how, [below, numbers])
        return np.unique(np.concatenate(cuts))

    def _numbers(self) -> Floats | None:
        try:
            found = np.array([float(value) for value in self.values], dtype=np.float32)
        except ValueError:
            return None
        return found if np.isfinite(found).all() else None


def _listed(value: str, option: str) -> tuple[str, ...]:
    if value.startswith("["):
        try:
            found = json.loads(value)
        except ValueError:
            found = value.strip("[]").split(",")
        values = tuple(str(one).strip() for one in found) if isinstance(found, list) else ()
    else:
        values = tuple(one.strip() for one in value.split(","))
    if not values or not all(values):
        raise ConfigurationError(f"{option} names an empty value. Write {_EXAMPLES}.")
    return values


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the columns of interactions mean.

    Args:
        values: the values of each column that holds categories, by the codes that interactions have of them.
        weight: the column that says how much an interaction counts; None: all count the same.
        negative: interactions that count against an item; None: none do.
        targets: interactions that are predicted; None: all, but those that count against an item.
        date_orders: what stands first in dates of times, by table, where their form left it open.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    weight: str | None = None
    negative: Condition | None = None
    targets: Condition | None = None
    date_orders: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that say what an interaction is worth, each once."""
        conditions = [condition.column for condition in (self.negative, self.targets) if condition is not None]
        return tuple(dict.fromkeys([*([] if self.weight is None else [self.weight]), *conditions]))

    @property
    def text(self) -> str:
        """What protocol lines say of it; empty where every interaction is alike."""
        told = {
            "targets": None if self.targets is None else self.targets.text,
            "negative": None if self.negative is None else self.negative.text,
            "weight": self.weight,
        }
        return ", ".join(f"{name}: {value}" for name, value in told.items() if value is not None)

    def to_json(self) -> dict[str, Any]:
        """Plain values; empty where there is nothing to say."""
        told = {
            "values": {name: list(labels) for name, labels in self.values.items()},
            "weight": self.weight,
            "negative": None if self.negative is None else self.negative.text,
            "targets": None if self.targets is None else self.targets.text,
            "date_orders": dict(self.date_orders),
        }
        return {name: value for name, value in told.items() if value}

    def digest(self) -> bytes:
        """What tells it from any other; empty where there is nothing to say."""
        told = self.to_json()
        return json.dumps(told).encode() if told else b""

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Meaning:
        """The inverse of `to_json`."""
        read = {name: Condition.parse(told[name], name) if name in told else None for name in ("negative", "targets")}
        values = {name: tuple(labels) for name, labels in told.get("values", {}).items()}
        return cls(values, told.get("weight"), **read, date_orders=told.get("date_orders", {}))


PLAIN: Final = Meaning()
"""Every interaction is like any other."""
