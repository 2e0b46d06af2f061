"""What ranks say to each other, and the ranks of one process, which say nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Value = TypeVar("Value")


class Ranks:
    """One process that trains alone; `joined` gives those of several."""

    rank = 0
    """Number of this process, from 0."""
    size = 1
    """Number of processes (world size)."""

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which alone writes and prints."""
        return self.rank == 0

    def rows(self, count: int, rank: int | None = None) -> slice:
        """The rows that a rank owns of a table, as `torch.distributed.tensor.Shard` cuts it.

        Args:
            count: rows of the table.
            rank: whose; None: of this process.
        """
        step = -(-count // self.size)
        start = (self.rank if rank is None else rank) * step
        return slice(min(start, count), min(start + step, count))

    def sum(self, values: Tensor) -> None:
        """Replaces a tensor by its sum over all ranks.

        Args:
            values: contiguous, of the same shape on all ranks.
        """

    def sum_at(self, values: Tensor, places: Tensor) -> Tensor:
        """As `sum`, for a long vector of which each rank has written a few places.

        Args:
            values: float32 `[n]`, 0 where this rank has not written.
            places: int64 `[m]`, distinct places where it has; m may differ.

        Returns:
            Places beyond which every value is 0, int64 `[k]`, ascending.
        """
        return places

    def spread(self, values: Tensor) -> None:
        """Completes a table of which each rank has filled its own `rows`.

        Args:
            values: contiguous, of the same shape on all ranks.
        """

    def union(self, values: Tensor) -> Tensor:
        """What any of the ranks has.

        Args:
            values: int64 `[n]`, 0 or more; n may differ.

        Returns:
            The distinct values of all ranks, ascending; of a single process the values as they are.
        """
        return values

    def told(self, tell: Callable[[], Value]) -> Value:
        """What rank 0 says, on all ranks; they wait for it.

        Args:
            tell: called by rank 0 alone; its result can be written as JSON.
        """
        return tell()

    def in_turn(self, make: Callable[[], Value]) -> Value:
        """What every rank makes for itself, rank 0 first, so that a mistake is found and said once.

        Args:
            make: called by every rank.
        """
        found = [make()] if self.first else []
        self.told(lambda: None)
        return found[0] if found else make()

    def shared(self, make: Callable[[], Value]) -> Value:
        """What is made once on each machine; the arrays in it are mapped into memory by all ranks there.

        Args:
            make: called by one rank of each machine; it gives the same everywhere.
        """
        return make()

    def safely(self, call: Callable[[], Value]) -> Value:
        """Makes a call that needs all ranks.

        Args:
            call: made by every rank.

        Raises:
            RankError: another rank was lost meanwhile.
        """
        return call()

    def device(self, wanted: torch.device) -> torch.device:
        """The device of this rank.

        Args:
            wanted: of the options.
        """
        return wanted


ALONE: Final = Ranks()
