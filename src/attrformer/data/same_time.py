"""Interactions of one user at the same time: what order they have, and an order that says nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.dataset import Dataset
from attrformer.errors import DataError

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


def shuffle_same_time(dataset: Dataset) -> Dataset:
    """Puts each user's interactions of the same time into an arbitrary order; all others stay where they are.

    Logs without a time of day list what was taken on one day in some order of the file, by item id for instance. A
    model can learn that order, and be right about the next item of a test without knowing anything of people. What is
    left once the order is arbitrary is what the model knows of them. The order depends on the codes of user and item
    alone: it is the same however often it is asked for and whatever order the data came in.

    Args:
        dataset: data with times.

    Returns:
        The same interactions, with a note on how many have another place now.

    Raises:
        DataError: the data have no times.
    """
    sequences = dataset.sequences
    if sequences.times is None:
        raise DataError(
            "same_time is shuffled, but the interactions have no times",
            fix="Give a column timestamp, or leave data.same_time as given",
            source=dataset.name,
        )
    users = sequences.row_of_position()
    order = np.lexsort((_mixed(users, sequences.items), sequences.times, users))
    moved = int((order != np.arange(len(order))).sum())
    note = f"{dataset.name}: {moved:,} of {len(order):,} interactions changed places with others of the same time"
    return replace(
        dataset,
        sequences=sequences.select(order, sequences.offsets),
        notes=(*dataset.notes, note) if moved else dataset.notes,
    )


def _mixed(users: NDArray[np.int64], items: NDArray[np.int32]) -> NDArray[np.uint64]:
    """A number for each pair of codes that looks random (the finalizer of SplitMix64)."""
    mixed = (users.astype(np.uint64) << np.uint64(32)) + items.astype(np.uint64) + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
