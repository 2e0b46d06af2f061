"""The words of a condition, and errors that point at one of them."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone
from typing import Final, NamedTuple

from attrformer.errors import RuleError
from attrformer.rules.conditions import KEYWORDS, Date, Value

NAME: Final = "name"
VALUE: Final = "value"
SIGN: Final = "sign"
KEYWORD: Final = "keyword"
END: Final = "end"

_EXCERPT: Final = 30

_PATTERN: Final = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<date>\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?(?![\w-]))
  | (?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
  | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<quoted>`(?:[^`]|``)+`)
  | (?P<name>[^\W\d]\w*(?:\.\w+)*)
  | (?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
    """,
    re.VERBOSE | re.DOTALL,
)
_OTHER_SIGNS: Final = {
    "=": "==",
    "<>": "!=",
    "&&": "and",
    "||": "or",
    "&": "and",
    "|": "or",
    "!": "not",
    "~": "not",
}


class Token(NamedTuple):
    """A word of a condition.

    Args:
        kind: NAME, VALUE, SIGN, KEYWORD or END.
        text: a sign or keyword as the language writes it, or the name of a column.
        at: where it begins.
        value: of a literal, else "".
    """

    kind: str
    text: str
    at: int
    value: Value = ""


def tokens_of(text: str, option: str = "where") -> list[Token]:
    """The words of a text, one that marks its end among them.

    Args:
        text: the condition.
        option: that it was given to, for errors.

    Raises:
        RuleError: there is something that is no word.
    """
    found, at = [], 0
    while at < len(text):
        match = _PATTERN.match(text, at)
        if match is None:
            raise _stray(text, at, option)
        if match.lastgroup != "space":
            found.append(_token(text, match, option))
        at = match.end()
    return [*found, Token(END, "the end", len(text))]


def pointed(text: str, at: int, problem: str, option: str = "where") -> RuleError:
    """An error about a place in a condition.

    Args:
        text: the condition.
        at: the place.
        problem: what is wrong and what to do, sentences.
        option: that the condition was given to.
    """
    rest = " ".join(text[at : at + _EXCERPT].split())
    here = f"'{rest}{'...' if len(text) > at + _EXCERPT else ''}'" if rest else "the end"
    return RuleError(f"{option}, character {at + 1} ({here}): {problem}", at)


def date_of(text: str) -> Date | None:
    """The time that a text in ISO 8601 says, UTC where it has no zone; None where it says none."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return Date(math.floor(moment.timestamp()))


def _token(text: str, match: re.Match[str], option: str) -> Token:
    word, at, kind = match.group(), match.start(), match.lastgroup
    if kind == "sign":
        return Token(SIGN, word, at)
    if kind == "quoted":
        return Token(NAME, word[1:-1].replace("``", "`"), at)
    if kind == "text":
        return Token(VALUE, word, at, re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL))
    if kind == "date":
        date = date_of(word)
        if date is None:
            raise pointed(text, at, "this is no date of the calendar. Write one such as 2024-05-31.", option)
        return Token(VALUE, word, at, date)
    if kind == "number":
        number = float(word)
        if math.isinf(number):
            raise pointed(text, at, "the number is too large.", option)
        return Token(VALUE, word, at, number)
    lower = word.lower()
    if lower in ("true", "false"):
        return Token(VALUE, lower, at, lower == "true")
    return Token(KEYWORD, lower, at) if lower in KEYWORDS else Token(NAME, word, at)


def _stray(text: str, at: int, option: str) -> RuleError:
    if text[at] in "\"'`":
        return pointed(text, at, "the quotation mark is not closed. Write one at the end as well.", option)
    for sign in (text[at : at + 2], text[at]):
        if sign in _OTHER_SIGNS:
            return pointed(text, at, f"'{sign}' means nothing here. Write {_OTHER_SIGNS[sign]}.", option)
    if text[at].isdigit():
        problem = "this is no number. Write text in quotation marks, and column names with digits first in `...`."
        return pointed(text, at, problem, option)
    problem = f"'{text[at]}' means nothing here. Write text in quotation marks, and odd column names in `...`."
    return pointed(text, at, problem, option)
