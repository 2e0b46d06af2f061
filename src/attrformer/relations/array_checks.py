"""Checks of arrays that were read from files: types, sizes, ranges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrformer.data.sequences import Sequences

Arrays = dict[str, NDArray[Any]]

INTEGERS, FLOATS = "iu", "f"


def require_array(
    name: str,
    values: NDArray[Any],
    kind: str,
    shape: tuple[int, ...],
    least: float | None = None,
    most: float | None = None,
) -> None:
    """Refuses an array of another type or shape, or with values out of range.

    Args:
        name: of the array, for the error.
        values: the array.
        kind: `INTEGERS` or `FLOATS`.
        shape: -1 for any size.
        least: the lowest value that is allowed; None for any.
        most: the largest value that is allowed; None for any.

    Raises:
        ValueError: it is another one.
    """
    same = len(values.shape) == len(shape) and all(
        wanted in (-1, size) for wanted, size in zip(shape, values.shape, strict=True)
    )
    require_that(values.dtype.kind in kind and same, f"{name}: the type or size is another one")
    if values.size == 0:
        return
    lowest, highest = values.min(), values.max()
    require_that(bool(np.isfinite(lowest) and np.isfinite(highest)), f"{name}: a value is no finite number")
    inside = (least is None or lowest >= least) and (most is None or highest <= most)
    require_that(bool(inside), f"{name}: a value is out of range")


def require_sequences(name: str, sequences: Sequences, items: int) -> None:
    """Looks through histories.

    Args:
        name: of the histories, for the error.
        sequences: the histories.
        items: size of the catalogue.

    Raises:
        ValueError: an offset or item is out of range.
    """
    count = len(sequences.items)
    require_array(f"{name} offsets", sequences.offsets, INTEGERS, (-1,), least=0, most=count)
    ends = len(sequences.offsets) and sequences.offsets[0] == 0 and sequences.offsets[-1] == count
    require_that(bool(ends), f"{name} offsets do not span all interactions")
    require_that(bool((np.diff(sequences.offsets) >= 0).all()), f"{name} offsets are not ascending")
    require_array(f"{name} items", sequences.items, INTEGERS, (count,), least=0, most=items - 1)
    if sequences.times is not None:
        require_array(f"{name} times", sequences.times, INTEGERS, (count,))
    for column, values in sequences.behaviours.items():
        require_that(values.dtype.kind == FLOATS and values.shape == (count,), f"{name} {column} is of another size")


def is_count(value: object) -> bool:
    """Whether a value is a whole number from 0 on."""
    return type(value) is int and value >= 0


def is_finite(value: object) -> bool:
    """Whether a value is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def require_that(holds: bool, problem: str) -> None:
    """Refuses what does not hold.

    Raises:
        ValueError: with the problem as its message.
    """
    if not holds:
        raise ValueError(problem)
