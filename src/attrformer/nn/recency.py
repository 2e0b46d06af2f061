"""How much an earlier position counts at a later one, learned for each relation on its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from attrformer.nn.batch import Batch
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
    edges = torch.tensor([1, *(1 << k for k in range(2, buckets))], device=times.device)
    return torch.bucketize(gaps, edges, right=True)


class RecencyProfile(nn.Module):
    """log beta_a(t, s), a sum of learned terms for distance, time gap and behaviour levels (SPEC part 3).

    Args:
        length: longest history.
        decay: the profile starts as `decay` to the power of the distance.
        gap_bucket_count: buckets of the time gap, 0 for none.
        level_counts: levels of each behaviour attribute, by name.
    """

    bins: Tensor

    def __init__(self, length: int, decay: float, gap_bucket_count: int, level_counts: dict[str, int]) -> None:
        super().__init__()
        bins, count = distance_bins(length)
        self.register_buffer("bins", bins, persistent=False)
        mean = torch.zeros(count).scatter_reduce_(0, bins, torch.arange(length).float(), "mean", include_self=False)
        self.by_distance = nn.Parameter(mean * math.log(decay))
        self.by_gap = nn.Parameter(torch.zeros(gap_bucket_count)) if gap_bucket_count else None
        self.levels = list(level_counts)
        tables = {relation_name("behaviour", name): nn.Parameter(torch.zeros(n)) for name, n in level_counts.items()}
        self.by_level = nn.ParameterDict(tables)

    def forward(self, batch: Batch, gaps: Tensor | None) -> Tensor:
        """Log beta at the places of a batch, -inf for positions after the place.

        Args:
            batch: histories and places.
            gaps: int64 `[b, t, l]` buckets of the time gap, or None.

        Returns:
            float32 `[b, t, l]`.
        """
        positions = torch.arange(batch.items.shape[1], device=batch.items.device)
        distance = batch.places.unsqueeze(2) - positions
        profile = self.by_distance[self.bins[distance.clamp_min(0)]]
        if self.by_gap is not None and gaps is not None:
            profile = profile + self.by_gap[gaps]
        for name in self.levels:
            if name in batch.levels:
                profile = profile + self.by_level[relation_name("behaviour", name)][batch.levels[name]].unsqueeze(1)
        return profile.masked_fill(distance < 0, -torch.inf)
