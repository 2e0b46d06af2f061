"""For which items a condition holds."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.errors import ConfigurationError, RuleError
from attrformer.rules.absent import Absent, unknown_column
from attrformer.rules.columns import NUMBERS, SEVERAL
from attrformer.rules.conditions import (
    And,
    Column,
    Compare,
    Condition,
    Contains,
    Date,
    Missing,
    Not,
    Or,
    Value,
)
from attrformer.rules.item_values import ItemValues
from attrformer.rules.tokens import date_of, pointed

Mask = NDArray[np.bool_]

_SIGNS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _unheard(absent: Absent) -> None:
    """Leaves unsaid that no item has a value."""


def matching(
    condition: Condition,
    values: ItemValues,
    text: str = "",
    option: str = "where",
    tell: Callable[[Absent], object] = _unheard,
) -> Mask:
    """The items for which a condition holds, bool `[n_items]`.

    Args:
        condition: what is asked.
        values: of all items.
        text: the condition as it was written, for errors.
        option: that it was given to, for errors.
        tell: is told of texts that no item has as a value.

    Raises:
        RuleError: a column is unknown, or a value does not fit it.
    """
    return _Matcher(values, text or str(condition), option, tell).of(condition)


def matching_expression(expression: pl.Expr, values: ItemValues) -> Mask:
    """The items for which a polars expression is true, bool `[n_items]`; null is not true.

    Args:
        expression: over the columns of `ItemValues.frame`.
        values: of all items.

    Raises:
        ConfigurationError: a column is unknown, or the expression cannot be computed or is no condition.
    """
    names = expression.meta.root_names()
    for name in names:
        if name not in values.columns:
            raise ConfigurationError(f"where: {unknown_column(name, values)}")
    try:
        found = values.frame(names).select(expression.alias("where"))["where"]
    except pl.exceptions.PolarsError as error:
        raise ConfigurationError(f"where: the expression cannot be computed ({error}). Correct it.") from error
    if found.dtype != pl.Boolean or len(found) != values.n_items:
        raise ConfigurationError("where: the expression is no condition on each item. Compare a column with a value.")
    mask: Mask = found.fill_null(False).to_numpy().astype(bool)
    return mask


def known_column(name: str, values: ItemValues, option: str) -> Attribute:
    """An attribute by name.

    Args:
        name: of the column.
        values: of all items.
        option: that names it, for the error.

    Raises:
        ConfigurationError: there is no such column.
    """
    if name not in values.columns:
        raise ConfigurationError(f"{option}: {unknown_column(name, values)}")
    return values.columns[name]


def with_value(
    column: str, value: str, values: ItemValues, option: str, tell: Callable[[Absent], object] = _unheard
) -> Mask:
    """The items that have a value, bool `[n_items]`; numbers and dates are written as text.

    Args:
        column: name of the column.
        value: as text.
        values: of all items.
        option: that names the column, for the error.
        tell: is told of a text that no item has as a value.

    Raises:
        ConfigurationError: there is no such column.
    """
    attribute = known_column(column, values, option)
    if attribute.kind is AttributeKind.NUMERIC:
        number = _number(value)
        return np.zeros(len(attribute), bool) if number is None else attribute.numbers == number
    if attribute.kind is AttributeKind.TIME:
        date = date_of(value)
        return np.zeros(len(attribute), bool) if date is None else attribute.numbers == date.seconds
    wanted = np.zeros(len(attribute.vocabulary), dtype=bool)
    code = values.codes_of(column).get(value)
    if code is None:
        tell(Absent(option, column, value, attribute))
    else:
        wanted[code] = True
    return _any_of(attribute, wanted)


def has_value(attribute: Attribute) -> Mask:
    """The items whose value is not missing, bool `[n]`."""
    if attribute.kind in NUMBERS:
        return ~np.isnan(attribute.numbers)
    return np.diff(attribute.offsets) > 0


class _Matcher:
    """Conditions over the values of all items.

    Args:
        values: of all items.
        text: the condition as it was written.
        option: that it was given to.
        tell: is told of values that no item has.
    """

    def __init__(self, values: ItemValues, text: str, option: str, tell: Callable[[Absent], object]) -> None:
        self._values, self._text, self._option, self._tell = values, text, option, tell

    def of(self, condition: Condition) -> Mask:
        """The items for which it holds."""
        if isinstance(condition, Not):
            return ~self.of(condition.part)
        if isinstance(condition, And):
            return reduce(np.logical_and, map(self.of, condition.parts))
        if isinstance(condition, Or):
            return reduce(np.logical_or, map(self.of, condition.parts))
        attribute = self._attribute(condition.column)
        if isinstance(condition, Missing):
            known = has_value(attribute)
            return known if condition.negated else ~known
        if isinstance(condition, Compare):
            return self._compared(condition, attribute)
        if isinstance(condition, Contains):
            if attribute.kind not in SEVERAL:
                raise self._fail(condition.column, "holds one value for an item. Write == in place of contains")
            found = self._having(condition.column, attribute, (condition.value,))
        else:
            found = self._having(condition.column, attribute, condition.values)
        return has_value(attribute) & ~found if condition.negated else found

    def _attribute(self, column: Column) -> Attribute:
        if column.name not in self._values.columns:
            raise self._pointed(column, unknown_column(column.name, self._values))
        return self._values.columns[column.name]

    def _compared(self, condition: Compare, attribute: Attribute) -> Mask:
        column, sign, value = condition.column, condition.sign, condition.value
        compare = _SIGNS[sign]
        if attribute.kind in SEVERAL:
            raise self._fail(column, f"holds several values for an item. Write contains or in in place of {sign}")
        if isinstance(value, Column):
            other = self._attribute(value)
            mine = self._numbers(column, attribute)
            theirs = self._numbers(value, other)
            if (attribute.kind is AttributeKind.TIME) != (other.kind is AttributeKind.TIME):
                raise self._fail(value, f"cannot be compared with '{column.name}': one holds times, the other does not")
            both: Mask = ~np.isnan(mine) & ~np.isnan(theirs) & compare(mine, theirs)
            return both
        if attribute.kind is AttributeKind.CATEGORICAL and isinstance(value, (str, bool)):
            if sign not in ("==", "!="):
                raise self._fail(column, f"is compared with text, which has no order. Write ==, != or in, not {sign}")
            found = _any_of(attribute, self._wanted(column, attribute, (value,)))
            return has_value(attribute) & ~found if sign == "!=" else found
        numbers, right = self._numbers(column, attribute), self._as_number(column, attribute, value)
        result: Mask = ~np.isnan(numbers) & compare(numbers, right)
        return result

    def _having(self, column: Column, attribute: Attribute, values: tuple[Value, ...]) -> Mask:
        """The items that have any of some values."""
        if attribute.kind in NUMBERS:
            wanted = [self._as_number(column, attribute, value) for value in values]
            return np.isin(attribute.numbers, wanted)
        return _any_of(attribute, self._wanted(column, attribute, values))

    def _wanted(self, column: Column, attribute: Attribute, values: tuple[Value, ...]) -> Mask:
        """Which values of the vocabulary are meant, bool `[vocabulary]`."""
        texts, numbers = set(), set()
        for value in values:
            if isinstance(value, bool):
                if attribute.vocabulary and not {"true", "false"} & {*attribute.vocabulary}:
                    some = f"holds no truth values, but such as '{attribute.vocabulary[0]}'"
                    raise self._fail(column, f"{some}. Compare it with one of these")
                texts.add("true" if value else "false")
            elif isinstance(value, str):
                texts.add(value)
            elif isinstance(value, float):
                numbers.add(value)
            else:
                raise self._fail(column, "holds no times. Write text in quotation marks")
        codes = self._values.codes_of(column.name)
        wanted = np.zeros(len(attribute.vocabulary), dtype=bool)
        wanted[[codes[value] for value in texts if value in codes]] = True
        for value in sorted(value for value in values if isinstance(value, str) and value not in codes):
            self._tell(Absent(self._option, column.name, value, attribute))
        if numbers:
            wanted |= np.isin(self._vocabulary_numbers(column, attribute), list(numbers))
        return wanted

    def _numbers(self, column: Column, attribute: Attribute) -> NDArray[np.float64]:
        """A number for each item, NaN where missing."""
        if attribute.kind in NUMBERS:
            return attribute.numbers
        if attribute.kind in SEVERAL:
            raise self._fail(column, "holds several values for an item and cannot be compared with a column")
        known = np.append(self._vocabulary_numbers(column, attribute), np.nan)
        found = np.full(len(attribute), -1, dtype=np.int64)
        owner = np.repeat(np.arange(len(attribute)), np.diff(attribute.offsets))
        found[owner[::-1]] = attribute.codes[::-1]
        numbers: NDArray[np.float64] = known[found]
        return numbers

    def _vocabulary_numbers(self, column: Column, attribute: Attribute) -> NDArray[np.float64]:
        numbers = []
        for value in attribute.vocabulary:
            number = _number(value)
            if number is None:
                raise self._fail(column, f"holds text, such as '{value}'. Write text in quotation marks")
            numbers.append(number)
        return np.array(numbers, dtype=np.float64)

    def _as_number(self, column: Column, attribute: Attribute, value: Value) -> float:
        if attribute.kind is AttributeKind.TIME:
            date = date_of(value) if isinstance(value, str) else value
            if not isinstance(date, Date):
                raise self._fail(column, "holds times. Write a date such as 2024-05-31")
            return float(date.seconds)
        if not isinstance(value, float) or isinstance(value, bool):
            raise self._fail(column, "holds numbers. Write a number without quotation marks")
        return value

    def _fail(self, column: Column, problem: str) -> RuleError:
        return self._pointed(column, f"column '{column.name}' {problem}.")

    def _pointed(self, column: Column, problem: str) -> RuleError:
        return pointed(self._text, max(column.at, 0), problem, self._option)


def _any_of(attribute: Attribute, wanted: Mask) -> Mask:
    """The items with a value among those that are wanted, bool `[n]`."""
    found = np.zeros(len(attribute), dtype=bool)
    if wanted.any():
        owner = np.repeat(np.arange(len(attribute)), np.diff(attribute.offsets))
        found[owner[wanted[attribute.codes]]] = True
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
