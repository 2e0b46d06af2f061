"""The items that one training step tells apart where the catalogue is too large for all of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The candidates of a step, and all items whose representation it reads.

    The sum over the catalogue in the softmax is estimated by the candidates, each divided by its probability to be one:
    `sum_j exp(s_j) 1[j in C] / P(j in C)` has the sum over all items as its mean.

    Args:
        read: int64 `[r]`, distinct item codes whose rows are read; the candidates come first.
        count: number of candidates c; every item of the batch's histories and every upcoming one is among them.
        correction: float32 `[c]`, -log P(j in C), added to the logits in the normaliser; 0 for items that are certain.
        places: int32 `[items + 1]`, where each item stands in `read`; r or more where it does not, and for padding.
    """

    read: Tensor
    count: int
    correction: Tensor
    places: Tensor

    @property
    def items(self) -> Tensor:
        """The candidates, int64 `[c]`."""
        return self.read[: self.count]

    def rows(self, items: Tensor) -> Tensor:
        """Where item codes stand in `read`, int64 of the same shape; r where they do not, and for padding."""
        return self.places[items].long().clamp_max_(len(self.read))

    def among(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Where items stand among the candidates, int64, 0 where they do not, and bool whether they do."""
        place = self.places[items]
        inside = place < self.count
        return place.masked_fill_(~inside, 0).long(), inside


def candidates_of(certain: Tensor, drawn: Tensor, log_chance: Tensor, others: Tensor, places: Tensor) -> Candidates:
    """The candidates of a step.

    Args:
        certain: int64 `[n]`, ascending and distinct, items that are candidates whatever is drawn.
        drawn: int64 `[m]`, drawn items; they may repeat, and repeat certain ones.
        log_chance: float32 `[m]`, log of the probability that each is drawn at all.
        others: int32 or int64, any shape, item codes below the catalogue's size whose rows are read as well.
        places: int32 `[items + 1]`, all of them `items + 1`; it is filled in here (`forget` undoes that).
    """
    unused = len(places)
    places[certain] = -1
    new = places[drawn] == unused
    drawn, log_chance = drawn[new], log_chance[new]
    # Of several draws of an item any one writes its number, and the one whose number is found is kept.
    number = torch.arange(len(drawn), dtype=places.dtype, device=places.device)
    places[drawn] = number
    kept = places[drawn] == number
    items = torch.cat([certain, drawn[kept]])
    correction = torch.cat([log_chance.new_zeros(len(certain)), -log_chance[kept]])
    order = items.argsort()
    items, correction = items[order], correction[order]
    # Marks tell which items there are, ascending, without sorting.
    marks = torch.zeros(unused, dtype=torch.bool, device=places.device)
    marks[others.flatten()] = True
    marks[items] = False
    more = marks.nonzero().squeeze(1)
    read = torch.cat([items, more])
    places[read] = torch.arange(len(read), dtype=places.dtype, device=places.device)
    return Candidates(read, len(items), correction, places)


def placed(items: Tensor, places: Tensor) -> Candidates:
    """Candidates in the order given, none of which was drawn.

    Args:
        items: int64 `[c]`, distinct.
        places: int32 `[items + 1]`, as for `candidates_of`.
    """
    places[items] = torch.arange(len(items), dtype=places.dtype, device=places.device)
    return Candidates(items, len(items), torch.zeros(len(items), device=items.device), places)


def forget(candidates: Candidates) -> None:
    """Empties the places of a step that is over, so that the next one can fill them in."""
    candidates.places[candidates.read] = len(candidates.places)


def every_item(count: int, device: torch.device | str = "cpu") -> Candidates:
    """The whole catalogue as candidates, in the order of codes."""
    places = torch.full((count + 1,), count, dtype=torch.int32, device=device)
    return placed(torch.arange(count, device=device), places)
