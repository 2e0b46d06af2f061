"""Scores of the whole catalogue for targets that stand alone, by compiled passes; `nn/fused_loss.py` has the plain way.

Validation within a training takes these, whose results are equal but for rounding.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from attrformer.compiled import may_round
from attrformer.nn.contributions import (
    Contribution,
    ContributionInputs,
    EntryContribution,
    FeatureContribution,
    RowContribution,
)
from attrformer.nn.linear import product
from attrformer.nn.tables import DenseRows
from attrformer.nn.workers import each_share

Parts = list[tuple[Contribution, ContributionInputs]]

LEAST_SCORES: Final = 1 << 20
"""Fewer scores are not worth importing numba for."""

TOGETHER: Final = 1 << 20
"""Scores of targets that are computed together: few enough for the cache."""


def takes(hidden: Tensor, table: Tensor, parts: Parts) -> bool:
    """Whether scores are computed here: many, of one target a history, on a CPU, of parts that are known, rounded.

    Args:
        hidden: `[b, t, d]`.
        table: `[items, d]`.
        parts: the relation parts with their inputs.
    """
    if hidden.shape[1] != 1 or len(hidden) * len(table) < LEAST_SCORES or table.device.type != "cpu":
        return False
    tensors = [hidden, table, *(tensor for _, inputs in parts for tensor in (inputs.weights, inputs.gate))]
    if any(tensor.dtype != torch.float32 for tensor in tensors):
        return False
    return all(_known(part, len(table)) for part, _ in parts) and may_round()


def _known(part: Contribution, items: int) -> bool:
    if type(part) in (EntryContribution, FeatureContribution):
        return True
    if type(part) is not RowContribution or part.table.values.dtype != torch.float32:
        return False
    return not isinstance(part.table, DenseRows) or part.table.values.shape[1] == items


@torch.no_grad()
def scores(hidden: Tensor, table: Tensor, parts: Parts) -> Tensor:
    """Logits of every item, float32 `[b, 1, items]`.

    Args:
        hidden: `[b, 1, d]`.
        table: `[items, d]`.
        parts: the relation parts with their inputs.
    """
    out = product(hidden.squeeze(1), table, None)
    # Each thread gets a few blocks.
    step = max(1, min(TOGETHER // len(table), len(hidden) // (2 * torch.get_num_threads())))

    @torch.no_grad()
    def share(blocks: list[slice]) -> None:
        for rows in blocks:
            for part, inputs in parts:
                _add(out[rows], part, rows, inputs.block(rows))

    each_share(share, [slice(start, start + step) for start in range(0, len(hidden), step)], table.device)
    return out.unsqueeze(1)


def _add(out: Tensor, part: Contribution, rows: slice, inputs: ContributionInputs) -> None:
    from attrformer.nn import score_kernels

    weights, gate = inputs.weights.squeeze(1).contiguous(), inputs.gate.squeeze(1).contiguous()
    if isinstance(part, FeatureContribution):
        groups = part.groups
        read = (groups.of_item.int(), groups.from_values(inputs.weights).squeeze(1), gate)
        score_kernels.add_groups(*(tensor.numpy() for tensor in (out, *read)))
    elif isinstance(part, EntryContribution):
        items = part.items[rows].squeeze(1)
        starts = torch.arange(items.numel()).view(items.shape)
        entries = (items.flatten().int(), torch.ones(items.numel()), starts, starts + 1)
        score_kernels.add_named(*(tensor.numpy() for tensor in (out, *entries, weights, gate)))
    elif isinstance(part, RowContribution):
        named = part.rows[rows].contiguous()
        if isinstance(part.table, DenseRows):
            score_kernels.add_whole(*(tensor.numpy() for tensor in (out, part.table.values, named, weights, gate)))
        else:
            kept = (part.table.indices.flatten(), part.table.values.flatten(), *part.table.ranges(named))
            score_kernels.add_named(*(tensor.numpy() for tensor in (out, *kept, weights, gate)))
