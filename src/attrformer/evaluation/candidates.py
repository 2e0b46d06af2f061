"""Evaluation that ranks some items of the catalogue only, such as those that were held out of training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.dataset.sequences import Sequences
from attrformer.dataset.splits import Targets
from attrformer.errors import DataError
from attrformer.evaluation.evaluation import Evaluation
from attrformer.evaluation.evaluator import Scorer, evaluate


@dataclass(frozen=True, slots=True, eq=False)
class AmongCandidates:
    """A scorer that says nothing for any item but the candidates.

    Args:
        scorer: gives the scores of the whole catalogue.
        candidates: integer, codes of the items that are ranked.
    """

    scorer: Scorer
    candidates: NDArray[np.int64]

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        """Scores of the whole catalogue, -inf for all items but the candidates, `[b, items]`."""
        scores = self.scorer.score(users, contexts)
        columns = torch.from_numpy(self.candidates.astype(np.int64)).to(scores.device)
        # A candidate that the model gives -inf would tie with the items that are not ranked, and all of them would
        # count against it.
        kept = scores[:, columns].clamp_min(torch.finfo(scores.dtype).min)
        return torch.full_like(scores, -torch.inf).index_copy_(1, columns, kept)


def evaluate_among(
    scorer: Scorer, targets: Targets, candidates: NDArray[np.int64], *, split: str, item_count: int, **options: Any
) -> Evaluation:
    """Ranks the candidates only, for every target; ranks and metrics are those of `evaluate`, lists are not kept.

    Args:
        scorer: gives the scores of the whole catalogue.
        targets: what is to be predicted, candidates all of them.
        candidates: integer, codes of the items that are ranked, each once.
        split: name of the split; the protocol line adds what is ranked.
        item_count: items in the catalogue.
        **options: further options of `evaluate`, but for `lists`.

    Raises:
        DataError: a target is no candidate, or as for `evaluate`.
        ConfigurationError: as for `evaluate`.
    """
    strangers = np.flatnonzero(~np.isin(targets.items, candidates))
    if len(strangers):
        raise DataError(
            f"the item of target {strangers[0]} is not among the {len(candidates)} items that are ranked",
            fix="Rank the items that the targets were chosen from",
        )
    among = AmongCandidates(scorer, candidates)
    # Coverage of a catalogue that is mostly not ranked would say nothing.
    found = evaluate(among, targets, item_count=item_count, split=split, lists=False, **options)
    return replace(
        found, protocol=replace(found.protocol, items=len(candidates), split=f"{split} (no other item ranked)")
    )
