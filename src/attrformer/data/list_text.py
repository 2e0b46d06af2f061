"""Lists that were written as text: `['A', 'B']` by pandas, `['A' 'B']` by NumPy, `["A", "B"]` as JSON."""

from __future__ import annotations

import ast
import json
import re
from typing import Any, Final

import polars as pl

MULTI_SEPARATOR: Final = "|"

_BRACKETS: Final = r"^\s*(\[(?s:.*)\]|\((?s:.*)\)|\{(?s:.*)\})\s*$"
_QUOTED: Final = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_TOKEN: Final = re.compile(rf"\s*({_QUOTED}|[^\s,'\"\[\]{{}}()]+)\s*(,?)", re.DOTALL)
_NUMBER: Final = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_ABSENT: Final = frozenset({"None", "nan", "NaN", "null", "<NA>", "NaT"})
_UNREADABLE: Final = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)
_NO_NAME: Final = (
    r"""[,'"]|^\s*\[\s*\]|^\s*\[\s*[+-]?[\d.][\d\s.eE+-]*\]|^\s*\[\s*(""" + "|".join(sorted(_ABSENT)) + r")\s*\]"
)
_GLANCE: Final = 200
# Numbers of NumPy inside of a list, as Python shows them.
_NUMPY: Final = r"\bnp\.(?:float|int|uint)\d+\(([^()]*)\)"
_PLAIN_NUMBER: Final = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_NUMBER_LIST: Final = rf"^\s*\[\s*{_PLAIN_NUMBER}(\s*,\s*{_PLAIN_NUMBER})*\s*\]\s*$"


def lists_of_texts(texts: pl.Series) -> pl.Series | None:
    """The lists that a text column holds, as a list column of the type of their values.

    Args:
        texts: the column, null where missing.

    Returns:
        None where some text is no list. Lists of lists or of mappings become lists of `pl.Struct`, which nothing reads.
    """
    if not _bracketed(texts.drop_nulls().head(_GLANCE)) or not _bracketed(texts.drop_nulls()):
        return None
    numbers = number_lists(texts)
    if numbers is not None:
        return numbers
    distinct = texts.drop_nulls().unique()
    # Brackets alone may be part of a name, such as the film [REC].
    if not bool(distinct.str.contains(_NO_NAME).any()):
        return None
    parsed = {text: parse_list(text) for text in distinct}
    if any(values is None for values in parsed.values()):
        return None
    return _as_series(texts, parsed)


def number_lists(texts: pl.Series) -> pl.Series | None:
    """Lists of numbers that were written as text, `[0.1, 0.2]`, read as fast as long vectors need it.

    Args:
        texts: the column, null where missing.

    Returns:
        A column of lists of float64; None where a text is something else, or no number has a fraction.
    """
    if bool(texts.head(_GLANCE).str.contains("np.", literal=True).any()):
        texts = texts.str.replace_all(_NUMPY, "$1")
    known = texts.drop_nulls()
    for some in (known.head(_GLANCE), known):
        if some.is_empty() or not bool(some.str.contains(_NUMBER_LIST).all()):
            return None
    if not bool(known.str.contains(r"[.eE]").any()):
        return None
    inside = texts.str.replace_all(r"\s", "").str.strip_prefix("[").str.strip_suffix("]")
    numbers = inside.str.split(",")
    if bool(known.str.contains(r"[\[,]\s*\+").any()):
        numbers = numbers.list.eval(pl.element().str.strip_prefix("+"))
    found = numbers.cast(pl.List(pl.Float64), strict=False)
    return None if bool(found.explode().null_count() > texts.null_count()) else found


