"""Candidates and exclusions, for everybody or for each user."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, USER
from attrformer.csr import offsets_of
from attrformer.data.id_map import IdMap
from attrformer.data.tables import id_column, open_table, require_columns
from attrformer.errors import DataError
from attrformer.recommender.choice import ItemLists
from attrformer.recommender.unknown import CATALOGUE, OnUnknown, id_series

Codes = NDArray[np.int64]


def is_for_each(given: Any) -> bool:
    """Whether items are given for each user: by a mapping, a table with a column of users, or a file."""
    # The columns of a table of Arrow are arrays.
    columns = getattr(given, "column_names", getattr(given, "columns", ()))
    return isinstance(given, (Mapping, Path)) or USER in list(columns)


def own_lists(ids: IdMap, names: pl.Series, given: Any, what: str, unknown: OnUnknown) -> ItemLists:
    """Items for each user of a request; what is said of others is left alone.

    Args:
        ids: the catalogue.
        names: users of the request, `[n]`.
        given: a mapping of user id to item ids, or a table with `user_id` and `item_id`.
        what: the argument, for errors.
        unknown: what becomes of items that the model does not know.

    Raises:
        DataError: it cannot be read.
        UnknownIdError: an item is unknown and `unknown` says so.
    """
    users, items = _pairs(given, what) if isinstance(given, Mapping) else _columns(given, what)
    rows = {name: row for row, name in enumerate(names.cast(pl.String).to_list())}
    mentioned = [rows.get(name, -1) for name in _texts(given, users)]
    named = np.zeros(len(names), dtype=bool)
    named[[row for row in mentioned if row >= 0]] = True
    owner = np.array([rows.get(name, -1) for name in users.cast(pl.String).to_list()], dtype=np.int64)
    kept = np.flatnonzero(owner >= 0)
    codes = unknown.known(ids, items.gather(kept), what, CATALOGUE)
    owner, codes = owner[kept][codes >= 0], codes[codes >= 0]
    order = np.argsort(owner, kind="stable")
    return ItemLists(offsets_of(np.bincount(owner, minlength=len(names))), codes[order], named)


def _texts(given: Any, users: pl.Series) -> list[str]:
    """Everybody who is named, also those with an empty list."""
    if isinstance(given, Mapping):
        return [str(name) for name in given]
    return users.unique().cast(pl.String).to_list()


def _pairs(given: Mapping[Any, Any], what: str) -> tuple[pl.Series, pl.Series]:
    users, items = list[str](), list[Any]()
    for name, listed in given.items():
        if isinstance(listed, (str, bytes, Mapping)) or not hasattr(listed, "__iter__"):
            raise DataError(
                f"the items of '{name}' are {listed!r}, no list of item ids",
                fix="Give a list of item ids for each user",
                source=what,
            )
        mine = list(listed.tolist() if hasattr(listed, "tolist") else listed)
        users += [str(name)] * len(mine)
        items += mine
    return pl.Series(USER, users, dtype=pl.String), id_series(items, what)


def _columns(given: Any, what: str) -> tuple[pl.Series, pl.Series]:
    table = open_table(given, what, {}, mapped_by=())
    require_columns(table, (USER, ITEM))
    return id_column(table, USER), id_column(table, ITEM)
