"""What is given to the methods of a model, checked before anything is done with it; without torch."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, Final

import numpy as np
import polars as pl

from attrformer.data.dataset import Dataset
from attrformer.data.splits import Split
from attrformer.data.times import read_times
from attrformer.errors import ConfigurationError, DataError
from attrformer.paths import shown

LATEST_TIME: Final = 253_402_300_799
"""Seconds since 1970 at the end of the year 9999."""


def whole_number(value: Any, name: str) -> int:
    """A count, 1 or more.

    Raises:
        ConfigurationError: it is no whole number, or below 1.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise ConfigurationError(f"{name} is {shown(value)}. Give a whole number, 1 or more.")
    if value < 1:
        raise ConfigurationError(f"{name} is {value}. Give 1 or more.")
    return int(value)


def point_in_time(value: Any, name: str) -> int:
    """A time in whole seconds since 1970.

    Args:
        value: seconds, a datetime (UTC where it has no zone), or ISO 8601 text.
        name: of the argument, for the error.

    Raises:
        ConfigurationError: it is something else.
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_)):
        if abs(int(value)) <= LATEST_TIME:
            return int(value)
    elif isinstance(value, datetime):
        return math.floor((value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp())
    elif isinstance(value, str):
        with suppress(DataError):
            return int(read_times(pl.Series(name, [value]), source=name)[0][0])
    raise ConfigurationError(
        f"{name} is {shown(value)}. Give whole seconds since 1970, a datetime, or text such as '2026-01-31T12:00:00'."
    )


def truth_value(value: Any, name: str) -> bool:
    """True or False.

    Raises:
        ConfigurationError: it is something else, such as a text, which would count as true.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ConfigurationError(f"{name} is {shown(value)}. Give True or False.")
    return bool(value)


def check_data(dataset: Any, split: Any) -> None:
    """Refuses what is no dataset, and what is no split of one.

    Raises:
        DataError: the data are something else.
        ConfigurationError: the split is something else.
    """
    if not isinstance(dataset, Dataset):
        fix = "Make a dataset of tables, Dataset.from_frames(interactions, items, users)"
        if isinstance(dataset, (str, os.PathLike)):
            fix = f"Load the folder: Dataset.load({str(dataset)!r})"
        raise DataError(f"dataset is {shown(dataset)}, no Dataset", fix=fix)
    if split is not None and not isinstance(split, Split):
        raise ConfigurationError(
            f"split is {shown(split)}. Give a split of the dataset, such as leave_one_out(dataset), or set data.split "
            "in the options."
        )
