"""Parts of the interactions with the codes of the whole, cut by ranges of users."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.data.id_map import IdMap
from attrformer.data.prepared.columns import recode
from attrformer.data.prepared.names import BEHAVIOUR, ITEMS, ORDER, SAME, USERS
from attrformer.data.prepared.plan import Plan
from attrformer.data.prepared.survey import Survey

STARTS: Final = "starts"
"""Where the rows of each range of users begin, and where those of the last one end."""

Arrays = dict[str, NDArray[Any]]

_SMALL: Final = (np.dtype("u1"), np.dtype("<u2"), np.dtype("<u4"))
_BUFFER: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Coded:
    """Rows of parts in a file that `write_coded` made.

    Args:
        path: of the file.
        arrays: by name, the type and the byte at which each begins.
        starts: where the rows of each range of users begin, and where those of the last one end.
    """

    path: Path
    arrays: dict[str, tuple[np.dtype[Any], int]]
    starts: list[int]


def narrow_type(largest: int) -> np.dtype[Any]:
    """The type of fewest bytes that holds whole numbers from 0 on.

    Args:
        largest: of them.
    """
    return next((kind for kind in _SMALL if largest <= np.iinfo(kind).max), np.dtype("<i8"))


def code_part(plan: Plan, users: IdMap, items: IdMap, survey: Survey, kept: pl.DataFrame) -> Arrays | None:
    """The rows of a part by ranges of users, those of one range in the order of the table, in few bytes.

    Args:
        plan: what was decided.
        users: every user.
        items: every item of the catalogue.
        survey: what `survey_part` said of the part.
        kept: the rows that it kept.

    Returns:
        Users, counted from the first one of their range, and items as small whole numbers; the order of times, counted
        from the earliest where that is fewer bytes, else int64 or float64; float32 behaviour attributes; a number for
        what else tells rows apart, where that is needed, all `[rows]`; and `STARTS`. None where an id is not known, as
        in a table that has changed.
    """
    starts = np.array(plan.starts)
    rows, codes = users.encode(kept[USERS]), items.encode(kept[ITEMS])
    if len(rows) and (rows.min() < 0 or codes.min() < 0):
        return None
    ranges = _range_of_users(plan.starts)[rows]
    lengths = np.bincount(ranges, minlength=len(starts) - 1)
    by_range = np.argsort(ranges, kind="stable")
    within = rows[by_range] - np.repeat(starts[:-1].astype(np.int32), lengths)
    found: Arrays = {USERS: within.astype(narrow_type(int(np.diff(starts).max()) - 1))}
    found[ITEMS] = codes.astype(narrow_type(len(items) - 1))[by_range]
    if plan.times is not None and ORDER in kept.columns:
        found[ORDER] = _narrow_times(plan, kept[ORDER])[by_range]
    if plan.same:
        found[SAME] = kept[SAME].to_numpy()[by_range]
    for column in plan.columns:
        values = kept[f"{BEHAVIOUR}{column.name}"].to_numpy()
        found[f"{BEHAVIOUR}{column.name}"] = recode(values, survey.columns[column.name], column)[by_range]
    return {**found, STARTS: offsets_of(lengths)}


@lru_cache(maxsize=2)
def _range_of_users(starts: tuple[int, ...]) -> NDArray[Any]:
    # NumPy sorts numbers of 8 and 16 bits by counting.
    numbers = np.arange(len(starts) - 1, dtype=narrow_type(len(starts) - 2))
    return np.repeat(numbers, np.diff(starts))


def _narrow_times(plan: Plan, order: pl.Series) -> NDArray[Any]:
    assert plan.times is not None
    if not plan.times.whole:
        return order.to_numpy().astype(np.float64)
    low, high = int(plan.times.low), int(plan.times.high)
    values = order.to_numpy().astype(np.int64)
    kind = narrow_type(high - low)
    return (values - low).astype(kind) if kind.kind == "u" else values


def write_coded(path: Path, parts: list[Arrays], ranges: int) -> None:
    """Writes the rows of several parts by ranges of users, those of one range in the order of the parts.

    Args:
        path: of the file.
        parts: what `code_part` gave, in order.
        ranges: of users.

    Raises:
        OSError: the disk is full.
    """
    starts = np.array([part[STARTS] for part in parts], dtype=np.int64).reshape(len(parts), ranges + 1)
    kinds = {name: array.dtype.str for part in parts[:1] for name, array in part.items() if name != STARTS}
    about = {STARTS: starts.sum(axis=0).tolist(), "kinds": kinds}
    head = json.dumps(about).encode()
    with path.open("wb", buffering=_BUFFER) as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for name in kinds:
            for number in range(ranges):
                for part, (start, stop) in zip(parts, starts[:, number : number + 2].tolist(), strict=True):
                    file.write(part[name][start:stop].data)


def open_coded(path: Path) -> Coded:
    """Where the rows in a file are.

    Args:
        path: of a file that `write_coded` made.
    """
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        about = json.loads(file.read(size))
    arrays, place = {}, 8 + size
    for name, text in about["kinds"].items():
        arrays[name] = np.dtype(text), place
        place += arrays[name][0].itemsize * about[STARTS][-1]
    return Coded(path, arrays, about[STARTS])


def read_range(files: Sequence[Coded], number: int) -> Arrays:
    """The rows of a range of users in all files, one behind the other.

    Args:
        files: in order.
        number: of the range.

    Raises:
        OSError: a file is shorter than it says.
    """
    held = [file for file in files if file.starts[number] < file.starts[number + 1]]
    count = sum(file.starts[number + 1] - file.starts[number] for file in held)
    found: Arrays = {name: np.empty(count, kind) for name, (kind, _) in held[0].arrays.items()}
    place = 0
    for file in held:
        start, stop = file.starts[number : number + 2]
        # A mapped file would bring in much more around each of many short ranges.
        with file.path.open("rb", buffering=0) as opened:
            for name, (kind, begin) in file.arrays.items():
                room = found[name][place : place + stop - start]
                opened.seek(begin + start * kind.itemsize)
                if opened.readinto(room.view(np.uint8).data) != room.nbytes:
                    raise OSError(f"{file.path.name} is cut off")
        place += stop - start
    return found
