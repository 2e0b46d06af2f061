"""Time-ordered histories of many users in compressed rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.columns import TIMESTAMP
from attrformer.csr import offsets_of
from attrformer.data.mapped import BLOCK, room_like
from attrformer.data.meaning import Condition, Meaning
from attrformer.errors import DataError

_ITEMS: Final = "items"
_OWN: Final = "own "

OTHER_EVENTS: Final = 1 / 1024
"""How much an event that is not predicted counts for how popular an item is: it decides between equals alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """One row of interactions for each user, oldest first.

    Args:
        offsets: int64 `[n + 1]`, row r owns positions `offsets[r]:offsets[r + 1]`.
        items: int32 `[m]`, item codes.
        times: int64 `[m]`, seconds since 1970, or None where the data have no times.
        behaviours: float32 `[m]` for each behaviour attribute (rating, weight), NaN where missing; codes where its
            values are categories.
        meaning: the values of categories, and which interactions count, count against an item, or are predicted.
    """

    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    times: NDArray[np.int64] | None = None
    behaviours: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    meaning: Meaning = field(default_factory=Meaning)

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
        blocks = (positions[start : start + BLOCK] for start in range(0, len(positions), BLOCK))
        return self._gathered(blocks, offsets.astype(np.int64))

    def _gathered(self, blocks: Iterable[NDArray[np.int64]], offsets: NDArray[np.int64]) -> Sequences:
        """New rows made of the positions in all blocks, one block at a time."""
        made = {name: room_like(values, int(offsets[-1])) for name, values in self._columns().items()}
        start = 0
        for positions in blocks:
            for name, values in self._columns().items():
                made[name][start : start + len(positions)] = values[positions]
            start += len(positions)
        items, times = made.pop(_ITEMS), made.pop(TIMESTAMP, None)
        return Sequences(
            offsets, items, times, {name.removeprefix(_OWN): values for name, values in made.items()}, self.meaning
        )

    def _columns(self) -> dict[str, NDArray[Any]]:
        times = {} if self.times is None else {TIMESTAMP: self.times}
        return {_ITEMS: self.items, **times, **{f"{_OWN}{name}": values for name, values in self.behaviours.items()}}

    def slices(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> Sequences:
        """One new row for each half-open range `starts[k]:stops[k]` of absolute positions."""
        offsets = offsets_of(np.maximum(stops - starts, 0))
        # Blocks of whole rows, so that the positions of a long log are never all in memory.
        cuts = np.unique(np.searchsorted(offsets, np.arange(0, offsets[-1] + BLOCK, BLOCK)).clip(max=len(starts)))
        blocks = (
            np.repeat(starts[first:last] - offsets[first:last], np.diff(offsets[first : last + 1]))
            + np.arange(offsets[first], offsets[last])
            for first, last in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)
        )
        return self._gathered(blocks, offsets)

    def rows(self, rows: NDArray[np.int64]) -> Sequences:
        """The given rows, in their order; the same object where these are all of them."""
        if len(rows) == len(self) and np.array_equal(rows, np.arange(len(self))):
            return self
        return self.slices(self.offsets[rows], self.offsets[rows + 1])

    def tail(self, length: int) -> Sequences:
        """The last `length` interactions of each row; the same rows where none is longer."""
        if self.lengths.max(initial=0) <= length:
            return self
        stops = self.offsets[1:]
        return self.slices(np.maximum(self.offsets[:-1], stops - length), stops)

    @property
    def negative(self) -> NDArray[np.bool_] | None:
        """Which interactions count against their item, `[m]`; None where nothing says so."""
        return self._holding(self.meaning.negative)

    @property
    def targets(self) -> NDArray[np.bool_] | None:
        """Which interactions are to be predicted, `[m]`; None: all of them."""
        chosen, negative = self._holding(self.meaning.targets), self.negative
        if chosen is None:
            return None if negative is None else ~negative
        return chosen if negative is None else chosen & ~negative

    @property
    def seen(self) -> NDArray[np.bool_] | None:
        """Which interactions make their item one that is not recommended again, `[m]`; None: all of them.

        These are the events that are predicted, those that count against the item, and those of which nobody knows.
        """
        condition = self.meaning.targets
        chosen = self._holding(condition)
        if condition is None or chosen is None:
            return None
        chosen = chosen | np.isnan(self.behaviours[condition.column])
        return chosen if self.negative is None else chosen | self.negative

    def seen_items(self, row: int) -> NDArray[np.int32]:
        """Item codes of one row that are not recommended again."""
        own = self.rows(np.array([row]))
        return own.items if own.seen is None else own.items[own.seen]

    @property
    def weights(self) -> NDArray[np.float32] | None:
        """How much each interaction counts where it is predicted, `[m]`; None: 1 each. What is not known counts 1."""
        column = self.meaning.weight
        if column is None or column not in self.behaviours:
            return None
        return np.nan_to_num(self.behaviours[column], nan=1.0)

    @property
    def counting(self) -> NDArray[np.float32] | None:
        """How much each interaction counts where relations are counted, `[m]`: 0 where it counts against its item.

        None: 1 each.
        """
        weights, negative = self.weights, self.negative
        if negative is None:
            return weights
        return np.where(negative, np.float32(0.0), np.float32(1.0) if weights is None else weights)

    def popularity(self, items: int) -> NDArray[np.float32]:
        """How often each item was had, float32 `[items]`: events that are predicted, by their weights.

        Args:
            items: size of the catalogue.
        """
        counting, targets = self.counting, self.targets
        if targets is not None:
            one = np.float32(1.0) if counting is None else counting
            counting = np.where(targets, one, one * np.float32(OTHER_EVENTS))
        found = np.zeros(items)
        for start in range(0, len(self.items), BLOCK):
            block = slice(start, start + BLOCK)
            found += np.bincount(self.items[block], None if counting is None else counting[block], minlength=items)
        return found.astype(np.float32)

    def _holding(self, condition: Condition | None) -> NDArray[np.bool_] | None:
        if condition is None or condition.column not in self.behaviours:
            return None
        column = condition.column
        return condition.holds(self.behaviours[column], self.meaning.values.get(column))

    def understood(self, meaning: Meaning, source: str | None = None) -> Sequences:
        """The same interactions as another table has them: its meaning, and codes of its values.

        Args:
            meaning: of the other one.
            source: what the error calls these; None: values that are not among the others are missing.

        Raises:
            DataError: a value is not among those of the other one.
        """
        if meaning == self.meaning:
            return self
        behaviours = dict(self.behaviours)
        for column, labels in meaning.values.items():
            own = self.meaning.values.get(column)
            if column in behaviours and own != labels:
                behaviours[column] = recoded(behaviours[column], own or (), labels, column, source)
        return replace(self, behaviours=behaviours, meaning=meaning)

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


