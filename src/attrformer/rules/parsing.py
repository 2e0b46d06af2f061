"""From a text such as `price < 50 and category in ["Hair", "Skin"]` to a condition."""

from __future__ import annotations

from typing import Final

from attrformer.errors import RuleError
from attrformer.rules.conditions import (
    COMPARISONS,
    Among,
    And,
    Column,
    Compare,
    Condition,
    Contains,
    Missing,
    Not,
    Or,
    Value,
)
from attrformer.rules.tokens import END, KEYWORD, NAME, SIGN, VALUE, Token, pointed, tokens_of

MOST_CHARACTERS: Final = 20_000
"""Length of a condition; lists of items belong into `candidates` and `exclude`."""

MOST_CONDITIONS: Final = 100
"""Conditions on single columns within one."""

MOST_NESTED: Final = 30
"""Parentheses and `not` within each other."""


def parse(text: str, option: str = "where") -> Condition:
    """The condition that a text says.

    Args:
        text: comparisons of columns with `==`, `!=`, `<`, `<=`, `>`, `>=`, `in [...]`, `contains`, `is missing`,
            joined by `and`, `or`, `not` and parentheses.
        option: that it was given to, for errors.

    Raises:
        RuleError: it says none, or is longer than conditions may be; the message points at the place.
    """
    if len(text) > MOST_CHARACTERS:
        raise RuleError(
            f"{option} has {len(text):,} characters. Give {MOST_CHARACTERS:,} at most; items by id belong into "
            "candidates or exclude.",
            MOST_CHARACTERS,
        )
    return _Parser(text, option).whole()


class _Parser:
    """Reads a condition from left to right.

    Args:
        text: the condition.
        option: that it was given to, for errors.
    """

    def __init__(self, text: str, option: str) -> None:
        self._text, self._option, self._tokens = text, option, tokens_of(text, option)
        self._place = self._conditions = self._depth = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def whole(self) -> Condition:
        if self._next.kind == END:
            raise self._fail("the condition is empty. Write one such as price < 50.")
        found = self._either()
        if self._next.kind != END:
            raise self._fail(f"a condition ends before {self._shown()}. Join conditions with and, or.")
        return found

    def _either(self) -> Condition:
        parts = [self._all()]
        while self._take(KEYWORD, "or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._take(KEYWORD, "and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self) -> Condition:
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise self._fail(f"the condition is nested too deeply. Nest {MOST_NESTED} levels at most.")
        opened = self._next.at
        if self._take(KEYWORD, "not"):
            found: Condition = Not(self._one())
        elif self._take(SIGN, "("):
            found = self._either()
            if not self._take(SIGN, ")"):
                raise self._fail(f"the parenthesis of character {opened + 1} is not closed. Write ).")
        else:
            found = self._on_column()
        self._depth -= 1
        return found

    def _on_column(self) -> Condition:
        token = self._next
        if token.kind != NAME:
            raise self._fail(f"a column is expected here, not {self._shown()}. Write one such as price < 50.")
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise self._fail(f"there are too many conditions. Give {MOST_CONDITIONS} at most; in [...] takes many.")
        self._place += 1
        column = Column(token.text, token.at)
        sign = self._next
        if sign.kind == SIGN and sign.text in COMPARISONS:
            self._place += 1
            return Compare(column, sign.text, self._operand())
        if self._take(KEYWORD, "is"):
            negated = self._take(KEYWORD, "not")
            if not self._take(KEYWORD, "missing"):
                raise self._fail("after is comes missing, or not missing.")
            return Missing(column, negated)
        negated = self._take(KEYWORD, "not")
        if self._take(KEYWORD, "in"):
            return Among(column, self._values(), negated)
        if self._take(KEYWORD, "contains"):
            return Contains(column, self._value("after contains comes a value"), negated)
        raise self._fail(
            f"after a column comes {', '.join(COMPARISONS)}, in, contains or is missing, not {self._shown()}."
        )

    def _operand(self) -> Value | Column:
        token = self._next
        if token.kind == NAME:
            self._place += 1
            return Column(token.text, token.at)
        return self._value("after a comparison comes a value or a column")

    def _values(self) -> tuple[Value, ...]:
        if not self._take(SIGN, "["):
            raise self._fail('after in comes a list, such as ["Hair", "Skin"].')
        found = [self._value("a list holds values")]
        while self._take(SIGN, ","):
            found.append(self._value("a list holds values"))
        if not self._take(SIGN, "]"):
            raise self._fail("the list is not closed. Write ].")
        return tuple(found)

    def _value(self, wanted: str) -> Value:
        token = self._next
        if token.kind != VALUE:
            advice = f' Write "{token.text}" in quotation marks.' if token.kind == NAME else ""
            raise self._fail(f"{wanted}, not {self._shown()}.{advice}")
        self._place += 1
        return token.value

    def _take(self, kind: str, text: str) -> bool:
        """Whether the next word is this one, which is then left behind."""
        found = self._next.kind == kind and self._next.text == text
        self._place += found
        return found

    def _shown(self) -> str:
        return "the end" if self._next.kind == END else f"'{self._next.text}'"

    def _fail(self, problem: str) -> RuleError:
        return pointed(self._text, self._next.at, problem, self._option)
