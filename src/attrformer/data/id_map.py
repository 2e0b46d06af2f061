"""External ids on one side, consecutive codes on the other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

FEW = 1000
"""Ids up to this many are looked up by bisection; a join with the whole catalogue would take longer."""

SMALL = 100_000
"""A dictionary of all ids is kept where there are at most so many; it takes about 100 bytes for each of them."""

VERY_FEW = 50
"""Ids up to this many are searched here one by one; to hand them to other threads would take longer."""

_SHOWN = 3

_SPREAD = 16
"""A table of all whole numbers between the ids is kept where there are at most so many for each id."""


class IdMap:
    """The external ids of users or items, in the order of their codes.

    Args:
        values: distinct external ids, all integers or all strings; `values[code]` is the id of `code`.
    """

    def __init__(self, values: pl.Series) -> None:
        self._values = values.rename("id")
        self._codes = pl.DataFrame({"id": self._values, "code": np.arange(len(values), dtype=np.int32)})
        self._ascending: tuple[pl.Series, NDArray[np.int32]] | None = None
        self._dense: tuple[NDArray[np.int32], int] | None = None
        self._named: dict[Any, int] | None = None

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdMap) and self._values.equals(other._values, check_dtypes=True)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self._values.head(_SHOWN).to_list()))
        return f"Ids({shown}{', ...' if len(self) > _SHOWN else ''}; {len(self):,})"

    @property
    def values(self) -> pl.Series:
        """The external ids in the order of their codes."""
        return self._values

    def encode(self, values: pl.Series | Iterable[Any]) -> NDArray[np.int32]:
        """Codes of external ids, int32 `[n]`; -1 where the id is unknown or is no id (`in_own_type`)."""
        series = values if isinstance(values, pl.Series) else pl.Series("id", list(values))
        if len(series) == 0:
            return np.empty(0, dtype=np.int32)
        wanted = self.in_own_type(series).rename("id").to_frame()
        if len(wanted) <= FEW:
            return self._look_up(wanted["id"])
        places = self._places()
        if places is not None:
            return _in_table(wanted["id"], *places)
        found = wanted.join(self._codes, on="id", how="left", maintain_order="left")["code"]
        return found.fill_null(-1).cast(pl.Int32).to_numpy().astype(np.int32, copy=True)

    def _places(self) -> tuple[NDArray[np.int32], int] | None:
        """The code of every whole number from the least id on, and that id; None where they are too far apart."""
        if self._dense is None and len(self) and self._values.dtype.is_integer():
            numbers = self._values.to_numpy()
            low, high = int(numbers.min()), int(numbers.max())
            if high - low < _SPREAD * len(self):
                table = np.full(high - low + 1, -1, dtype=np.int32)
                table[numbers - low] = np.arange(len(self), dtype=np.int32)
                self._dense = table, low
        return self._dense

    def in_own_type(self, values: pl.Series) -> pl.Series:
        """Ids in the type of these, null where a value is not one way of writing such an id.

        Whole numbers may come as integers of any width, as floating-point or decimal numbers without a fraction (1.0,
        as pandas has columns with gaps), and as text just as they are printed ("1", not "01", "+1" or "1 "). Text may
        come as text, also of a categorical column, and as whole numbers. Truth values, bytes, dates and all else are
        no ids.

        Args:
            values: of any type.
        """
        own, kind = self._values.dtype, values.dtype
        if kind == own:
            return values
        if kind.is_integer():
            return values.cast(own, strict=False)
        if isinstance(kind, (pl.Categorical, pl.Enum)):
            values, kind = values.cast(pl.String), pl.String()
        if kind == pl.String:
            if own == pl.String:
                return values
            numbers = values.cast(own, strict=False)
            return numbers.set(numbers.cast(pl.String).ne_missing(values), None)
        if kind.is_numeric() and own.is_integer():
            numbers = values.cast(own, strict=False)
            return numbers.set(numbers.cast(kind, strict=False).ne_missing(values), None)
        return pl.Series(values.name, [None] * len(values), dtype=own)

    def decode(self, codes: Sequence[int] | NDArray[Any]) -> pl.Series:
        """External ids of codes `[n]`."""
        return self._values[np.asarray(codes, dtype=np.int64)]

    def _look_up(self, wanted: pl.Series) -> NDArray[np.int32]:
        """What `encode` gives, id by id."""
        if len(self) <= SMALL:
            if self._named is None:
                self._named = {value: code for code, value in enumerate(self._values.to_list())}
            return np.array([self._named.get(value, -1) for value in wanted.to_list()], dtype=np.int32)
        if self._ascending is None:
            order = self._values.arg_sort()
            self._ascending = self._values.gather(order), order.to_numpy().astype(np.int32)
        values, codes = self._ascending
        if not len(values):
            return np.full(len(wanted), -1, dtype=np.int32)
        asked = wanted.to_list()
        if len(asked) <= VERY_FEW:
            found = np.array([0 if value is None else bisect_left(values, value) for value in asked])
        else:
            found = np.asarray(values.search_sorted(wanted), dtype=np.int64)
        places = np.minimum(found, len(values) - 1)
        # Plain comparison, since an expression costs more to set up than a few ids to compare.
        same = [own == value for own, value in zip(values[places].to_list(), asked, strict=True)]
        return np.where(same, codes[places], -1).astype(np.int32)

    def to_list(self) -> list[Any]:
        """The external ids as plain Python values, for JSON."""
        return self._values.to_list()

    @classmethod
    def from_list(cls, values: list[Any]) -> IdMap:
        """The inverse of `to_list`."""
        return cls(pl.Series("id", values))


def _in_table(wanted: pl.Series, table: NDArray[np.int32], low: int) -> NDArray[np.int32]:
    """Codes of whole numbers, -1 where a number is not in the table or missing."""
    if not wanted.null_count() and low <= int(wanted.min()) and int(wanted.max()) < low + len(table):  # type: ignore[arg-type]
        codes: NDArray[np.int32] = table[wanted.to_numpy() - low]
        return codes
    numbers = wanted.fill_null(low).to_numpy() - low
    inside = (numbers >= 0) & (numbers < len(table))
    if wanted.null_count():
        inside &= wanted.is_not_null().to_numpy()
    return table[numbers] if inside.all() else np.where(inside, table[np.where(inside, numbers, 0)], np.int32(-1))


def order_of(ids: pl.Series) -> NDArray[np.int64]:
    """The place of each id among all of them, int64 `[n]`.

    Numbers stand by size, also behind a prefix that all ids share; other texts stand by their letters.
    """
    keys = ids
    if not ids.dtype.is_integer():
        texts = ids.cast(pl.String)
        prefixes = texts.str.extract(r"^(\D*)\d{1,18}$")
        if prefixes.null_count() == 0 and prefixes.n_unique() == 1:
            keys = texts.str.extract(r"(\d+)$").cast(pl.Int64)
        else:
            keys = texts
    return keys.rank("ordinal").to_numpy().astype(np.int64) - 1
