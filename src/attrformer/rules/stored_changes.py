"""Changes of attribute values as arrays of a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attributes import AttributeKind
from attrformer.data.changing_attributes import ChangingAttribute

PARTS: Final = ("change_offsets", "change_times", "change_values")
"""Names of the arrays."""


def parts_of(each: ChangingAttribute) -> dict[str, NDArray[Any]]:
    """The arrays that hold changes, by name."""
    values = each.numbers if each.kind is AttributeKind.NUMERIC else each.codes
    return dict(zip(PARTS, (each.offsets, each.times, values), strict=True))


def changing_of(
    name: str, kind: AttributeKind, vocabulary: tuple[str, ...], parts: Mapping[str, NDArray[Any]]
) -> ChangingAttribute:
    """The inverse of `parts_of`.

    Args:
        name: of the column.
        kind: categorical or numeric.
        vocabulary: the external value of each code.
        parts: arrays by name.
    """
    offsets, times, values = (parts[part] for part in PARTS)
    if kind is AttributeKind.NUMERIC:
        return ChangingAttribute(name, kind, offsets, times, np.empty(0, np.int32), (), values)
    return ChangingAttribute(name, kind, offsets, times, values, vocabulary, np.empty(0))


def is_sound(each: ChangingAttribute, n_items: int) -> bool:
    """Whether changes that were read from files can be those of so many items.

    Args:
        each: the changes.
        n_items: size of the catalogue.
    """
    numeric = each.kind is AttributeKind.NUMERIC
    values = each.numbers if numeric else each.codes
    sound = each.kind in (AttributeKind.NUMERIC, AttributeKind.CATEGORICAL)
    sound = sound and each.times.dtype == np.int64 and each.times.ndim == 1 and values.shape == each.times.shape
    sound = sound and values.dtype == (np.float64 if numeric else np.int32)
    sound = sound and each.offsets.dtype == np.int64 and each.offsets.shape == (n_items + 1,)
    sound = sound and each.offsets[0] == 0 and each.offsets[-1] == len(each.times)
    if not sound or not bool((np.diff(each.offsets) >= 0).all()):
        return False
    within = np.diff(each.items) == 0
    ascending = bool((each.times[1:] > each.times[:-1])[within].all())
    least, most = each.codes.min(initial=0), each.codes.max(initial=-1)
    return ascending and (numeric or (least >= -1 and most < len(each.vocabulary)))
