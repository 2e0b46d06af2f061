"""A part of the interactions with the codes of the whole, cut by ranges of users."""

from __future__ import annotations

import json
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

_KINDS: Final[dict[str, np.dtype[Any]]] = {
    "U8": np.dtype("u1"),
    "U16": np.dtype("<u2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "BOOL": np.dtype("?"),
}
"""What safetensors calls the types of arrays."""


def code_part(plan: Plan, users: IdMap, items: IdMap, survey: Survey, kept: pl.DataFrame) -> Arrays:
    """The rows of a part by ranges of users, those of one range in the order of the table.

    Args:
        plan: what was decided.
        users: every user.
        items: every item of the catalogue.
        survey: what `survey_part` said of the part.
        kept: the rows that it kept.

    Returns:
        int32 users and items; the order of times, int64 or float64; float32 behaviour attributes; a number for what
        else tells rows apart, all `[rows]`; and `STARTS`.
    """
    rows = users.encode(kept[USERS])
    starts = np.array(plan.starts)
    ranges = (np.searchsorted(starts, rows, "right") - 1).astype(np.uint16 if len(starts) < 2**16 else np.int64)
    lengths = np.bincount(ranges, minlength=len(starts) - 1)
    by_range = np.argsort(ranges, kind="stable")
    found: Arrays = {USERS: rows[by_range], ITEMS: items.encode(kept[ITEMS])[by_range]}
    if plan.times is not None and ORDER in kept.columns:
        order = kept[ORDER].to_numpy()[by_range]
        found[ORDER] = order if plan.times.whole else order.astype(np.float64)
    if SAME in kept.columns:
        found[SAME] = kept[SAME].to_numpy()[by_range]
    for column in plan.columns:
        values = kept[f"{BEHAVIOUR}{column.name}"].to_numpy()
        found[f"{BEHAVIOUR}{column.name}"] = recode(values, survey.columns[column.name], column)[by_range]
    return {**found, STARTS: offsets_of(lengths)}


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Writes arrays to one file."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)


def read_array(path: Path, name: str) -> NDArray[Any]:
    """One of the arrays in a file.

    Args:
        path: the file.
        name: of the array.
    """
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        found: NDArray[Any] = file.get_tensor(name)
    return found


def read_arrays(path: Path, start: int | None = None, stop: int | None = None) -> Arrays:
    """The arrays in a file, all of them or a range of their rows.

    Args:
        path: the file.
        start: the first row; `STARTS` is left out.
        stop: the row after the last.
    """
    from safetensors import safe_open

    if start is None or stop is None:
        with safe_open(path, "numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    found: Arrays = {}
    with path.open("rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
        for name, about in json.loads(opened.read(size)).items():
            if name != STARTS:
                kind = _KINDS[about["dtype"]]
                # A mapped file would bring in much more around each of many short ranges.
                opened.seek(8 + size + about["data_offsets"][0] + start * kind.itemsize)
                found[name] = np.fromfile(opened, kind, stop - start)
    return found
