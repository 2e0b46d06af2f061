"""Ranks of targets and recommended lists from one block of scores."""

from __future__ import annotations

import torch
from torch import Tensor

from attrformer.errors import DataError


def target_ranks(scores: Tensor, targets: Tensor, seen_rows: Tensor, seen_items: Tensor) -> tuple[Tensor, Tensor]:
    """The rank of each target among the catalogue, with ties counted against the model.

    A rank is the number of ranked items whose score is at least the target's, the target included, so a model that
    gives every item the same score puts every target last. Scores are compared in the type they come in: rounding
    to bfloat16 makes ties, and each tie costs.

    With seen items hidden, items of the context are not ranked. The target itself always is, also where the context
    already holds it: such a target can be found like any other, and repeated consumption is not scored as a failure.

    Args:
        scores: `[b, n_items]`, any floating type; -inf is allowed, NaN is not.
        targets: integer `[b]`, the item to be found in each row.
        seen_rows: integer `[m]`, the row of each already seen item; pairs may repeat and come in any order.
        seen_items: integer `[m]`, the already seen items.

    Returns:
        Ranks counted from 1, two int64 tensors `[b]`: seen items hidden, seen items ranked.

    Raises:
        DataError: a score is NaN.
    """
    _refuse_nan(scores)
    if not len(scores):
        return targets.new_empty(0, dtype=torch.int64), targets.new_empty(0, dtype=torch.int64)
    threshold = scores.gather(1, targets[:, None].long())
    # A sum of booleans in int32 runs in vector registers; the default int64 sum is several times slower on a CPU.
    ranked = (scores >= threshold).sum(dim=1, dtype=torch.int32).long()
    rows, items = hidden_pairs(targets, seen_rows, seen_items, scores.shape[1])
    above = scores[rows, items] >= threshold[rows, 0]
    return ranked - torch.bincount(rows[above], minlength=len(scores)), ranked


def top_items(
    scores: Tensor, targets: Tensor, seen_rows: Tensor, seen_items: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """The recommended list of each row, over the same items that `target_ranks` ranks.

    Args:
        scores: `[b, n_items]`, any floating type, left unchanged; an item with score -inf is never recommended.
        targets: integer `[b]`, the item to be found in each row, which is never hidden.
        seen_rows: integer `[m]`, the row of each already seen item.
        seen_items: integer `[m]`, the already seen items.
        count: length of the lists.

    Returns:
        Item codes, best first, two int64 tensors `[b, count]`: seen items hidden, seen items ranked. A list that
        is short of items ends in -1.
    """
    length = min(count, scores.shape[1])
    rows, items = hidden_pairs(targets, seen_rows, seen_items, scores.shape[1])
    visible = scores.clone()
    visible[rows, items] = -torch.inf
    best, hidden = visible.topk(length, dim=1)
    # The best of all items are among the best unseen items and the seen ones: a second pass over the block is saved.
    seen_scores, seen_codes = _padded(scores, rows, items)
    merged = torch.cat([best, seen_scores], dim=1)
    ranked_best, places = merged.topk(length, dim=1)
    ranked = torch.cat([hidden, seen_codes], dim=1).gather(1, places)
    pad = (0, count - length)
    return (
        torch.nn.functional.pad(hidden.masked_fill(best == -torch.inf, -1), pad, value=-1),
        torch.nn.functional.pad(ranked.masked_fill(ranked_best == -torch.inf, -1), pad, value=-1),
    )


def hidden_pairs(targets: Tensor, seen_rows: Tensor, seen_items: Tensor, item_count: int) -> tuple[Tensor, Tensor]:
    """The distinct pairs of row and seen item, sorted by row, without the row's own target.

    Args:
        targets: integer `[b]`, the item to be found in each row.
        seen_rows: integer `[m]`, the row of each already seen item.
        seen_items: integer `[m]`, the already seen items.
        item_count: items in the catalogue.

    Returns:
        Rows and items, two int64 tensors of equal length.
    """
    seen_rows, seen_items = seen_rows.long(), seen_items.long()
    keep = seen_items != targets.long()[seen_rows]
    keys = torch.unique(seen_rows[keep] * item_count + seen_items[keep])
    return keys // item_count, keys % item_count


def _padded(scores: Tensor, rows: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and codes of the seen items of each row, `[b, most seen]`, filled up with -inf and -1."""
    counts = torch.bincount(rows, minlength=len(scores))
    width = int(counts.max()) if len(counts) else 0
    places = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    padded_scores = scores.new_full((len(scores), width), -torch.inf)
    padded_items = rows.new_full((len(scores), width), -1)
    padded_scores[rows, places] = scores[rows, items]
    padded_items[rows, places] = items
    return padded_scores, padded_items


def _refuse_nan(scores: Tensor) -> None:
    """Raise where a score is NaN."""
    # The maximum carries NaN through and costs a tenth of a test of each score.
    if scores.numel() and bool(scores.amax().isnan()):
        broken = scores.isnan().any(dim=1)
        raise DataError(
            f"{int(broken.sum())} of {len(scores)} rows of scores hold NaN",
            fix="Check the model for overflow or division by zero, a lower learning rate often helps",
            source="scores",
            row=int(broken.long().argmax()),
        )
