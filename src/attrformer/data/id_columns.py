"""Ids of several tables: one type for all of them, and what looks like one id written in two ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, SOURCE_ITEM, TARGET_ITEM, USER
from attrformer.data.tables import Table, id_column
from attrformer.data.text_columns import WHOLE, is_whole

_PLACES: Final = {
    "user": (("interactions", USER), ("users", USER)),
    "item": (
        ("interactions", ITEM),
        ("items", ITEM),
        ("item_relations", SOURCE_ITEM),
        ("item_relations", TARGET_ITEM),
        ("item_changes", ITEM),
    ),
}
_ROUNDED: Final = r"^[1-9][.,][0-9]+E\+[0-9]{2}$"
_FEW_ODD: Final = 0.5
_DECIMAL: Final = r"^-?[0-9]+\.0+$"


def with_common_ids(tables: Mapping[str, Table]) -> tuple[dict[str, Table], list[str]]:
    """The tables with ids of users, and of items, that are integers in all tables or text in all of them.

    Ids are integers where every one of them is a whole number, or a text that is one in the one way to write it. Texts
    of a table that is no text file stay text where nothing but text files could be numbers.

    Args:
        tables: by name.

    Returns:
        The tables, and a sentence where numbers became text.

    Raises:
        DataError: an id is null, or of a type that cannot be an id.
    """
    found, notes = dict(tables), list[str]()
    for what in _PLACES:
        notes += _make_common(what, found)
    return {name: replace(table, text=False) for name, table in found.items()}, notes


def _make_common(what: str, found: dict[str, Table]) -> list[str]:
    """Gives the ids of users, or of items, one type in all tables; says where numbers became text."""
    held = [(table, name) for table, name in _PLACES[what] if table in found and name in found[table].frame.columns]
    values = {place: id_column(replace(found[place[0]], text=False), place[1]) for place in held}
    text = {place: found[place[0]].text for place in held}
    whole = _are_whole(values, text)
    numbers = (series.dtype == pl.Int64 or (text[place] and is_whole(series)) for place, series in values.items())
    notes = [_told(what, values, found)] if not whole and any(numbers) else []
    for (table, name), series in values.items():
        typed = series.cast(pl.Int64 if whole else pl.String)
        if typed.dtype != found[table].frame[name].dtype:
            found[table] = replace(found[table], frame=found[table].frame.with_columns(typed.alias(name)))
    return notes


def with_ids_of(
    users: pl.Series, items: pl.Series, tables: Mapping[str, Table], *, source: str, text: bool = False
) -> tuple[pl.Series, pl.Series, dict[str, Table], list[str]]:
    """What `with_common_ids` says of interactions of which the distinct ids alone are at hand, and of other tables.

    Args:
        users: their distinct ids, in the order in which they first stand in the interactions.
        items: the same of items.
        tables: the others, by name.
        source: what messages call the interactions.
        text: whether ids are texts of a file that may stand for numbers.

    Returns:
        The ids of users and of items, the other tables and a sentence where numbers became text.

    Raises:
        DataError: an id of another table is null, or of a type that cannot be an id.
    """
    found, notes, typed = dict(tables), list[str](), list[pl.Series]()
    for what, name, ids in (("user", USER, users), ("item", ITEM, items)):
        found["interactions"] = Table(pl.DataFrame({name: ids}), source, text)
        notes += _make_common(what, found)
        typed.append(found.pop("interactions").frame[name])
    return typed[0], typed[1], {key: replace(table, text=False) for key, table in found.items()}, notes


def spelling_notes(what: str, ids: pl.Series) -> list[str]:
    """What is to be said of ids that may be written in two ways; nothing is changed.

    Args:
        what: "user" or "item".
        ids: distinct ids.
    """
    if ids.dtype != pl.String or ids.is_empty():
        return []
    notes = []
    frame = pl.DataFrame({"id": ids, "plain": _plain(ids)})
    if frame["plain"].n_unique() < len(frame):
        pairs = frame.group_by("plain", maintain_order=True).agg("id").filter(pl.col("id").list.len() > 1)
        one, two = pairs["id"][0].to_list()[:2]
        notes.append(
            f"{len(pairs):,} {what} ids differ from others by blanks, case or the form of a letter alone "
            f"(e.g. '{one}' and '{two}'); they are read as different {what}s"
        )
    blank = ids.filter(ids != ids.str.strip_chars())
    if len(blank):
        notes.append(f"{len(blank):,} {what} ids have blanks around them (e.g. '{blank[0]}'), which belong to the id")
    odd = ids.filter(~ids.str.contains(WHOLE))
    if 0 < len(odd) <= _FEW_ODD * len(ids):
        notes.append(
            f"{what} ids are text, since {len(odd):,} of {len(ids):,} are no plain whole numbers (e.g. '{odd[0]}')"
        )
    rounded = ids.filter(ids.str.contains(_ROUNDED))
    if len(rounded):
        notes.append(
            f"{len(rounded):,} {what} ids look like numbers that a spreadsheet rounded (e.g. '{rounded[0]}'); "
            "different ids may have become one"
        )
    if bool(ids.str.contains(_DECIMAL).all()):
        notes.append(f"all {what} ids are text such as '{ids[0]}'; write whole numbers without '.0' to have integers")
    return notes


def nearly_known(known: pl.Series, ids: pl.Series, outside: NDArray[np.bool_]) -> str | None:
    """A sentence about ids that are known but for the way in which they are written; None where there are none.

    Args:
        known: the ids of the data.
        ids: of the table, `[rows]`.
        outside: which of them are not known, `[rows]`.
    """
    if known.dtype != pl.String or ids.dtype != pl.String or not outside.any():
        return None
    others = ids.filter(pl.Series(outside)).unique(maintain_order=True)
    near = others.filter(_bare(others).is_in(_bare(known).unique().implode()))
    if near.is_empty():
        return None
    return (
        f"{len(near):,} unknown ids differ from known ones by blanks, case, the form of a letter, zeros in front or "
        f"'.0' alone (e.g. '{near[0]}')"
    )


def _are_whole(values: Mapping[tuple[str, str], pl.Series], text: Mapping[tuple[str, str], bool]) -> bool:
    first = next((series for place, series in values.items() if not text[place]), None)
    if first is not None and first.dtype == pl.String:
        return False
    return all(series.dtype == pl.Int64 or is_whole(series) for series in values.values())


def _told(what: str, values: Mapping[tuple[str, str], pl.Series], tables: Mapping[str, Table]) -> str:
    for (table, _), series in values.items():
        if series.dtype == pl.String and not is_whole(series):
            odd = series.filter(~series.str.contains(r"^(0|-?[1-9][0-9]{0,17})$"))
            example = f" ('{odd[0]}')" if len(odd) else ""
            return (
                f"{what} ids are read as text, since {tables[table].label} has ids that are no whole numbers{example}"
            )
    return f"{what} ids are read as text, since they are text in one of the tables"


def _bare(ids: pl.Series) -> pl.Series:
    return _plain(ids).str.replace(r"^0+([0-9])", "${1}").str.replace(r"^([0-9]+)\.0+$", "${1}")


def _plain(ids: pl.Series) -> pl.Series:
    return ids.str.strip_chars().str.normalize("NFKC").str.to_lowercase()
