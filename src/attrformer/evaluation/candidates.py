"""Evaluation that ranks some items of the catalogue only, such as those that were held out of training."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.sequences import Sequences
from attrformer.data.splits import Targets
from attrformer.errors import DataError
from attrformer.evaluation.blocks import OnProgress, Scorer
from attrformer.evaluation.config import EvaluationConfig
from attrformer.evaluation.evaluation import Evaluation
from attrformer.evaluation.evaluator import DEFAULTS, evaluate


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
    scorer: Scorer,
    targets: Targets,
    candidates: NDArray[np.int64],
    *,
    item_count: int,
    dataset: str,
    split: str,
    part: str = "test",
    selection: str = "",
    popularity: NDArray[np.integer] | None = None,
    activity: NDArray[np.integer] | None = None,
    later_share: float | None = None,
    seed: int = 0,
    config: EvaluationConfig = DEFAULTS,
    progress: bool | OnProgress = False,
) -> Evaluation:
    """Ranks the candidates only, for every target; ranks and metrics are those of `evaluate`, lists are not kept.

    Args:
        scorer: gives the scores of the whole catalogue; runs without gradients.
        targets: what is to be predicted, from which context; their items are candidates, all of them.
        candidates: integer, codes of the items that are ranked, each once.
        item_count: items in the catalogue.
        dataset: name for the protocol line.
        split: name of the split; the protocol line adds what is ranked.
        part: "validation" or "test", for the protocol line.
        selection: how settings were chosen, for the protocol line.
        popularity: `[n_items]`, training interactions of each item, for slices.
        activity: `[n_users]`, training interactions of each user, for figures of new users.
        later_share: share of training interactions that are later than a target, for the protocol line.
        seed: of the bootstrap.
        config: lengths of the lists, targets scored together, resamples and level of the intervals.
        progress: True for a progress bar on standard error, or a function of targets done and targets in all.

    Returns:
        Ranks of every target among the candidates, in the order of `targets`, and the figures that follow.

    Raises:
        DataError: a target is no candidate, there are no targets, an item is outside the catalogue, or scores are NaN
            or of the wrong shape.
    """
    strangers = np.flatnonzero(~np.isin(targets.items, candidates))
    if len(strangers):
        raise DataError(
            f"the item of target {strangers[0]} is not among the {len(candidates)} items that are ranked",
            fix="Rank the items that the targets were chosen from",
        )
    among = AmongCandidates(scorer, candidates)
    # Coverage of a catalogue that is mostly not ranked would say nothing.
    found = evaluate(
        among,
        targets,
        item_count=item_count,
        dataset=dataset,
        split=split,
        part=part,
        selection=selection,
        popularity=popularity,
        activity=activity,
        later_share=later_share,
        lists=False,
        seed=seed,
        config=config,
        progress=progress,
    )
    return replace(
        found, protocol=replace(found.protocol, items=len(candidates), split=f"{split} (no other item ranked)")
    )
