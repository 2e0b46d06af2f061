"""A relation as rows over the catalogue, one block of rows for each fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


class Relation(Protocol):
    """What all explicit relations have in common.

    Attributes:
        name: the name under which strengths and explanations are reported.
    """

    name: str

    def row(self, key: int) -> NDArray[np.float32]:
        """R(key, j) for every item j as inference sees it before any learning, float32 `[items]`."""


@dataclass(frozen=True, slots=True, eq=False)
class RowRelation:
    """R(key, j) for keys (items or attribute values) and every item j.

    Args:
        name: of the relation.
        keys: rows of one fold block.
        folds: blocks of cross-fitting; block `folds` is the one for inference, counted on all training users.
        columns: number of items.
        dense: float32 `[(folds + 1) * keys, columns]`, or None. For inference it may have fewer rows and columns, those
            of the items that were there in training: what has been added since is related to nothing.
        indices: int32 `[(folds + 1) * keys, k]`, columns of the kept entries, ascending, unused places first, or None.
        values: float32, same shape, 0 in unused places, or None.
    """

    name: str
    keys: int
    folds: int
    columns: int
    dense: NDArray[np.float32] | None = None
    indices: NDArray[np.int32] | None = None
    values: NDArray[np.float32] | None = None

    def row(self, key: int, fold: int | None = None) -> NDArray[np.float32]:
        """R(key, j) for every item j, float32 `[columns]`.

        Args:
            key: item or attribute value.
            fold: the fold whose users are left out; None for inference.
        """
        at = (self.folds if fold is None else fold) * self.keys + key
        if self.dense is not None:
            if at >= len(self.dense):
                return np.zeros(self.columns, dtype=np.float32)
            missing = self.columns - self.dense.shape[1]
            whole: NDArray[np.float32] = np.pad(self.dense[at], (0, missing)) if missing else self.dense[at]
            return whole
        assert self.indices is not None and self.values is not None
        out = np.zeros(self.columns, dtype=np.float32)
        np.add.at(out, self.indices[at], self.values[at])
        return out

    def for_inference(self) -> RowRelation:
        """The same relation with the rows for inference only."""
        keep = slice(self.folds * self.keys, None)
        cut = [None if block is None else block[keep] for block in (self.dense, self.indices, self.values)]
        return RowRelation(self.name, self.keys, 0, self.columns, *cut)  # type: ignore[arg-type]


def keep_top(matrix: sparse.csr_array, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k largest entries of each row, columns ascending; ties go to the lower column.

    Args:
        matrix: `[rows, columns]`, non-negative.
        k: entries to keep.

    Returns:
        int32 indices and float32 values, both `[rows, k]`; unused places come first and hold column 0, value 0.
    """
    matrix = sparse.csr_array(matrix)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    place = np.arange(len(order)) - matrix.indptr[rows]
    order, rows = order[place < k], rows[place < k]
    order = order[np.lexsort((matrix.indices[order], rows))]
    counts = np.bincount(rows, minlength=matrix.shape[0])
    # Unused places come first: column 0, value 0 keeps each row sorted.
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts), counts) + k
    indices = np.zeros((matrix.shape[0], k), dtype=np.int32)
    values = np.zeros((matrix.shape[0], k), dtype=np.float32)
    indices[rows, within] = matrix.indices[order]
    values[rows, within] = matrix.data[order]
    return indices, values
