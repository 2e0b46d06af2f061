"""Dates with the year last, or of two digits: whether the day, the month or the year stands first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import polars as pl

from attrformer.errors import DataError

DateOrder = Literal["day", "month", "year"]
"""What stands first in a date such as 05/11/2019 or 19/11/05."""

DATE_ORDERS: Final[tuple[str, ...]] = get_args(DateOrder)

OPTION: Final = "data.date_order"

_HEAD: Final = r"^(\d{1,2})([./-])\s?(\d{1,2})([./-])\s?(\d{4}|\d{2})\.?"
_WHOLE: Final = _HEAD + r"(?:,?\s+|[Tt]|$)(.*)$"
_NAMED: Final = r"^(\d{1,2})[\s/-]([A-Za-z]{3,9})\.?[\s/-](\d{4})(?:,?\s+|:|$)(.*)$"
_NAMES: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTHS: Final = {name[:3]: name for name in _NAMES}
# As Python, polars and POSIX read years of two digits.
_TWENTIETH: Final = r"^(69|[7-9]\d)$"


@dataclass(frozen=True, slots=True)
class DateForms:
    """What dates whose order is not plain say about it; those of parts of a column add up to those of the whole.

    Args:
        allowed: the orders in which every one of them is a date; None where there are no such dates.
        sure: the order of the first one that is a date in one order alone; empty where there is none.
        dotted: whether all have dots and years of four digits, of which no country writes the month first.
        unsure: the first one that is another date in another order, as it stands there; empty where there is none.
    """

    allowed: tuple[str, ...] | None = None
    sure: str = ""
    dotted: bool = True
    unsure: str = ""

    @classmethod
    def of(cls, values: pl.Series) -> DateForms:
        """What the texts of a column, or of a part of it, say.

        Args:
            values: texts without blanks around them; those of another form say nothing.
        """
        heads = values.str.extract(f"({_HEAD})", 1).drop_nulls().unique(maintain_order=True)
        if heads.is_empty():
            return cls()
        days = pl.DataFrame({order: _iso(heads, order).str.to_date("%Y-%m-%d", strict=False) for order in DATE_ORDERS})
        dates = ~days.select(pl.all_horizontal(pl.all().is_null())).to_series()
        heads, days = heads.filter(dates), days.filter(dates)
        if heads.is_empty():
            return cls()
        known = days.select(pl.all().is_not_null())
        single = days.filter(known.select(pl.sum_horizontal(pl.all())).to_series() == 1)
        sure = next((order for order in DATE_ORDERS if len(single) and single[order][0] is not None), "")
        several = days.select(pl.max_horizontal(pl.all()) != pl.min_horizontal(pl.all())).to_series()
        return cls(
            tuple(order for order in DATE_ORDERS if bool(known[order].all())),
            sure,
            bool(heads.str.contains(r"^\d+\.\s?\d+\.\s?\d{4}").all()),
            next(iter(heads.filter(several)), ""),
        )

    def __or__(self, other: DateForms) -> DateForms:
        if self.allowed is None or other.allowed is None:
            return other if self.allowed is None else self
        return DateForms(
            tuple(order for order in self.allowed if order in other.allowed),
            self.sure or other.sure,
            self.dotted and other.dotted,
            self.unsure or other.unsure,
        )

    def decide(self, *, source: str, column: str) -> str:
        """The order in which every date can be read; empty where there are no such dates.

        Where there is none it is that of the first date which has one alone, so that another is an error.

        Args:
            source: the table, for the error.
            column: the column.

        Raises:
            DataError: several orders are possible.
        """
        if self.allowed is None:
            return ""
        if not self.allowed:
            return self.sure or DATE_ORDERS[0]
        if len(self.allowed) == 1 or not self.unsure:
            return self.allowed[0]
        if self.dotted and "day" in self.allowed:
            return "day"
        read = [f"{_iso(pl.Series([self.unsure]), order)[0]} ({order} first)" for order in self.allowed]
        options = " or ".join(f"--date-order {order}" for order in self.allowed)
        raise DataError(
            f"'{self.unsure}' is {' or '.join(read)}, and no value of the column tells which",
            fix=f"Say what stands first where the data are read for training: {options} ({OPTION} in a configuration, "
            "date_order= in Python), or write dates as 2019-12-31",
            source=source,
            column=column,
        )


def with_year_first(values: pl.Series, order: str) -> pl.Series:
    """Texts such as `31.12.2019 13:45` as `2019-12-31 13:45`; null where a text is none in that order.

    Args:
        values: texts without blanks around them.
        order: one of `DATE_ORDERS`.
    """
    dates = _iso(values, order, _WHOLE)
    rest = values.str.extract(_WHOLE, 6)
    joined = pl.when(rest == "").then(dates).otherwise(dates + pl.lit(" ") + rest)
    return pl.select(joined.alias(values.name)).to_series()


def with_month_as_number(values: pl.Series) -> pl.Series:
    """Texts such as `15 Nov 2019 13:45`, `15-Nov-2019` and `November 15, 2019` as `2019-11-15 13:45`; null for others.

    Args:
        values: texts without blanks around them.
    """
    text = values.str.replace(r"^([A-Za-z]{3,9}\.?)\s+(\d{1,2}),?\s+(\d{4})\b", "${2} ${1} ${3}")
    name = text.str.extract(_NAMED, 2).str.to_lowercase()
    month = name.str.head(3).replace_strict(list(_MONTHS), [f"{n:02}" for n in range(1, 13)], default=None)
    # Other words begin like months.
    month = month.set(~name.is_in([*_MONTHS, *_MONTHS.values(), "sept"]).fill_null(False), None)
    rest = (" " + text.str.extract(_NAMED, 4)).str.strip_chars_end()
    whole = (
        text.str.extract(_NAMED, 3)
        + pl.lit("-")
        + month
        + pl.lit("-")
        + text.str.extract(_NAMED, 1).str.zfill(2)
        + rest
    )
    return pl.select(whole.alias(values.name)).to_series()


def _iso(values: pl.Series, order: str, pattern: str = _HEAD) -> pl.Series:
    """The dates as 2019-12-31, whether or not there are such days; null where the form does not allow the order."""
    first, second, year = (values.str.extract(pattern, group) for group in (1, 3, 5))
    if order == "year":
        # Years of two digits that stand first are written with two digits everywhere.
        padded = (first.str.len_chars() == 2) & (second.str.len_chars() == 2) & (year.str.len_chars() == 2)
        year, month, day = first.set(~padded.fill_null(False), None), second, year
    else:
        month, day = (second, first) if order == "day" else (first, second)
    same = values.str.extract(pattern, 2) == values.str.extract(pattern, 4)
    century = pl.when(year.str.len_chars() == 4).then(pl.lit("")).when(year.str.contains(_TWENTIETH))
    whole = century.then(pl.lit("19")).otherwise(pl.lit("20")) + year
    text = whole + pl.lit("-") + month.str.zfill(2) + pl.lit("-") + day.str.zfill(2)
    return pl.select(pl.when(same).then(text).otherwise(None).alias(values.name)).to_series()
