"""From values of owners to the codes, rows and vocabulary of an attribute."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from attrformer.csr import offsets_of
from attrformer.data.attributes import Attribute, AttributeKind

_LARGEST_WHOLE: Final = 2**53

OWNER: Final = "owner"
VALUE: Final = "value"
WEIGHT: Final = "weight"
_CODE: Final = "code"


def coded_attribute(name: str, kind: AttributeKind, values: pl.DataFrame, count: int, separator: str = "") -> Attribute:
    """An attribute whose values are codes.

    Args:
        name: of the attribute.
        kind: how its values were read.
        values: `owner`, `value` (text, not empty) and, for weighted sets, `weight` (float32, above 0), a row for each
            value of each user or item. Weights of a value that an owner has twice are added up.
        count: how many users or items there are.
        separator: what stands between the values of a text, where it was declared.
    """
    vocabulary = _ordered_vocabulary(values[VALUE])
    lookup = pl.DataFrame({VALUE: vocabulary, _CODE: np.arange(len(vocabulary), dtype=np.int32)})
    coded = values.join(lookup, on=VALUE).drop(VALUE)
    weights = np.empty(0, np.float32)
    if WEIGHT in values.columns:
        coded = coded.sort(OWNER, _CODE, WEIGHT).group_by(OWNER, _CODE, maintain_order=True).agg(pl.col(WEIGHT).sum())
        weights = coded[WEIGHT].to_numpy().astype(np.float32)
    else:
        coded = coded.unique().sort(OWNER, _CODE)
    return Attribute(
        name,
        kind,
        offsets_of(np.bincount(coded[OWNER].to_numpy(), minlength=count)),
        coded[_CODE].to_numpy().copy(),
        tuple(vocabulary.to_list()),
        np.empty(0),
        separator,
        weights=weights,
    )


def as_text(values: pl.Series) -> pl.Series:
    """Values as text; a whole number is written alike whether it is stored as an integer or not.

    Args:
        values: the values.

    Raises:
        polars.exceptions.InvalidOperationError: they are lists or mappings.
    """
    if values.dtype.is_nested():
        raise pl.exceptions.InvalidOperationError(f"values of type {values.dtype} are no texts")
    if not values.dtype.is_float():
        return values.cast(pl.String).str.strip_chars()
    values = values.fill_nan(None)
    whole = ((values == values.floor()) & (values.abs() < _LARGEST_WHOLE)).fill_null(False)
    return values.cast(pl.String).zip_with(~whole, values.set(~whole, None).cast(pl.Int64).cast(pl.String))


def _ordered_vocabulary(values: pl.Series) -> pl.Series:
    """Distinct texts in their order as numbers where all are integers, otherwise in the order of their bytes."""
    texts = values.unique().sort()
    numbers = texts.cast(pl.Int64, strict=False)
    return texts if numbers.null_count() else texts.gather(numbers.arg_sort())
