"""Whether two trainings read the same data."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.dataset import Dataset
from attrformer.data.splits import Split


def fingerprint(dataset: Dataset, split: Split) -> str:
    """A short text that differs where anything differs that training reads.

    Args:
        dataset: the data.
        split: what is trained on and asked for.
    """
    digest = hashlib.sha256()
    for ids in (dataset.user_ids, dataset.item_ids):
        digest.update(repr((len(ids), str(ids.values.dtype))).encode())
        digest.update("\n".join(ids.values.cast(pl.String)).encode())
    arrays: list[NDArray[Any]] = [
        split.train.offsets,
        split.train.items,
        split.validation.users,
        split.validation.items,
    ]
    arrays += [] if split.train.times is None else [split.train.times]
    arrays += split.train.behaviours.values()
    arrays += [changing.times for changing in dataset.item_changes.values()]
    tables = (dataset.item_attributes, dataset.user_attributes, dataset.item_changes)
    for attribute in (attribute for table in tables for attribute in table.values()):
        digest.update(repr((attribute.name, attribute.kind.value, attribute.vocabulary)).encode())
        arrays += [attribute.offsets, attribute.codes, attribute.numbers]
    for each in (*dataset.item_attributes.values(), *dataset.user_attributes.values()):
        digest.update("\n".join(each.texts).encode())
        arrays += [each.weights, each.vectors]
    for name, edges in dataset.item_relations.items():
        digest.update(name.encode())
        arrays += [edges.source, edges.target, edges.weight]
    digest.update(split.train.meaning.digest())
    for array in arrays:
        # By the bytes where they are: those of a long log are not to be copied.
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
