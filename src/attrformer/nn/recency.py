"""How much an earlier position counts at a later one, learned for each relation on its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.nn.batch import Batch
from attrformer.nn.fixed import constant
from attrformer.nn.named import NamedParameters
from attrformer.relations.naming import relation_name

SINGLE_STEPS = 12
"""Distances up to here have a parameter each; longer ones share one for each half doubling."""


def distance_bins(length: int) -> tuple[Tensor, int]:
    """Bin of each distance below `length`, int64 `[length]`, and the number of bins."""
    distance = torch.arange(length)
    coarse = SINGLE_STEPS + (2 * torch.log2(distance.clamp_min(1) / SINGLE_STEPS)).floor().long()
    bins = torch.where(distance < SINGLE_STEPS, distance, coarse)
    return bins, int(bins.max()) + 1


def gap_buckets(times: Tensor, places: Tensor, buckets: int) -> Tensor:
    """Bucket of the time between the places `[b, t]` and every position `[b, l]`, int64 `[b, t, l]`.

    Bucket 0 is no gap or a later position, 1 is up to 3 seconds, and k is from 2^k seconds on, `buckets - 1` at most.
    """
    rows = torch.arange(len(times), device=times.device).unsqueeze(1)
    gaps = times[rows, places].unsqueeze(2) - times.unsqueeze(1)
    # Whole numbers, because single precision rounds across a boundary and not every device has double precision.
    edges = constant((1, *(1 << k for k in range(2, buckets))), times.device)
    return torch.bucketize(gaps, edges, right=True)


def look_up(tables: Tensor, index: Tensor) -> Tensor:
    """Entries of small learned tables, `tables[..., index]` with a gradient that is added up ten times as fast.

    Args:
        tables: `[..., n]`.
        index: int64, any shape, 0 to n - 1.

    Returns:
        `[..., *index.shape]`.
    """
    flat = index.flatten()
    found = tables.index_select(-1, flat) if tables.device.type == "cpu" else small_entries(tables, flat)
    return found.view(*tables.shape[:-1], *index.shape)


class _SmallEntries(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tables: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.shape = tables.shape
        return tables.index_select(-1, index)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        named = index.unsqueeze(1) == torch.arange(ctx.shape[-1], device=index.device)
        summed = outputs[0].reshape(-1, len(index)) @ named.to(outputs[0].dtype)
        return summed.view(ctx.shape), None


def small_entries(tables: Tensor, index: Tensor) -> Tensor:
    """Entries of small tables with a gradient made by a product; an accelerator would add many to few one by one.

    Args:
        tables: `[..., n]`.
        index: int64 `[m]`, 0 to n - 1.

    Returns:
        `[..., m]`.
    """
    found: Tensor = _SmallEntries.apply(tables, index)  # type: ignore[no-untyped-call]
    return found


class LookBack(nn.Module):
    """How far positions lie before places, in bins of the distance.

    Args:
        length: longest history.
    """

    bins: Tensor

    def __init__(self, length: int) -> None:
        super().__init__()
        bins, self.later = distance_bins(length)
        # A negative distance, that of a later position, counts from the end.
        self.register_buffer("bins", F.pad(bins, (0, length - 1), value=self.later), persistent=False)

    def forward(self, places: Tensor | None, length: int) -> Tensor:
        """Bin of every position as the places see it; `later` for positions after the place.

        Args:
            places: int64 `[b, t]`; None for all positions.
            length: number of positions.

        Returns:
            int64 `[b, t, length]`, or `[length, length]` for all positions.
        """
        position = torch.arange(length, device=self.bins.device)
        return self.bins[(position if places is None else places).unsqueeze(-1) - position]


class RecencyProfile(nn.Module):
    """log beta_a(t, s), a sum of learned terms for distance, time gap and behaviour levels (docs/paper.md, part 3).

    Args:
        length: longest history.
        decay: the profile starts as `decay` to the power of the distance.
        gap_bucket_count: buckets of the time gap, 0 for none.
        level_counts: levels of each behaviour attribute, by name.
    """

    def __init__(self, length: int, decay: float, gap_bucket_count: int, level_counts: dict[str, int]) -> None:
        super().__init__()
        bins, count = distance_bins(length)
        self.look_back = LookBack(length)
        mean = torch.zeros(count).scatter_reduce_(0, bins, torch.arange(length).float(), "mean", include_self=False)
        self.by_distance = nn.Parameter(mean * math.log(decay))
        self.by_gap = nn.Parameter(torch.zeros(gap_bucket_count)) if gap_bucket_count else None
        self.levels = list(level_counts)
        tables = {relation_name("behaviour", name): nn.Parameter(torch.zeros(n)) for name, n in level_counts.items()}
        self.by_level = NamedParameters(tables)

    def forward(self, batch: Batch, gaps: Tensor | None) -> Tensor:
        """Log beta at the places of a batch, -inf for positions after the place.

        Args:
            batch: histories and places.
            gaps: int64 `[b, t, l]` buckets of the time gap, or None.

        Returns:
            float32 `[b, t, l]`.
        """
        bins = self.look_back(batch.target_positions, batch.items.shape[1])
        return StackedProfiles.of([self]).logarithms(batch, bins, gaps)[0]


@dataclass(frozen=True, slots=True, eq=False)
class StackedProfiles:
    """Recency profiles of r relations side by side, looked up together; each keeps its own parameters.

    Args:
        by_distance: `[r, bins + 1]`, -inf in the last bin, that of later positions.
        by_gap: `[r, gaps]`, or None.
        by_level: `[r, levels]` by behaviour attribute.
    """

    by_distance: Tensor
    by_gap: Tensor | None
    by_level: dict[str, Tensor]

    @classmethod
    def of(cls, profiles: list[RecencyProfile], scales: Sequence[Tensor] = ()) -> StackedProfiles:
        """Stacks profiles that differ in nothing but their parameters.

        Args:
            profiles: at least one.
            scales: a scalar for each, which is added to its log beta; none adds nothing.
        """
        first = profiles[0]
        distances = torch.stack([profile.by_distance for profile in profiles])
        if scales:
            distances = distances + torch.stack(list(scales)).unsqueeze(1)
        gaps: list[Tensor] = [profile.by_gap for profile in profiles if profile.by_gap is not None]
        names = {name: relation_name("behaviour", name) for name in first.levels}
        return cls(
            F.pad(distances, (0, 1), value=-torch.inf),
            torch.stack(gaps) if gaps else None,
            {name: torch.stack([profile.by_level[key] for profile in profiles]) for name, key in names.items()},
        )

    def logarithms(self, batch: Batch, bins: Tensor, gaps: Tensor | None) -> Tensor:
        """Log beta of each relation at the places of a batch, -inf for positions after the place.

        Args:
            batch: histories and places.
            bins: int64 `[b, t, l]`, as `LookBack` gives them.
            gaps: int64 `[b, t, l]` buckets of the time gap, or None.

        Returns:
            float32 `[r, b, t, l]`.
        """
        found = look_up(self.by_distance, bins)
        if self.by_gap is not None and gaps is not None:
            found = found + look_up(self.by_gap, gaps)
        for name, levels in self.by_level.items():
            if name in batch.levels:
                found = found + look_up(levels, batch.levels[name]).unsqueeze(2)
        return found

    def compiled(self, batch: Batch, bins: Tensor, gaps: Tensor | None, keep: Tensor) -> Tensor:
        """Beta of each relation by one compiled pass, on a CPU where numba can be imported.

        Args:
            batch: histories and places.
            bins: as for `logarithms`.
            gaps: as for `logarithms`.
            keep: float32 `[b, l]`, 0 for positions that do not count, else 1.

        Returns:
            The exponential of `logarithms` but for rounding, 0 where `keep` is.
        """
        from attrformer.nn.recency_kernels import profiles

        position = self.by_distance.new_zeros(len(self.by_distance), *batch.items.shape)
        for name, levels in self.by_level.items():
            if name in batch.levels:
                position = position + look_up(levels, batch.levels[name])
        return profiles(self.by_distance, self.by_gap, position, bins, gaps, keep)
