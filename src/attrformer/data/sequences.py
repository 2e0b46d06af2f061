"""Time-ordered histories of many users in compressed rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrformer.columns import TIMESTAMP
from attrformer.csr import offsets_of


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """One row of interactions for each user, oldest first.

    Args:
        offsets: int64 `[n + 1]`, row r owns positions `offsets[r]:offsets[r + 1]`.
        items: int32 `[m]`, item codes.
        times: int64 `[m]`, seconds since 1970, or None where the data have no times.
        behaviours: float32 `[m]` for each behaviour attribute (rating, weight), NaN where missing.
    """

    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    times: NDArray[np.int64] | None = None
    behaviours: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __repr__(self) -> str:
        known = "".join(f", {name}" for name in self.columns)
        return f"Sequences({len(self):,} rows, {len(self.items):,} interactions{known})"

    @property
    def columns(self) -> list[str]:
        """What is known of each interaction besides its item."""
        return [*([] if self.times is None else [TIMESTAMP]), *self.behaviours]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Interactions in each row, int64 `[n]`."""
        return np.diff(self.offsets)

    def lengths_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Interactions in some rows, int64, without a look at the others."""
        found: NDArray[np.int64] = self.offsets[rows + 1] - self.offsets[rows]
        return found

    def row(self, index: int) -> NDArray[np.int32]:
        """Item codes of one row."""
        return self.items[self.offsets[index] : self.offsets[index + 1]]

    def row_of_position(self) -> NDArray[np.int64]:
        """The row that owns each position, int64 `[m]`."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def select(self, positions: NDArray[np.int64], offsets: NDArray[np.int64]) -> Sequences:
        """New rows made of the given positions; `offsets` cut `positions` into rows."""
        return Sequences(
            offsets=offsets.astype(np.int64),
            items=self.items[positions],
            times=None if self.times is None else self.times[positions],
            behaviours={name: values[positions] for name, values in self.behaviours.items()},
        )

    def slices(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> Sequences:
        """One new row for each half-open range `starts[k]:stops[k]` of absolute positions."""
        lengths = np.maximum(stops - starts, 0)
        offsets = offsets_of(lengths)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return self.select(np.repeat(starts, lengths) + within, offsets)

    def rows(self, rows: NDArray[np.int64]) -> Sequences:
        """The given rows, in their order."""
        return self.slices(self.offsets[rows], self.offsets[rows + 1])

    def tail(self, length: int) -> Sequences:
        """The last `length` interactions of each row; the same rows where none is longer."""
        if self.lengths.max(initial=0) <= length:
            return self
        stops = self.offsets[1:]
        return self.slices(np.maximum(self.offsets[:-1], stops - length), stops)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Its arrays by name, for files."""
        arrays: dict[str, NDArray[Any]] = {"offsets": self.offsets, "items": self.items}
        if self.times is not None:
            arrays["times"] = self.times
        return arrays | {f"behaviours/{name}": values for name, values in self.behaviours.items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], prefix: str = "") -> Sequences:
        """The inverse of `to_arrays`.

        Args:
            arrays: by name, others among them.
            prefix: what the names begin with.

        Raises:
            KeyError: an array is missing.
        """
        own = f"{prefix}behaviours/"
        behaviours = {name.removeprefix(own): values for name, values in arrays.items() if name.startswith(own)}
        return cls(arrays[f"{prefix}offsets"], arrays[f"{prefix}items"], arrays.get(f"{prefix}times"), behaviours)
