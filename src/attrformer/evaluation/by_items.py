"""Ranks of targets and recommended lists where each of several ranks has scores of its own items alone."""

from __future__ import annotations

import torch
from torch import Tensor

from attrformer.evaluation.metrics import UNREACHABLE_RANK
from attrformer.evaluation.ranks import best_columns, refuse_nan, seen_pairs, target_ranks, top_items
from attrformer.ranks import Ranks

Pair = tuple[Tensor, Tensor]


def ranks_and_lists(
    scores: Tensor, targets: Tensor, seen: Pair, count: int, item_count: int, ranks: Ranks
) -> tuple[Pair, Pair]:
    """Ranks of targets and recommended lists, each with seen items hidden and ranked, on all ranks.

    Args:
        scores: `[b, own]`, of the items of this rank (`Ranks.rows`).
        targets: int64 `[b]`, the item to be found in each row, whoever owns it.
        seen: int64 `[m]` each, the row and the code of each already seen item.
        count: length of the lists; 0 for none.
        item_count: items of the catalogue.
        ranks: that make this call together.

    Returns:
        As `target_ranks` and `top_items` give them of all scores.

    Raises:
        DataError: a score is NaN.
    """
    lists = (targets.new_empty(len(targets), 0),) * 2
    if ranks.size == 1:
        found = target_ranks(scores, targets, *seen)
        return found, top_items(scores, *seen, count) if count else lists
    refuse_nan(scores)
    own = ranks.rows(item_count)
    here = (seen[1] >= own.start) & (seen[1] < own.stop)
    own_seen = seen[0][here], seen[1][here] - own.start
    found = _ranks_among_all(scores, targets, own_seen, own, ranks)
    found[0][seen[0][seen[1] == targets[seen[0]]]] = UNREACHABLE_RANK
    return found, _best_of_all(scores, own_seen, count, own, ranks) if count else lists


def _ranks_among_all(scores: Tensor, targets: Tensor, seen: Pair, own: slice, ranks: Ranks) -> Pair:
    """Each rank counts how many of its own items are at least as good as the target, of which its owner tells."""
    here = ((targets >= own.start) & (targets < own.stop)).nonzero()[:, 0]
    threshold = scores.new_zeros(len(scores))
    threshold[here] = scores[here, targets[here] - own.start]
    ranks.sum(threshold)
    ranked = (scores >= threshold[:, None]).sum(dim=1, dtype=torch.int32).long()
    rows, items = seen_pairs(*seen, max(1, scores.shape[1]))
    above = scores[rows, items] >= threshold[rows]
    counts = torch.stack([ranked - torch.bincount(rows[above], minlength=len(scores)), ranked])
    ranks.sum(counts)
    counts[:, threshold == -torch.inf] = UNREACHABLE_RANK
    return counts[0], counts[1]


def _best_of_all(scores: Tensor, seen: Pair, count: int, own: slice, ranks: Ranks) -> Pair:
    """The best of the own items of each rank, and of these the best; equal scores in the order of the catalogue."""
    # Double precision holds scores and codes exactly.
    told = scores.new_full((ranks.size, 2, 2, len(scores), count), -torch.inf, dtype=torch.float64)
    if scores.shape[1]:
        for variant, codes in enumerate(top_items(scores, *seen, count)):
            values = scores.gather(1, codes.clamp_min(0)).masked_fill(codes < 0, -torch.inf)
            told[ranks.rank, variant, 0], told[ranks.rank, variant, 1] = values, codes + own.start
    ranks.spread(told)
    hidden, ranked = (
        best_columns(values, count, codes.clamp_min(0).long())
        for values, codes in told.permute(1, 2, 3, 0, 4).flatten(3)
    )
    return (
        hidden[1].masked_fill(hidden[0] == -torch.inf, -1),
        ranked[1].masked_fill(ranked[0] == -torch.inf, -1),
    )
