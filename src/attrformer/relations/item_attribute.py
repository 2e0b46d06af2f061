"""Item attributes as relations: R_a(i, j) = phi_a(i)^T M_a phi_a(j)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attrformer.dataset.attributes import Attribute
from attrformer.relations.reading import Reading


@dataclass(frozen=True, slots=True, eq=False)
class FeatureRelation:
    """phi_a of every item and the starting diagonal of M_a; M_a itself is learned.

    Args:
        name: of the attribute.
        codes: int64 `[items, m]`, value codes in slots; unused slots hold code 0 with weight 0.
        weights: float32 `[items, m]`, phi_a: each row has norm 1 or 0 (missing value: relates to nothing).
        diagonal: float32 `[values]`, s_a at the start: squared inverse document frequency, scaled to a maximum of 1.
        labels: external value of each code.
        reading: how items that come later are read; None where a model was saved without it.
        from_ids: whether the values are made of the ids of items, so that no column of their table holds them.
    """

    name: str
    codes: NDArray[np.int64]
    weights: NDArray[np.float32]
    diagonal: NDArray[np.float32]
    labels: tuple[str, ...]
    reading: Reading | None = None
    from_ids: bool = False

    def dense(self) -> NDArray[np.float32]:
        """Phi_a, float32 `[items, values]`; for tests and small catalogues."""
        out = np.zeros((len(self.codes), len(self.labels)), dtype=np.float32)
        np.add.at(out, (np.arange(len(self.codes))[:, None], self.codes), self.weights)
        return out

    def row(self, key: int) -> NDArray[np.float32]:
        """R_a(key, j) for every item j before any learning, float32 `[items]`."""
        phi = np.zeros(len(self.labels), dtype=np.float32)
        np.add.at(phi, self.codes[key], self.weights[key])
        out: NDArray[np.float32] = ((phi * self.diagonal)[self.codes] * self.weights).sum(1)
        return out


def item_attribute_relation(attribute: Attribute, *, buckets: int, max_values: int) -> FeatureRelation | None:
    """Turns an item attribute into a relation.

    Args:
        attribute: one row for each item; numbers and times are cut into buckets.
        buckets: most buckets of a number.
        max_values: the commonest values that are kept.

    Returns:
        The relation, or None where no value is shared by two items, so that the attribute relates nothing.
    """
    reading, attribute = Reading.of(attribute, buckets)
    items = len(attribute)
    owner = np.repeat(np.arange(items), np.diff(attribute.offsets))
    frequency = np.bincount(attribute.codes, minlength=len(attribute.vocabulary))
    shared = np.flatnonzero((frequency >= 2) & (frequency < items))
    kept = np.sort(shared[np.argsort(-frequency[shared], kind="stable")[:max_values]])
    if len(kept) == 0:
        return None
    renumber = np.full(len(frequency), -1, dtype=np.int64)
    renumber[kept] = np.arange(len(kept))
    codes = renumber[attribute.codes]
    owner, codes = owner[codes >= 0], codes[codes >= 0]
    idf = np.log(items / frequency[kept])
    code_slots, weights = phi_rows(owner, codes, items)
    diagonal = (idf**2 / (idf**2).max()).astype(np.float32)
    labels = tuple(attribute.vocabulary[code] for code in kept)
    return FeatureRelation(attribute.name, code_slots, weights, diagonal, labels, reading.keeping(kept))


def phi_rows(
    owner: NDArray[np.int64], codes: NDArray[np.int64], items: int, slots: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """phi_a of items in slots.

    Args:
        owner: int64 `[n]`, the item that has each value, ascending.
        codes: int64 `[n]`, the values.
        items: how many items there are.
        slots: least slots of an item.

    Returns:
        int64 codes and float32 weights, both `[items, m]`, as `FeatureRelation` holds them.
    """
    counts = np.bincount(owner, minlength=items)
    width = max(int(counts.max(initial=0)), slots)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    code_slots = np.zeros((items, width), dtype=np.int64)
    weights = np.zeros((items, width), dtype=np.float32)
    code_slots[owner, within] = codes
    weights[owner, within] = 1.0 / np.sqrt(counts[owner])
    return code_slots, weights
