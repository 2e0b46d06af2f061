"""Histories whose entries say more than an item id: when it was, and what else training knew of an interaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.columns import ITEM, TIMESTAMP
from attrformer.csr import offsets_of
from attrformer.data.frames import library_of
from attrformer.data.sequences import Sequences, some_of
from attrformer.errors import DataError
from attrformer.relations.positions import NO_TIMES

_LARGEST: Final = float(np.finfo(np.float32).max)


def ids_of(rows: Iterable[list[Any]]) -> list[Any]:
    """The item ids of all histories, one after the other.

    Args:
        rows: of ids, or of mappings with `item_id`.

    Raises:
        DataError: a mapping has no `item_id`.
    """
    return [_id(entry) if isinstance(entry, Mapping) else entry for row in rows for entry in row]


def with_details(
    contexts: Sequences, rows: list[list[Any]], levels: Iterable[str], values: Mapping[str, tuple[str, ...]]
) -> Sequences:
    """The same histories with the times and behaviour attributes that their entries give.

    An entry without a time happened at the time of the one before it, or where there is none, of the first that has
    one. A history without a time has `NO_TIMES` throughout where others have times; `alike` tells the two apart.

    Args:
        contexts: the histories as ids.
        rows: of ids, or of mappings.
        levels: behaviour attributes that the model reads.
        values: of those that are categories, by code.

    Raises:
        DataError: a time is no whole number of seconds, an attribute no number or known value, or times go back.
    """
    entries = [entry if isinstance(entry, Mapping) else {} for row in rows for entry in row]
    if not any(entries):
        return contexts
    given = np.concatenate([_times(row) for row in rows if row])
    times = given if bool(np.any(given != NO_TIMES)) else None
    behaviours = {
        name: np.array(
            [_code(entry, name, values[name]) if name in values else _number(entry, name) for entry in entries],
            dtype=np.float32,
        )
        for name in levels
    }
    return replace(contexts, times=times, behaviours=behaviours)


def alike(histories: Sequences, rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.bool_], Sequences]]:
    """Some histories: those that say when things happened, and those that do not, without times.

    Args:
        histories: as `with_details` gives them, or any others.
        rows: int64 `[n]`, of the histories, none empty.

    Yields:
        Which of the rows, bool `[n]`, and their histories; nothing where there are none.
    """
    told = np.ones(len(rows), dtype=bool)
    if histories.times is not None:
        told = histories.times[histories.offsets[rows]] != NO_TIMES
    if told.any():
        yield told, histories.rows(rows[told])
    if not told.all():
        yield ~told, replace(histories.rows(rows[~told]), times=None)


def _mappings(row: list[Any]) -> list[Mapping[str, Any]]:
    return [entry if isinstance(entry, Mapping) else {} for entry in row]


def _id(entry: Mapping[str, Any]) -> Any:
    if ITEM not in entry:
        raise _wrong(f"an entry has no '{ITEM}'", f"Give {ITEM} in every entry")
    return entry[ITEM]


def _times(row: list[Any]) -> NDArray[np.int64]:
    given = [_time(entry) for entry in _mappings(row)]
    last = next((time for time in given if time is not None), NO_TIMES)
    filled = np.empty(len(given), dtype=np.int64)
    for place, time in enumerate(given):
        last = last if time is None else time
        filled[place] = last
    if (np.diff(filled) < 0).any():
        raise _wrong("times go back", "Give the entries of a history oldest first")
    return filled


def _time(entry: Mapping[str, Any]) -> int | None:
    value = entry.get(TIMESTAMP)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or abs(int(value)) >= 2**53:
        raise _wrong(f"the {TIMESTAMP} {value!r} is no whole number of seconds", "Give seconds since 1970")
    return int(value)


def _number(entry: Mapping[str, Any], name: str) -> float:
    value = entry.get(name)
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise _wrong(f"the {name} {value!r} is no number", "Give a number, or leave it out")
    if value > _LARGEST or value < -_LARGEST:
        raise _wrong(f"the {name} {value!r} is too large for a behaviour attribute", "Correct it, or leave it out")
    return float(value)


def _code(entry: Mapping[str, Any], name: str, labels: tuple[str, ...]) -> float:
    value = entry.get(name)
    if value is None:
        return float("nan")
    text = str(value).lower() if isinstance(value, (bool, np.bool_)) else str(value).strip()
    if text not in labels:
        told = some_of(labels)
        raise _wrong(f"the {name} {value!r} is no value that training knew", f"Give one of {told}, or leave it out")
    return float(labels.index(text))


def _wrong(problem: str, fix: str) -> DataError:
    return DataError(problem, fix=fix, source="histories")


def known_only(contexts: Sequences) -> Sequences:
    """The same histories without items whose code is -1.

    Args:
        contexts: histories in item codes.
    """
    kept = contexts.items >= 0
    if kept.all():
        return contexts
    lengths = np.bincount(contexts.row_of_position()[kept], minlength=len(contexts))
    return contexts.select(np.flatnonzero(kept), offsets_of(lengths))


def library_of_given(default: str, *given: Any) -> str:
    """The frame library of the first table that came with a request.

    Args:
        default: the library where none came.
        given: tables, or mappings and lists in place of them; None for what did not come.
    """
    for table in given:
        if table is not None and not isinstance(table, (Mapping, list, tuple)):
            return library_of(table)
    return default
