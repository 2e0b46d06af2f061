"""Full-catalogue evaluation of anything that gives scores."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.splits import Targets
from attrformer.errors import DataError
from attrformer.evaluation.blocks import ListRules, OnProgress, Scorer, TargetBlocks
from attrformer.evaluation.config import EvaluationConfig
from attrformer.evaluation.evaluation import Evaluation
from attrformer.evaluation.metrics import require_known
from attrformer.evaluation.protocol import LIST_TIE_RULE, TIE_RULE, Protocol
from attrformer.ranks import ALONE, Ranks

DEFAULTS: Final = EvaluationConfig()


def evaluate(
    scorer: Scorer,
    targets: Targets,
    *,
    item_count: int,
    dataset: str,
    split: str = "leave-one-out",
    part: str = "test",
    selection: str = "",
    popularity: NDArray[np.integer] | None = None,
    activity: NDArray[np.integer] | None = None,
    later_share: float | None = None,
    lists: bool = True,
    seed: int = 0,
    config: EvaluationConfig = DEFAULTS,
    progress: bool | OnProgress = False,
    ranks: Ranks = ALONE,
    rules: ListRules | None = None,
    by_items: bool = False,
) -> Evaluation:
    """Rank the whole catalogue for every target, block by block, in both seen variants.

    Targets are scored in order of context length, longest first, so that blocks hold contexts of like length and
    memory runs out at the start if at all. One block of scores is in memory at a time.

    Args:
        scorer: gives the scores; runs without gradients.
        targets: what is to be predicted, from which context.
        item_count: items in the catalogue.
        dataset: name for the protocol line.
        split: name of the split for the protocol line.
        part: "validation" or "test", for the protocol line.
        selection: how settings were chosen, for the protocol line.
        popularity: `[n_items]`, training interactions of each item, for popularity bias and slices.
        activity: `[n_users]`, training interactions of each user, for figures of new users.
        later_share: share of training interactions that are later than a target, for the protocol line.
        lists: whether to keep recommended lists, which coverage and popularity bias need.
        seed: of the bootstrap.
        config: lengths of the lists, targets scored together, resamples and level of the intervals.
        progress: True for a progress bar on standard error, or a function of targets done and targets in all.
        ranks: that call this together with equal scorers; each scores some of the blocks, and all get the whole.
        rules: of a shop. Where these reorder lists, a target behind the longest cutoff counts as one that cannot be
            recommended.
        by_items: whether the scorer of each rank scores the items alone that the rank owns (`Ranks.rows`), so that each
            scores all blocks; rules are not known then.

    Returns:
        Ranks of every target, in the order of `targets`, and the figures that follow.

    Raises:
        DataError: there are no targets, an item is outside the catalogue, or scores are NaN or of the wrong shape.
    """
    check_targets(targets, item_count, popularity, activity)
    require_known(config.metrics)
    # No list is longer than the catalogue, whatever the cutoff.
    length = min(max(config.cutoffs), item_count) if lists else 0
    blocks = TargetBlocks(scorer, targets, item_count, length, rules, ranks, by_items)
    found_ranks, recommended = blocks.rank(config.batch_size, progress)
    repeats = targets.repeats
    protocol = Protocol(
        dataset=dataset,
        users=len(np.unique(targets.users)),
        targets=len(targets),
        items=item_count,
        split=split,
        part=part,
        seed=seed,
        confidence=config.confidence,
        resamples=config.resamples,
        selection=selection,
        repeated_share=float(repeats.mean()),
        later_share=later_share,
        ties=LIST_TIE_RULE if rules is not None and rules.reorders else TIE_RULE,
    )
    return Evaluation(
        protocol=protocol,
        cutoffs=config.cutoffs,
        users=targets.users.astype(np.int64),
        items=targets.items.astype(np.int64),
        history_lengths=targets.contexts.lengths.astype(np.int64),
        ranks=found_ranks,
        lists=recommended if lists else {},
        popularity=None if popularity is None else popularity.astype(np.int64),
        same_time=targets.same_time,
        repeats=repeats,
        last=targets.last,
        new_users=None if activity is None else activity[targets.users] == 0,
        metrics=config.metrics,
    )


def check_targets(
    targets: Targets,
    item_count: int,
    popularity: NDArray[np.integer] | None,
    activity: NDArray[np.integer] | None,
) -> None:
    """Raises where targets cannot be ranked in a catalogue.

    Args:
        targets: what is to be predicted.
        item_count: items in the catalogue.
        popularity: as for `evaluate`.
        activity: as for `evaluate`.

    Raises:
        DataError: there are no targets, an item is outside the catalogue, or counts are missing.
    """
    if not len(targets):
        raise DataError(
            "there is no target to evaluate", fix="Choose a split that leaves users with an interaction to predict"
        )
    for items, what in ((targets.items, "a target"), (targets.contexts.items, "an item of a context")):
        if len(items) and not 0 <= int(items.min()) <= int(items.max()) < item_count:
            raise DataError(
                f"{what} is outside the catalogue of {item_count} items (codes {items.min()} to {items.max()})",
                fix="Evaluate with the dataset that the split was made of",
            )
    if popularity is not None and len(popularity) != item_count:
        raise DataError(
            f"popularity has {len(popularity)} entries for {item_count} items",
            fix="Give the training interactions of every item of the catalogue",
        )
    if activity is not None and int(targets.users.max()) >= len(activity):
        raise DataError(
            f"activity has {len(activity)} entries and user {targets.users.max()} is a target",
            fix="Give the training interactions of every user of the dataset",
        )
