"""Lists that rules leave shorter than was asked for, and what left out how many items."""

from __future__ import annotations

import warnings
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
        notes: of the first short lists that were made.
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
        if len(self.notes) < MOST_NOTES:
            name = self.names[place]
            told = ", ".join(f"{rule} leaves out {count:,}" for rule, count in left_out.items() if count)
            said = f"{found:,} of {wanted:,} items: of {n_items:,}, {told or 'no more are left'}."
            self.notes.append(Note(place, name, said))

    def take(self, other: ShortLists) -> None:
        """Adds what was told of other lists of the same request.

        Args:
            other: what was told.
        """
        self.count += other.count
        self.notes += other.notes[: MOST_NOTES - len(self.notes)]

    def warn(self) -> None:
        """Warns of the lists that are too short, where there are any."""
        if self.count:
            # Lists are made in the order of their histories' lengths.
            notes = sorted(self.notes, key=lambda note: note.place)
            told = " ".join(note.text for note in notes[:_TOLD])
            more = f" {self.count - _TOLD:,} more lists are short." if self.count > _TOLD else ""
            message = f"{told}{more}"
            warnings.warn(ShortListWarning(tuple(note.text for note in notes), message), stacklevel=3)
