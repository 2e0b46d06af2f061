"""From the columns of an items or users table to attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.dataset.attributes import Attribute, AttributeKind
from attrformer.dataset.tables import Table, number_column
from attrformer.dataset.times import read_times

MULTI_SEPARATOR: Final = "|"

_FEW_INTEGERS: Final = 50
_FREE_TEXT_SHARE: Final = 0.5
_FREE_TEXT_LEAST: Final = 20
_SEPARATED_SHARE: Final = 0.05


def attributes_of(
    table: Table, names: list[str], codes: NDArray[np.int32], count: int, kinds: Mapping[str, AttributeKind]
) -> tuple[dict[str, Attribute], list[str]]:
    """The attributes that a table holds, and sentences that say how it was read.

    Args:
        table: one row for each user or item.
        names: the columns to read, in order.
        codes: int32 `[rows]`, the user or item of each row; -1 where it is unknown and the row is not used.
        count: how many users or items there are.
        kinds: declared kinds by column; the others are inferred, and only those can be skipped.

    Raises:
        DataError: a value does not fit the kind of its column.
    """
    found: dict[str, Attribute] = {}
    notes: list[str] = []
    used = pl.Series(codes >= 0)
    for name in names:
        values = table.frame[name].filter(used)
        kind: AttributeKind | str = kinds.get(name) or infer_kind(values)
        attribute = None
        if isinstance(kind, AttributeKind):
            attribute = attribute_from_column(table, name, kind, codes, count)
            if name not in kinds and _is_constant(attribute, values):
                kind = "its value is the same everywhere"
        if attribute is None or not isinstance(kind, AttributeKind):
            notes.append(f"{table.label}: column '{name}' is not used, {kind}")
            continue
        found[name] = attribute
        if name not in kinds:
            size = f" with {len(attribute.vocabulary):,} values" if attribute.vocabulary else ""
            notes.append(f"{table.label}: column '{name}' is read as {kind.value}{size}")
    return found, notes


def infer_kind(values: pl.Series) -> AttributeKind | str:
    """The kind of a column's values, or the reason why they are no attribute.

    Args:
        values: the column, `[rows]`.
    """
    dtype, known = values.dtype, values.drop_nulls()
    if known.is_empty():
        return "it is empty"
    if isinstance(dtype, (pl.List, pl.Array)):
        inner = dtype.inner
        listable = inner in (pl.String, pl.Boolean) or isinstance(inner, (pl.Categorical, pl.Enum))
        return AttributeKind.MULTI if listable or inner.is_integer() else f"lists of {inner} are not supported"
    if dtype.is_temporal():
        return AttributeKind.TIME if dtype in (pl.Date, pl.Datetime) else f"values of type {dtype} are not supported"
    if dtype.is_float() or dtype.is_decimal():
        return AttributeKind.NUMERIC
    if dtype.is_integer():
        few = known.n_unique() <= min(_FEW_INTEGERS, len(known) / 2)
        return AttributeKind.CATEGORICAL if few else AttributeKind.NUMERIC
    if dtype == pl.Boolean:
        return AttributeKind.CATEGORICAL
    if dtype == pl.String or isinstance(dtype, (pl.Categorical, pl.Enum)):
        return _kind_of_text(known.cast(pl.String))
    return f"values of type {dtype} are not supported"


def attribute_from_column(
    table: Table, name: str, kind: AttributeKind, codes: NDArray[np.int32], count: int
) -> Attribute:
    """One attribute of a declared or inferred kind; arguments as `attributes_of`.

    Raises:
        DataError: a value does not fit the kind.
    """
    used = codes >= 0
    if kind in (AttributeKind.NUMERIC, AttributeKind.TIME):
        if kind is AttributeKind.TIME:
            numbers = read_times(table.frame[name], source=table.source, missing=True)[0]
        else:
            numbers = number_column(table, name).fill_null(float("nan")).to_numpy()
        placed = np.full(count, np.nan)
        placed[codes[used]] = numbers[used]
        return Attribute(name, kind, np.zeros(count + 1, np.int64), np.empty(0, np.int32), (), placed)
    pairs = _owner_value_pairs(table.frame[name], kind, codes)
    vocabulary = _ordered_vocabulary(pairs["value"])
    lookup = pl.DataFrame({"value": vocabulary, "code": np.arange(len(vocabulary), dtype=np.int32)})
    coded = pairs.join(lookup, on="value").select("owner", "code").unique().sort("owner", "code")
    lengths = np.bincount(coded["owner"].to_numpy(), minlength=count)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Attribute(name, kind, offsets, coded["code"].to_numpy().copy(), tuple(vocabulary.to_list()), np.empty(0))


def _kind_of_text(known: pl.Series) -> AttributeKind | str:
    if known.str.contains(MULTI_SEPARATOR, literal=True).sum() > _SEPARATED_SHARE * len(known):
        return AttributeKind.MULTI
    distinct = known.n_unique()
    if distinct > max(_FREE_TEXT_SHARE * len(known), _FREE_TEXT_LEAST):
        return (
            f"{distinct:,} different texts in {len(known):,} rows look like free text or ids (declare a kind to use it)"
        )
    return AttributeKind.CATEGORICAL


def _owner_value_pairs(values: pl.Series, kind: AttributeKind, codes: NDArray[np.int32]) -> pl.DataFrame:
    if isinstance(values.dtype, pl.Array):
        values = values.arr.to_list()
    if kind is AttributeKind.MULTI and values.dtype == pl.String:
        values = values.str.split(MULTI_SEPARATOR)
    frame = pl.DataFrame({"owner": pl.Series(codes).cast(pl.Int64), "value": values}).filter(pl.col("owner") >= 0)
    if isinstance(values.dtype, pl.List):
        frame = frame.explode("value")
    return frame.with_columns(pl.col("value").cast(pl.String)).filter(pl.col("value").str.len_bytes() > 0)


def _ordered_vocabulary(values: pl.Series) -> pl.Series:
    """Distinct texts in their order as numbers where all are integers, otherwise in the order of their bytes."""
    texts = values.unique().sort()
    numbers = texts.cast(pl.Int64, strict=False)
    return texts if numbers.null_count() else texts.gather(numbers.arg_sort())


def _is_constant(attribute: Attribute, values: pl.Series) -> bool:
    if values.null_count() or len(values) < 2:
        return False
    if attribute.kind in (AttributeKind.NUMERIC, AttributeKind.TIME):
        return values.n_unique() == 1
    return len(attribute.vocabulary) == 0 or (len(attribute.vocabulary) == 1 and len(attribute.codes) == len(values))
