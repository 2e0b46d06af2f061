"""What a table of items or users says about ids that are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import ITEM, TITLE
from attrformer.data.attribute_columns import attributes_of
from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.id_columns import nearly_known
from attrformer.data.id_map import IdMap
from attrformer.data.tables import Table, id_column, require_columns, require_distinct, rows_outside
from attrformer.errors import DataError


class About(NamedTuple):
    """What an items or users table says about known ids."""

    attributes: dict[str, Attribute]
    titles: tuple[str, ...] | None
    notes: list[str]


def describe(
    table: Table | None,
    key: str,
    ids: IdMap,
    kinds: Mapping[str, AttributeKind | None],
    separators: Mapping[str, str],
    unknown: str,
) -> About:
    """The attributes, titles and notes of a table of items or users.

    Args:
        table: None where there is none.
        key: its column of ids.
        ids: those that are known.
        kinds: declared kinds by column; None for columns to be ignored.
        separators: between the values of a text, by column.
        unknown: what a row about another id is, as `TableOptions` has it.

    Raises:
        DataError: the table cannot be used as it is.
    """
    if table is None:
        return About({}, None, [])
    require_columns(table, (key,))
    external = id_column(table, key)
    require_distinct(table, external)
    codes = ids.encode(external)
    notes = rows_outside(table, key, external, codes < 0, unknown)
    near = nearly_known(ids.values, external, codes < 0)
    notes += [] if near is None else [f"{table.label}: {near}"]
    if len(codes) and (codes < 0).all():
        raise DataError(
            f"no row is about an id of the interactions (here e.g. '{external[0]}', there '{ids.values[0]}')"
            + ("" if near is None else f"; {near}"),
            fix="Write ids in the same way in both tables" if near else "Use the same ids in both tables",
            source=table.source,
            column=key,
            row=0,
        )
    bare = len(ids) - int((codes >= 0).sum())
    if bare:
        notes.append(f"{table.label}: {bare:,} of {len(ids):,} ids have no row, their attributes are missing")
    titles = None
    if key == ITEM and TITLE in table.frame.columns:
        titles = _titles(table, ids, codes)
    # A title is an attribute only where it is declared to be read as text.
    names = [name for name in table.frame.columns if name != key and (key != ITEM or name != TITLE or name in kinds)]
    attributes, readings = attributes_of(table, names, codes, len(ids), kinds, separators)
    return About(attributes, titles, notes + readings)


def _titles(table: Table, ids: IdMap, codes: NDArray[np.int32]) -> tuple[str, ...]:
    values = table.frame[TITLE]
    try:
        known = values.cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"values of type {values.dtype} cannot be titles",
            fix="Use text, or rename the column",
            source=table.source,
            column=TITLE,
        ) from error
    texts = pl.DataFrame({"code": codes, "title": known.set(known == "", None)}).filter(pl.col("code") >= 0)
    own = pl.DataFrame({"code": np.arange(len(ids), dtype=np.int32), "id": ids.values.cast(pl.String)})
    joined = own.join(texts, on="code", how="left", maintain_order="left")
    return tuple(joined.select(pl.coalesce("title", "id")).to_series().to_list())
