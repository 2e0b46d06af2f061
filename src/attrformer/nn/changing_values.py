"""The values of items over time as tensors, and what they add to scores: each target sees the values of its own time.

Times are compared as ranks: rank r stands for every time at which exactly the first r distinct times of changes have
come, so that 0 is before all changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.nn.contributions import Block, ContributionInputs, DenseBlock
from attrformer.nn.copies import LowCopies

KEPT_VALUES = 1 << 24
"""Values of items at certain ranks that are kept to start from, 32 MiB for each attribute."""


@dataclass(frozen=True, eq=False)
class ChangeTable:
    """Which value every item has at which rank.

    Args:
        moments: int64 `[u]`, the distinct times of changes in seconds, ascending.
        starts: int64 `[items + 1]`, item i owns the changes `starts[i]:starts[i + 1]`.
        keys: int64 `[m]`, item times (u + 1) plus rank of each change, ascending.
        codes: int64 `[m + 1]`, the value code of each change, `values` where it is missing; the last is that as well.
        values: number of values.
        states: the same in order of time, for devices that follow the changes; None where each is searched.
    """

    moments: Tensor
    starts: Tensor
    keys: Tensor
    codes: Tensor
    values: int
    states: States | None = None

    @property
    def items(self) -> int:
        """Number of items."""
        return len(self.starts) - 1

    @property
    def latest(self) -> int:
        """The rank at which all changes have come."""
        return len(self.moments)

    def ranks(self, times: Tensor) -> Tensor:
        """The rank of times in seconds, int64 of the same shape; a change at that very time has come."""
        return torch.searchsorted(self.moments, times.contiguous(), right=True)

    def at(self, items: Tensor, ranks: Tensor) -> Tensor:
        """The value codes of items at ranks, int64 of their common shape; `values` where none is known.

        Args:
            items: int64, item codes.
            ranks: int64, may be broadcast to the items.
        """
        queries = items * (self.latest + 1) + ranks
        place = torch.searchsorted(self.keys, queries.contiguous(), right=True) - 1
        found = self.codes[place.clamp_min(0)]
        return torch.where(place >= self.starts[items], found, self.values)

    def catalogue(self, ranks: Tensor) -> Tensor:
        """The value codes of every item at ranks `[n]`, int64 `[n, items]`."""
        if self.states is not None and ranks.device.type == "cpu":
            return self.states.catalogue(ranks)
        return self.at(torch.arange(self.items, device=ranks.device), ranks.unsqueeze(1))


class States:
    """The values of the whole catalogue at some ranks, from which those at others are reached by the changes between.

    A search for each item takes many times as long as the product with the item table; following changes does not.

    Args:
        items: int64 `[m]`, the item of each change, all in order of time.
        codes: int64 `[m]`, its value code, `values` where missing.
        ranks: int64 `[m]`, ascending.
        until: int64 `[m]`, the rank at which the next change of the same item comes; beyond all ranks where none does.
        size: number of items.
        values: number of values.
        kept: values that are kept at most.
    """

    def __init__(
        self,
        items: NDArray[np.int64],
        codes: NDArray[np.int64],
        ranks: NDArray[np.int64],
        until: NDArray[np.int64],
        size: int,
        values: int,
        kept: int = KEPT_VALUES,
    ) -> None:
        self._items, self._codes, self._until = (torch.from_numpy(array) for array in (items, codes, until))
        latest = int(ranks[-1]) if len(ranks) else 0
        # Changes that have come at each rank.
        self._come = torch.from_numpy(np.searchsorted(ranks, np.arange(latest + 1), side="right"))
        count = max(1, min(latest + 1, kept // max(size, 1)))
        # Equally many changes lie between two kept ranks, as far as a rank does not bring more of them.
        wanted = np.linspace(0, len(ranks), count, endpoint=False)
        cuts = np.unique(np.searchsorted(self._come.numpy(), wanted, side="left").clip(0, latest))
        self._cuts = torch.from_numpy(np.union1d(cuts, [0]).astype(np.int64))
        self._kept = torch.empty(len(self._cuts), size, dtype=torch.int16 if values < 1 << 15 else torch.int32)
        state = torch.full((size,), values, dtype=self._kept.dtype)
        done = 0
        for row, cut in enumerate(self._cuts.tolist()):
            come = int(self._come[cut])
            # Of several changes of one item the last one holds, which numpy promises of an assignment.
            state.numpy()[items[done:come]] = codes[done:come]
            self._kept[row], done = state, come

    def catalogue(self, ranks: Tensor) -> Tensor:
        """See `ChangeTable.catalogue`."""
        row = torch.searchsorted(self._cuts, ranks, right=True) - 1
        found = self._kept[row].long()
        begin, end = self._come[self._cuts[row]], self._come[ranks]
        lengths = end - begin
        target = torch.repeat_interleave(torch.arange(len(ranks)), lengths)
        if not len(target):
            return found
        within = torch.arange(len(target)) - torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)
        change = begin[target] + within
        # Only the change that holds at the rank, so that no place is written twice.
        holds = self._until[change] > ranks[target]
        target, change = target[holds], change[holds]
        found[target, self._items[change]] = self._codes[change]
        return found


def states_of(
    offsets: NDArray[np.int64], times: NDArray[np.int64], codes: NDArray[np.int64], values: int, kept: int = KEPT_VALUES
) -> States:
    """The changes of all items in order of time.

    Args:
        offsets: int64 `[items + 1]`, item i owns the changes `offsets[i]:offsets[i + 1]`, oldest first.
        times: int64 `[m]`, seconds.
        codes: int64 `[m]`, value codes, `values` where missing.
        values: number of values.
        kept: values that are kept at most.
    """
    ranks = np.unique(times, return_inverse=True)[1].reshape(-1).astype(np.int64) + 1
    until = np.append(ranks[1:], 0)[: len(ranks)]
    until[offsets[1:][np.diff(offsets) > 0] - 1] = np.iinfo(np.int64).max
    order = np.argsort(ranks, kind="stable")
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return States(owner[order], codes[order], ranks[order], until[order], len(offsets) - 1, values, kept)


@dataclass(frozen=True, eq=False)
class ChangingContribution:
    """Evidence as a profile over the values of an attribute, read by every item at the value that it has at the time.

    The weights of a part are `[b, t, values]`.

    Args:
        table: the values of items over time.
        ranks: int64 `[b, t]`, the time of each target's context.
    """

    table: ChangeTable
    ranks: Tensor

    def codes(self, rows: slice) -> Tensor:
        """The value codes of every item for the targets of some sequences, int64 `[b, t, items]`."""
        ranks = self.ranks[rows]
        return self.table.catalogue(ranks.flatten()).view(*ranks.shape, -1)

    def block(self, rows: slice, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """Evidence for each value, and which value every item has."""
        codes, values = self.codes(rows), self.table.values
        # Items without a value have a column of their own, without evidence.
        evidence = torch.cat([inputs.weights, inputs.weights.new_zeros(*inputs.weights.shape[:2], 1)], 2)

        def spread(logits: Tensor, columns: Tensor) -> None:
            logits.add_(columns.gather(2, codes))

        def gather(gradient: Tensor) -> Tensor:
            out = torch.zeros(*gradient.shape[:2], values + 1, device=gradient.device)
            return out.scatter_add_(2, codes, gradient)

        def weight_gradient(gradient: Tensor) -> Tensor:
            return gradient[:, :, :values]

        return DenseBlock(evidence, inputs.gate, weight_gradient, spread, gather, codes.shape[2])
