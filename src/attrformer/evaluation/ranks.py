"""Ranks of targets and recommended lists from one block of scores."""

from __future__ import annotations

import torch
from torch import Tensor

from attrformer.errors import DataError
from attrformer.evaluation.metrics import UNREACHABLE_RANK


def target_ranks(scores: Tensor, targets: Tensor, seen_rows: Tensor, seen_items: Tensor) -> tuple[Tensor, Tensor]:
    """The rank of each target among the catalogue, with ties counted against the model.

    A rank is the number of ranked items whose score is at least the target's, the target included, so a model that
    gives every item the same score puts every target last. Scores are compared in the type they come in: rounding
    to bfloat16 makes ties, and each tie costs.

    What `recommend` can never answer has the rank `UNREACHABLE_RANK`, which counts as a miss at every cutoff: with
    seen items hidden, a target that the context already holds, since it is hidden like every other seen item; in
    both variants, a target whose score is -inf.

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
    refuse_nan(scores)
    if not len(scores):
        return targets.new_empty(0, dtype=torch.int64), targets.new_empty(0, dtype=torch.int64)
    threshold = scores.gather(1, targets[:, None].long())
    # A sum of booleans in int32 runs in vector registers; the default int64 sum is several times slower on a CPU.
    ranked = (scores >= threshold).sum(dim=1, dtype=torch.int32).long()
    rows, items = seen_pairs(seen_rows, seen_items, scores.shape[1])
    above = scores[rows, items] >= threshold[rows, 0]
    hidden = ranked - torch.bincount(rows[above], minlength=len(scores))
    hidden[rows[items == targets.long()[rows]]] = UNREACHABLE_RANK
    never = threshold[:, 0] == -torch.inf
    return hidden.masked_fill_(never, UNREACHABLE_RANK), ranked.masked_fill_(never, UNREACHABLE_RANK)


def list_ranks(lists: Tensor, targets: Tensor) -> Tensor:
    """The place of each target in its list, int64 `[b]`, counted from 1; `UNREACHABLE_RANK` where it is not there.

    Args:
        lists: int64 `[b, k]`, item codes, each once in a list.
        targets: int64 `[b]`, the item to be found in each row.
    """
    found = lists == targets[:, None]
    place = found.int().argmax(1) + 1 if lists.shape[1] else torch.zeros_like(targets)
    return torch.where(found.any(1), place, UNREACHABLE_RANK)


def top_items(scores: Tensor, seen_rows: Tensor, seen_items: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The recommended list of each row: what `recommend` answers, in the same order of equal scores.

    Args:
        scores: `[b, n_items]`, any floating type, left unchanged; an item with score -inf is never recommended.
        seen_rows: integer `[m]`, the row of each already seen item.
        seen_items: integer `[m]`, the already seen items.
        count: length of the lists.

    Returns:
        Item codes, best first, two int64 tensors `[b, count]`: seen items hidden, seen items ranked. A list that
        is short of items ends in -1.
    """
    length = min(count, scores.shape[1])
    rows, items = seen_pairs(seen_rows, seen_items, scores.shape[1])
    visible = scores.clone()
    visible[rows, items] = -torch.inf
    best, hidden = best_columns(visible, length)
    # The best of all items are among the best unseen items and the seen ones: a second pass over the block is saved.
    seen_scores, seen_codes = _padded(scores, rows, items)
    ranked_best, ranked = best_columns(
        torch.cat([best, seen_scores], dim=1), length, torch.cat([hidden, seen_codes], dim=1)
    )
    pad = (0, count - length)
    return (
        torch.nn.functional.pad(hidden.masked_fill(best == -torch.inf, -1), pad, value=-1),
        torch.nn.functional.pad(ranked.masked_fill(ranked_best == -torch.inf, -1), pad, value=-1),
    )


def best_columns(scores: Tensor, k: int, codes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The k best scores of each row and where they stand, equal scores in the order of the catalogue.

    Args:
        scores: `[b, n]`, any floating type, without NaN.
        k: how many are wanted, from 0 to n.
        codes: int64 `[b, n]`, item codes of the entries; None where each entry stands in the column of its code.

    Returns:
        Scores and codes, both `[b, k]`, best first. Which entries of score -inf come last is open.
    """
    # One more than is wanted shows whether the last score is shared beyond the list.
    values, columns = scores.topk(min(k + 1, scores.shape[1]), dim=1)
    tied = ((values[:, 1:] == values[:, :-1]) & (values[:, 1:] > -torch.inf)).any(dim=1)
    values, columns = values[:, :k], columns[:, :k]
    found = columns if codes is None else codes.gather(1, columns)
    # topk takes any of several equal scores and gives them in any order; most rows have none.
    rows = tied.nonzero()[:, 0]
    if k and len(rows):
        if len(rows) == len(scores):
            return _settled(scores, values, found, codes)
        settled = _settled(scores[rows], values[rows], found[rows], None if codes is None else codes[rows])
        values, found = values.index_copy(0, rows, settled[0]), found.index_copy(0, rows, settled[1])
    return values, found


def _settled(scores: Tensor, values: Tensor, found: Tensor, codes: Tensor | None) -> tuple[Tensor, Tensor]:
    """The same best scores `[b, k]` with equal ones by code, from those that `topk` gave."""
    width, k = scores.shape[1], values.shape[1]
    last = values[:, -1:]
    if codes is None:
        codes = torch.arange(width, device=scores.device, dtype=torch.int32).expand(len(scores), -1)
    # Of all that share the last score, those with the lowest codes; the others of the list are above it.
    limit = torch.iinfo(torch.int32).max
    lowest = torch.where(scores == last, codes.int(), limit).topk(k, dim=1, largest=False).values.long()
    kept = values > last
    both = torch.cat([found.where(kept, limit), lowest], dim=1)
    # Entries that do not count stand behind all others of the last score, of which there are enough.
    codes, order = both.sort(dim=1)
    ordered = torch.cat([values.where(kept, last), last.expand(-1, k)], dim=1).gather(1, order)
    ordered, order = ordered.sort(dim=1, descending=True, stable=True)
    return ordered[:, :k], codes.gather(1, order)[:, :k]


def seen_pairs(seen_rows: Tensor, seen_items: Tensor, item_count: int) -> tuple[Tensor, Tensor]:
    """The distinct pairs of row and seen item, sorted by row.

    Args:
        seen_rows: integer `[m]`, the row of each already seen item.
        seen_items: integer `[m]`, the already seen items.
        item_count: items in the catalogue.

    Returns:
        Rows and items, two int64 tensors of equal length.
    """
    keys = torch.unique(seen_rows.long() * item_count + seen_items.long())
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


def refuse_nan(scores: Tensor) -> None:
    """Raises where a score is NaN.

    Args:
        scores: `[b, n_items]`, any floating type.

    Raises:
        DataError: a score is NaN.
    """
    # The maximum carries NaN through and costs a tenth of a test of each score.
    if scores.numel() and bool(scores.amax().isnan()):
        broken = scores.isnan().any(dim=1)
        raise DataError(
            f"{int(broken.sum())} of {len(scores)} rows of scores hold NaN",
            fix="Check the model for overflow or division by zero, a lower learning rate often helps",
            source="scores",
            row=int(broken.long().argmax()),
        )