def split_texts(texts: pl.Series, separator: str = "") -> pl.Series:
    """Text with several values as a list column: written as a list, or separated.

    Args:
        texts: the column.
        separator: what stands between two values; `|` where it is empty. Blanks around values are left out.
    """
    given = separator or MULTI_SEPARATOR
    mark = given.strip() or given
    split = texts.str.split(mark).list.eval(pl.element().str.strip_chars())
    listed = texts.str.contains(_BRACKETS).fill_null(False)
    if separator or not bool(listed.any()):
        return split
    written = {text: parse_list(text) for text in texts.filter(listed).unique()}
    values = [
        parts if text not in written or written[text] is None else [_text(value) for value in written[text] or ()]
        for text, parts in zip(texts.to_list(), split.to_list(), strict=True)
    ]
    return pl.Series(texts.name, values, dtype=pl.List(pl.String))


def parse_list(text: str) -> list[Any] | None:
    """The values of a list that was written as text; None where it is none.

    Args:
        text: a list, tuple or set of Python, an array of NumPy, or a list of JSON.
    """
    text = (re.sub(_NUMPY, r"\1", text) if "np." in text else text).strip()
    if text[:1] + text[-1:] not in ("[]", "()", "{}"):
        return None
    try:
        found = json.loads(text)
    except _UNREADABLE:
        found = None
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return [found] if found else []
    return _parse_python(text)


def _parse_python(text: str) -> list[Any] | None:
    inner = text[1:-1].strip()
    if not inner:
        return []
    tokens, place, commas = [], 0, 0
    while place < len(inner):
        match = _TOKEN.match(inner, place)
        if match is None:
            return _parse_nested(text)
        tokens.append(match[1])
        commas += bool(match[2])
        place = match.end()
    if text[0] == "{" and not any(":" in token or token[0] == "'" for token in tokens):
        # An array as PostgreSQL writes it: quotes only where a value needs them.
        return [_value(token) if token[0] == '"' or _NUMBER.match(token) else token for token in tokens]
    quoted = any(token[0] in "'\"" for token in tokens)
    if not quoted and not all(
        _NUMBER.match(token) or token in _ABSENT or token in ("True", "False") for token in tokens
    ):
        # Words without quotes, as DuckDB writes them: only commas part them.
        return [part.strip() for part in inner.split(",")] if commas and text[0] == "[" else None
    if text[0] == "{" and ":" in tokens:
        return _parse_nested(text)
    if 0 < commas < len(tokens) - 1 or (text[0] != "[" and not commas and len(tokens) > 1):
        return None
    values = [_value(token) for token in tokens]
    return None if any(value is NotImplemented for value in values) else values


def _parse_nested(text: str) -> list[Any] | None:
    try:
        found = ast.literal_eval(text)
    except _UNREADABLE:
        return None
    if isinstance(found, dict):
        return [found]
    return list(found) if isinstance(found, (list, tuple, set)) else None


def _value(token: str) -> Any:
    if token in _ABSENT:
        return None
    if token[0] not in "'\"" and not _NUMBER.match(token) and token not in ("True", "False"):
        return NotImplemented
    try:
        return ast.literal_eval(token if token[0] in "'\"" else token.lstrip("0") or "0")
    except _UNREADABLE:
        return token if _NUMBER.match(token) else NotImplemented


def _bracketed(texts: pl.Series) -> bool:
    return not texts.is_empty() and bool(texts.str.contains(_BRACKETS).all())


def _as_series(texts: pl.Series, parsed: dict[str, list[Any] | None]) -> pl.Series:
    flat = [value for values in parsed.values() for value in values or () if value is not None]
    if any(isinstance(value, (list, tuple, set, dict)) for value in flat):
        return pl.Series(texts.name, [[{"nested": True}]] * len(texts))
    inner: pl.DataType = pl.String()
    if flat and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in flat):
        whole = all(isinstance(value, int) and abs(value) < 2**63 for value in flat)
        inner = pl.Int64() if whole else pl.Float64()
    shaped = {text: _shaped(values or (), inner) for text, values in parsed.items()}
    rows = [None if text is None else shaped[text] for text in texts]
    return pl.Series(texts.name, rows, dtype=pl.List(inner))


def _shaped(values: Any, inner: pl.DataType) -> list[Any]:
    if inner == pl.String:
        return [_text(value) for value in values]
    return [None if value is None else (int(value) if inner == pl.Int64 else float(value)) for value in values]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