def recoded(
    codes: NDArray[np.float32], own: tuple[str, ...], labels: tuple[str, ...], column: str, source: str | None
) -> NDArray[np.float32]:
    """Codes of the same values in another numbering, NaN where missing.

    Args:
        codes: `[m]`, NaN where missing.
        own: the value of each code.
        labels: the other numbering.
        column: of the interactions, for the error.
        source: what the error calls the table; None: values that the other one does not have are missing.

    Raises:
        DataError: the other one does not have a value.
    """
    known = {label: code for code, label in enumerate(labels)}
    found = np.array([*(known.get(label, np.nan) for label in own), np.nan], dtype=np.float32)
    places = np.where(codes < len(own), codes, len(own)).astype(np.int64)
    strange = np.flatnonzero(np.isnan(found[places]) & (places < len(own)))
    if source is not None and len(strange):
        value = own[places[strange[0]]]
        raise DataError(
            f"'{value}' is no value that training knew (it knew {some_of(labels)})",
            fix="Give one of these, or leave it empty",
            source=source,
            column=column,
        )
    return found[places]


def some_of(labels: tuple[str, ...], most: int = 8) -> str:
    """The first of some values, for messages.

    Args:
        labels: all of them.
        most: how many are named.
    """
    return ", ".join(labels[:most]) + (", ..." if len(labels) > most else "")
