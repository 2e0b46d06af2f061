"""Lists that rules leave shorter than was asked for, and what left out how many items."""

from __future__ import annotations

import warnings
from bisect import insort
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from attrformer.errors import ShortListWarning

MOST_NOTES: Final = 1000
_TOLD: Final = 3


@dataclass(frozen=True, slots=True)
class Note:
    """Why one list is short.

    Args:
        place: of the user in the request.
        user: whom it is for, as the answer calls them.
        said: how many items there are, and what left out how many.
    """

    place: int
    user: Any
    said: str

    @property
    def text(self) -> str:
        """The note with its user."""
        return f"User '{self.user}' gets {self.said}"


@dataclass(slots=True, eq=False)
class ShortLists:
    """What is to be said of the lists of one request.

    Args:
        names: what the answer calls each user, `[n]`.
        notes: of the first short lists in the order of the request, whatever order they are made in.
        count: how many are short.
    """

    names: pl.Series
    notes: list[Note] = field(default_factory=list)
    count: int = 0

    def add(self, place: int, found: int, wanted: int, n_items: int, left_out: dict[str, int]) -> None:
        """Tells of a list that is too short.

        Args:
            place: of its user in the request.
            found: items that it has.
            wanted: items that were asked for.
            n_items: size of the catalogue.
            left_out: items that each rule leaves out, of those that the rules before it leave.
        """
        self.count += 1
        if len(self.notes) < MOST_NOTES or place < self.notes[-1].place:
            name = self.names[place]
            told = ", ".join(f"{rule} leaves out {count:,}" for rule, count in left_out.items() if count)
            said = f"{found:,} of {wanted:,} items: of {n_items:,}, {told or 'no more are left'}."
            self._keep(Note(place, name, said))

    def take(self, other: ShortLists) -> None:
        """Adds what was told of other lists of the same request.

        Args:
            other: what was told.
        """
        self.count += other.count
        for note in other.notes:
            self._keep(note)

    def _keep(self, note: Note) -> None:
        insort(self.notes, note, key=lambda kept: kept.place)
        del self.notes[MOST_NOTES:]

    def warn(self) -> None:
        """Warns of the lists that are too short, where there are any."""
        if self.count:
            told = " ".join(note.text for note in self.notes[:_TOLD])
            more = f" {self.count - _TOLD:,} more lists are short." if self.count > _TOLD else ""
            message = f"{told}{more}"
            warnings.warn(ShortListWarning(tuple(note.text for note in self.notes), message), stacklevel=3)
