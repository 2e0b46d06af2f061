"""Values of Python as columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from attrformer.errors import DataError


def series_of(name: str, values: Iterable[Any]) -> pl.Series:
    """Values of one kind as a column, None where one is missing.

    polars takes the type of nested values from the first one, and cuts fractions and fields of later ones off. So
    numbers in lists and mappings are made alike before.

    Args:
        name: of the column.
        values: texts, numbers, lists, tuples, sets, arrays of NumPy, or mappings.

    Raises:
        TypeError: the values are of several kinds.
        polars.exceptions.PolarsError: the same, found later.
    """
    plain = [_plain(value) for value in values]
    known = [value for value in plain if value is not None]
    if known and all(isinstance(value, dict) for value in known):
        fields = list(dict.fromkeys(field for value in known for field in value))
        columns = {field: _alike([value.get(field) for value in known]) for field in fields}
        rows = iter([dict(zip(fields, row, strict=True)) for row in zip(*columns.values(), strict=True)] or known)
        return pl.Series(name, [None if value is None else next(rows) for value in plain])
    flat = [part for value in known if isinstance(value, list) for part in value]
    if any(isinstance(part, float) for part in flat) and all(_is_number(part) for part in flat):
        plain = [None if value is None else _alike(value, whole=False) for value in plain]
    return pl.Series(name, plain)


def mixed_series(name: str, values: Iterable[Any]) -> pl.Series:
    """Values of any kinds as a column: as `series_of` where they are of one kind, otherwise as text.

    Args:
        name: of the column.
        values: as for `series_of`.

    Raises:
        DataError: a text holds half of a character, as JSON can write it and UTF-8 cannot.
    """
    plain = [_plain(value) for value in values]
    try:
        return series_of(name, plain)
    except UnicodeError as error:
        raise DataError(
            f"a text is no valid Unicode ({error})",
            fix="Leave out what stands for half of a character, or leave the value empty",
            column=name,
        ) from error
    except (TypeError, pl.exceptions.PolarsError):
        flat = [part for value in plain for part in (value if isinstance(value, list) else [value])]
        if any(isinstance(value, list) for value in plain) and not any(isinstance(part, (list, dict)) for part in flat):
            lists = [value if isinstance(value, list) else [value] for value in plain]
            return pl.Series(name, [[str(part) for part in parts if part is not None] for parts in lists])
        return pl.Series(name, [None if value is None else str(value) for value in plain])


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): part for key, part in value.items()}
    return list(value) if isinstance(value, (tuple, set, frozenset)) else value


def _alike(values: Any, whole: bool = True) -> Any:
    """Numbers as floats where some number is one."""
    if not isinstance(values, list) or not all(_is_number(value) for value in values):
        return values
    if whole and not any(isinstance(value, float) for value in values):
        return values
    return [None if value is None else float(value) for value in values]


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
