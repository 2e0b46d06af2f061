"""Full-catalogue evaluation of anything that gives scores."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.sequences import Sequences
from attrformer.data.splits import Targets
from attrformer.errors import DataError
from attrformer.evaluation.by_items import ranks_and_lists
from attrformer.evaluation.config import EvaluationConfig
from attrformer.evaluation.evaluation import Evaluation
from attrformer.evaluation.metrics import require_known
from attrformer.evaluation.protocol import HIDDEN, LIST_TIE_RULE, RANKED, SEEN_VARIANTS, TIE_RULE, Protocol
from attrformer.evaluation.ranks import list_ranks
from attrformer.ranks import ALONE, Ranks

OnProgress = Callable[[int, int], None]

DEFAULTS: Final = EvaluationConfig()

MOST_SCORES: Final = 1 << 24
"""Scores that are in memory at a time, 64 MiB of them: in large catalogues fewer targets are scored together."""


class Scorer(typing.Protocol):
    """What can be evaluated: a model, or any rule that gives every item a score."""

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        """Scores of the whole catalogue.

        Args:
            users: int64 `[b]`, user codes.
            contexts: `[b]` rows, what each user did before, aligned with `users`.

        Returns:
            Floating `[b, n_items]` on any device, higher is better.
        """
        ...


class ListRules(typing.Protocol):
    """What a shop does to the scores and lists of a model."""

    @property
    def reorders(self) -> bool:
        """Whether a list is more than the best of what may be recommended."""
        ...

    def ruled(self, scores: Tensor, rows: NDArray[np.int64]) -> Tensor:
        """Scores under rules that say what may be recommended and what is added.

        Args:
            scores: `[b, n_items]` of the model.
            rows: int64 `[b]`, the targets that they are for.

        Returns:
            `[b, n_items]`, -inf for what may not be recommended.
        """
        ...

    def lists(
        self, scores: Tensor, rows: NDArray[np.int64], contexts: Sequences, hide_seen: bool, length: int
    ) -> Tensor:
        """The lists under all rules.

        Args:
            scores: `[b, n_items]` of the model.
            rows: int64 `[b]`, the targets that they are for.
            contexts: of these targets.
            hide_seen: whether items of the context are left out.
            length: of a list.

        Returns:
            Item codes, best first, int64 `[b, length]`, -1 where a list is short.
        """
        ...


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
    found_ranks = {seen: np.zeros(len(targets), dtype=np.int64) for seen in SEEN_VARIANTS}
    recommended = {seen: np.zeros((len(targets), length), dtype=np.int32) for seen in SEEN_VARIANTS}
    with _reporter(progress, len(targets)) as report:
        holders = ranks if by_items else ALONE
        together = max(1, min(config.batch_size, MOST_SCORES // holders.rows(item_count, 0).stop))
        # The same blocks as one process scores, so that the figures are the same to the last digit.
        for number, rows in enumerate(_batches(targets.contexts.lengths, together)):
            own = number % ranks.size == ranks.rank
            if own or by_items:
                found = _measure(scorer, targets, rows, item_count, length, rules, holders)
                for seen in SEEN_VARIANTS if own else ():
                    found_ranks[seen][rows], recommended[seen][rows] = found[seen]
            report(len(rows))
    for values in (*found_ranks.values(), *(recommended.values() if lists else ())):
        ranks.sum(torch.from_numpy(values))
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


@torch.no_grad()
def _measure(
    scorer: Scorer,
    targets: Targets,
    rows: NDArray[np.int64],
    item_count: int,
    length: int,
    rules: ListRules | None,
    holders: Ranks,
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Ranks `[b]` and recommended lists `[b, length]` of some targets, by seen variant."""
    contexts = targets.contexts.rows(rows)
    scores, own = scorer.score(targets.users[rows], contexts), holders.rows(item_count)
    expected = len(rows), own.stop - own.start
    if scores.shape != expected or not scores.is_floating_point():
        raise DataError(
            f"the scorer gave {scores.dtype} scores of shape {list(scores.shape)} for {len(rows)} users",
            fix=f"Return floating scores of shape {list(expected)}",
            source="scores",
        )
    wanted = torch.from_numpy(targets.items[rows].astype(np.int64)).to(scores.device)
    if rules is not None and rules.reorders:
        listed = {seen: rules.lists(scores, rows, contexts, seen == HIDDEN, length) for seen in SEEN_VARIANTS}
        return {seen: (list_ranks(items, wanted).cpu().numpy(), items.cpu().numpy()) for seen, items in listed.items()}
    scores = scores if rules is None else rules.ruled(scores, rows)
    shown = contexts.row_of_position(), contexts.items.astype(np.int64)
    own_rows, own_items = shown if contexts.seen is None else (part[contexts.seen] for part in shown)
    seen_pairs = torch.from_numpy(own_rows).to(scores.device), torch.from_numpy(own_items).to(scores.device)
    found = ranks_and_lists(scores, wanted, seen_pairs, length, item_count, holders)
    return {
        seen: (rank.cpu().numpy(), items.cpu().numpy())
        for seen, rank, items in zip((HIDDEN, RANKED), *found, strict=True)
    }


def _batches(lengths: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Rows in blocks, longest contexts first."""
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


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


@contextmanager
def _reporter(progress: bool | OnProgress, total: int) -> Iterator[Callable[[int], None]]:
    """A function that is told how many more targets are done."""
    if progress is False:
        yield lambda count: None
    elif progress is True:
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("evaluating", total=total)
            yield lambda count: bar.advance(task, count)
    else:
        done = 0

        def forward(count: int) -> None:
            nonlocal done
            done += count
            progress(done, total)

        yield forward
