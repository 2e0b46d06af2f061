"""External ids that the model may not know: refused, left out with a warning, or left out."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, USER
from attrformer.data.id_map import IdMap
from attrformer.errors import ConfigurationError, DataError, UnknownIdError

ACTIONS: Final = ("raise", "warn", "skip")
CATALOGUE: Final = "the catalogue of this model"
USERS: Final = "the users of this model"

_NAMED = 5


@dataclass(frozen=True, slots=True)
class OnUnknown:
    """What becomes of what the model does not know.

    Args:
        action: "raise" an error, "warn" and leave it out, or "skip" it in silence.

    Raises:
        ConfigurationError: the action is none of these.
    """

    action: str

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ConfigurationError(f"on_unknown is {self.action!r}. Use one of: {', '.join(ACTIONS)}.")

    def report(self, values: pl.Series, what: str, where: str) -> None:
        """Says that values are not known, in the manner that was asked for.

        Args:
            values: the unknown ones, repeats allowed; none is fine.
            what: the argument that named them.
            where: what they are not among.

        Raises:
            UnknownIdError: there are some and the action is "raise".
        """
        if not len(values) or self.action == "skip":
            return
        distinct = values.unique(maintain_order=True)
        named = ", ".join(f"'{value}'" for value in distinct[:_NAMED])
        more = f" and {len(distinct) - _NAMED} more" if len(distinct) > _NAMED else ""
        problem = f"{what}: {named}{more} not among {where}."
        if self.action == "raise":
            raise UnknownIdError(
                f"{problem} Give known ids, fit the model to data that hold them, or pass on_unknown='skip' "
                "(on the command line --on-unknown skip)."
            )
        warnings.warn(f"{problem} Left out.", UserWarning, stacklevel=2)

    def known(self, ids: IdMap, values: pl.Series, what: str, where: str) -> NDArray[np.int64]:
        """Codes of external ids, int64 `[n]`, -1 for those that are to be left out.

        Raises:
            UnknownIdError: some are not known and the action is "raise".
        """
        codes = ids.encode(values).astype(np.int64)
        strange = np.flatnonzero(codes < 0)
        if len(strange):
            self.report(values[strange], what, where)
        return codes


REFUSE: Final = OnUnknown("raise")


def id_series(values: Any, what: str) -> pl.Series:
    """One id or several as a column.

    Args:
        values: an id, or any collection of ids: a list, a column of any frame library, an array, a generator.
        what: the argument, for error messages.

    Raises:
        DataError: they are not of one type, or are a table or something else that holds no ids.
    """
    if hasattr(values, "columns"):
        column = USER if what == "users" else ITEM
        raise DataError("a table was given", fix=f"Give its column of ids, table['{column}']", source=what)
    if isinstance(values, Mapping):
        raise DataError("a mapping was given", fix="Give a list of ids", source=what)
    try:
        series = values if isinstance(values, pl.Series) else pl.Series(what, _plain_ids(values))
    except (TypeError, OverflowError, UnicodeError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"the ids cannot be read as one column ({str(error).splitlines()[0]})",
            fix="Give ids of one type",
            source=what,
        ) from error
    if series.dtype.is_nested() or series.dtype == pl.Object:
        raise DataError(
            f"these are no ids, such as {series.head(1).to_list()[0]!r}",
            fix="Give whole numbers or text in one flat list",
            source=what,
        )
    return series


def _plain_ids(values: Any) -> list[Any]:
    """Ids as values of Python."""
    # Columns and arrays of other libraries, and single values of NumPy, give up their values by one of these.
    for method in ("to_pylist", "tolist"):
        if hasattr(values, method):
            values = getattr(values, method)()
            break
    if values is None or isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        return [values]
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    if len({isinstance(value, bool) for value in plain}) > 1:
        # Among whole numbers True would be read as 1.
        raise TypeError("True and False are no ids")
    return plain


def chosen_items(ids: IdMap, items: Any, what: str, unknown: OnUnknown) -> NDArray[np.int64]:
    """Codes of the items that an answer is restricted to, distinct, in the order of the catalogue.

    Args:
        ids: the catalogue.
        items: external ids.
        what: the argument, for error messages.
        unknown: what becomes of ids outside the catalogue.

    Raises:
        UnknownIdError: some are not in the catalogue and are not to be left out; the message names them.
        ConfigurationError: none was given.
    """
    series = id_series(items, what)
    if not len(series):
        raise ConfigurationError(f"{what} is empty. Give at least one item id, or None.")
    codes = np.unique(unknown.known(ids, series, what, CATALOGUE))
    return codes[codes >= 0]


def rows_among(names: pl.Series, among: pl.Series | None) -> NDArray[np.int64]:
    """The row of each id among others, int64 `[n]`, -1 where it is not; ids of different types are compared as text.

    Args:
        names: ids, `[n]`.
        among: distinct ids; None is like none.
    """
    if among is None or not len(among):
        return np.full(len(names), -1, dtype=np.int64)
    rows = {name: row for row, name in enumerate(among.cast(pl.String).to_list())}
    return np.array([rows.get(name, -1) for name in names.cast(pl.String).to_list()], dtype=np.int64)
