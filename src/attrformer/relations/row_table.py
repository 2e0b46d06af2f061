"""A relation as rows over the catalogue, one block of rows for each fold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import scipy
from numpy.typing import NDArray

from attrformer.csr import positions_in_rows
from attrformer.relations import wording
from attrformer.relations.array_checks import FLOATS, INTEGERS, require_array, require_that
from attrformer.relations.base import Arrays, NewItems, Relation
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.kept_rows import equally_long

if TYPE_CHECKING:
    from typing_extensions import Self

_BLOCKS = ("dense", "indices", "values")

_CELLS = 1 << 20
"""Values of long rows that are looked through at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class RowRelation(Relation):
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
        starts: int64 `[(folds + 1) * keys + 1]`, where the entries of each row begin in `indices` and `values`, which
            have one axis then and no unused places; None: all rows are equally long, as for inference.
    """

    kind: ClassVar[str] = "rows"
    relates_items: ClassVar[bool] = True

    name: str = field()
    keys: int
    folds: int
    columns: int
    dense: NDArray[np.float32] | None = None
    indices: NDArray[np.int32] | None = None
    values: NDArray[np.float32] | None = None
    starts: NDArray[np.int64] | None = None

    @classmethod
    def of_items(cls, name: str, blocks: Iterable[scipy.sparse.csr_array], top_k: int | None, **own: Any) -> Self:
        """A relation between items from what it says for each fold.

        Args:
            name: of the relation.
            blocks: `[items, items]`, non-negative; one for the users of each fold, counted without them, and the last
                one for inference. A single one is for everybody, as it fits what is counted in no interaction.
            top_k: entries kept for each row; None keeps whole rows (`Sources.top_k`).
            own: fields that a class derived from this one adds.
        """
        tables = [block.tocsr().astype(np.float32) for block in blocks]
        items, folds = tables[0].shape[1], len(tables) - 1
        if top_k is None:
            dense = np.concatenate([table.toarray() for table in tables])
            return cls(name, items, folds, items, dense=dense, **own)
        tops = [keep_top(table, top_k) for table in tables]
        indices, values = (np.concatenate(part) for part in zip(*tops, strict=True))
        return cls(name, items, folds, items, indices=indices, values=values, **own)

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
        own = at if self.starts is None else slice(self.starts[at], self.starts[at + 1])
        np.add.at(out, self.indices[own], self.values[own])
        return out

    def entries(self, rows: slice) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Kept entries of some rows, int32 indices and float32 values, both `[n, k]`, unused places first.

        Args:
            rows: of all blocks together.
        """
        assert self.indices is not None and self.values is not None
        if self.starts is None:
            return self.indices[rows], self.values[rows]
        return equally_long(self.starts[:-1][rows], self.starts[1:][rows], self.indices, self.values)

    def values_at(self, keys: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """R(key, item) of each pair for inference, float32 `[n]`."""
        distinct, row = np.unique(keys, return_inverse=True)
        values = np.zeros(len(keys), dtype=np.float32)
        for number, key in enumerate(distinct):
            mine = row.reshape(-1) == number
            values[mine] = self.row(int(key))[items[mine]]
        return values

    def for_inference(self) -> Self:
        """The same relation with the rows for inference only."""
        first = slice(self.folds * self.keys, None)
        if self.dense is not None or self.indices is None:
            return replace(self, folds=0, dense=None if self.dense is None else self.dense[first])
        indices, values = self.entries(first)
        return replace(self, folds=0, indices=indices, values=values, starts=None)

    def with_items(self, new: NewItems) -> Self:
        """New items, as keys and as columns, are related to nothing; whole rows stay as narrow as they are."""
        more: list[tuple[int, int]] = [(0, len(new)), (0, 0)]
        return replace(
            self,
            keys=self.keys + len(new),
            columns=self.columns + len(new),
            indices=None if self.indices is None else np.pad(self.indices, more),
            values=None if self.values is None else np.pad(self.values, more),
        )

    def with_neutral_columns(self, count: int) -> Self:
        """Lifts with items that have 1 in every row; a row that says nothing, of a missing value, stays so.

        Args:
            count: new items.
        """
        assert self.dense is not None
        says = self.dense.any(axis=1, keepdims=True).astype(np.float32)
        return replace(self, columns=self.columns + count, dense=np.hstack([self.dense, says.repeat(count, axis=1)]))

    def likeness(self, key: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
        """Read from the entries of a row where the catalogue is large. See `Relation.likeness`."""
        if self.indices is None or self.values is None:
            return Relation.likeness(self, key, others)
        at = self.folds * self.keys + key
        named, place = np.unique(self.indices[at], return_inverse=True)
        values = np.bincount(place.reshape(-1), self.values[at])
        largest = float(values[named != key].max(initial=0.0))
        if largest <= 0:
            return np.zeros(len(others))
        found = np.minimum(np.searchsorted(named, others), len(named) - 1)
        return np.where(named[found] == others, np.minimum(values[found] / largest, 1.0), 0.0)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `Relation.to_arrays`."""
        arrays = {name: block for name in _BLOCKS if (block := getattr(self, name)) is not None}
        return arrays, {"keys": self.keys, "columns": self.columns}

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> Self:
        """See `Relation.from_arrays`."""
        blocks = {part: arrays.get(part) for part in _BLOCKS}
        return cls(name, described["keys"], 0, described["columns"], **blocks, **cls.own_fields(described))

    @classmethod
    def own_fields(cls, described: dict[str, Any]) -> dict[str, Any]:
        """Fields that a class derived from this one adds, as they are stored.

        Args:
            described: as `to_arrays` gives it.
        """
        return {}

    def check(self, items: int, users: int) -> None:
        """See `Relation.check`."""
        self.check_rows(items, items)

    def check_rows(self, keys: int, items: int) -> None:
        """Looks through rows that were read from files.

        Args:
            keys: that there must be.
            items: size of the catalogue.

        Raises:
            ValueError: they are of another size, or hold what they must not.
        """
        name = self.name
        require_that(self.keys == keys and self.columns == items, f"'{name}' is of another size than the catalogue")
        if self.dense is not None:
            require_that(self.indices is None and self.values is None, f"'{name}' is there in two forms")
            require_array(f"rows of '{name}'", self.dense, FLOATS, (-1, -1))
            # Rows between items may be as many as there were before items were added.
            grown = keys == items and self.dense.shape[0] == self.dense.shape[1] <= items
            require_that(grown or self.dense.shape == (keys, items), f"rows of '{name}': the size is another one")
            return
        if self.indices is None or self.values is None:
            raise ValueError(f"'{name}' lacks its rows")
        require_array(f"columns of '{name}'", self.indices, INTEGERS, (keys, -1), least=0, most=items - 1)
        require_array(f"values of '{name}'", self.values, FLOATS, self.indices.shape)

    def reason(self, title: str) -> str:
        """The sentence that explains an answer by an item of the history.

        Args:
            title: of the item of the history.
        """
        return wording.goes_with(title)

    def attributions(self, question: Question) -> list[Attribution]:
        """The item of the history that counts most, with the sentence of `reason`."""
        return [Attribution(item, reason=self.reason(question.title(item))) for item in question.strongest.tolist()]


def keep_top(matrix: scipy.sparse.csr_array, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k largest entries of each row, columns ascending; ties go to the lower column.

    Args:
        matrix: `[rows, columns]`, non-negative.
        k: entries to keep.

    Returns:
        int32 indices and float32 values, both `[rows, k]`; unused places come first and hold column 0, value 0.
    """
    matrix = scipy.sparse.csr_array(matrix)
    matrix = matrix if matrix.has_sorted_indices else matrix.sorted_indices()
    lengths = np.diff(matrix.indptr).astype(np.int64)
    kept = _k_largest(matrix.data, matrix.indptr, k)
    counts = np.minimum(lengths, k)
    # Unused places come first: column 0, value 0 keeps each row sorted.
    places = np.repeat(np.arange(1, len(lengths) + 1) * k - counts, counts) + positions_in_rows(counts)
    indices = np.zeros((len(lengths), k), dtype=np.int32)
    values = np.zeros((len(lengths), k), dtype=np.float32)
    indices.reshape(-1)[places] = matrix.indices[kept]
    values.reshape(-1)[places] = matrix.data[kept]
    return indices, values


def _k_largest(values: NDArray[Any], bounds: NDArray[np.integer], k: int) -> NDArray[np.bool_]:
    """Which values are the k largest of their row, the first of equal ones; `bounds` cuts the values into rows."""
    lengths = np.diff(bounds).astype(np.int64)
    least = np.full(len(lengths), -np.inf, dtype=values.dtype)
    long = np.flatnonzero(lengths > k)
    if not len(long):
        return np.ones(len(values), dtype=np.bool_)
    for some in np.array_split(long, 1 + lengths.max(initial=0) * len(long) // _CELLS):
        if len(some):
            least[some] = _kth_largest(values, bounds[some], lengths[some], k)
    # Sorting whole rows would take most of the time of counting where rows are long.
    lowest = np.repeat(least, lengths)
    larger, equal = values > lowest, values == lowest
    free = np.where(lengths > k, k - _sums(larger, bounds), 0)
    before = np.concatenate([[0], np.cumsum(equal)])
    rank = before[1:] - np.repeat(before[bounds[:-1]], lengths)
    kept: NDArray[np.bool_] = larger | (equal & (rank <= np.repeat(free, lengths)))
    return kept


def _kth_largest(values: NDArray[Any], starts: NDArray[np.integer], lengths: NDArray[np.int64], k: int) -> NDArray[Any]:
    """The k-th largest value of some rows, each of more than k."""
    table = np.full((len(lengths), int(lengths.max())), -np.inf, dtype=values.dtype)
    row, column = np.repeat(np.arange(len(lengths)), lengths), positions_in_rows(lengths)
    table[row, column] = values[np.repeat(starts, lengths) + column]
    table.partition(table.shape[1] - k, axis=1)
    return table[:, -k]


def _sums(chosen: NDArray[np.bool_], bounds: NDArray[np.integer]) -> NDArray[np.int64]:
    """How many values of each row are chosen."""
    before = np.concatenate([[0], np.cumsum(chosen)])
    found: NDArray[np.int64] = before[bounds[1:]] - before[bounds[:-1]]
    return found
