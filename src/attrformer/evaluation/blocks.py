"""Ranks and recommended lists of every target, computed block by block."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.sequences import Sequences
from attrformer.data.splits import Targets
from attrformer.errors import DataError
from attrformer.evaluation.by_items import ranks_and_lists
from attrformer.evaluation.protocol import HIDDEN, RANKED, SEEN_VARIANTS
from attrformer.evaluation.ranks import list_ranks
from attrformer.ranks import ALONE, Ranks

OnProgress = Callable[[int, int], None]

MOST_SCORES: Final = 1 << 24
"""Scores that are in memory at a time, 64 MiB of them: in large catalogues fewer targets are scored together."""

RanksAndLists: TypeAlias = "tuple[dict[str, NDArray[np.int64]], dict[str, NDArray[np.int32]]]"
"""By seen variant, the rank `[n]` and the recommended list `[n, length]` of each target."""


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


@dataclass(frozen=True, slots=True, eq=False)
class TargetBlocks:
    """Targets that are scored and ranked block by block, so that one block of scores is in memory at a time.

    Args:
        scorer: gives the scores; runs without gradients.
        targets: what is to be predicted, from which context.
        item_count: items in the catalogue.
        length: of the lists that are kept; 0 keeps none.
        rules: of a shop, or None.
        ranks: that do this together.
        by_items: whether each rank scores its own items for all targets, in place of all items for some targets.
    """

    scorer: Scorer
    targets: Targets
    item_count: int
    length: int
    rules: ListRules | None = None
    ranks: Ranks = ALONE
    by_items: bool = False

    @property
    def holders(self) -> Ranks:
        """The ranks that the items of one block are divided among."""
        return self.ranks if self.by_items else ALONE

    def rank(self, batch_size: int, progress: bool | OnProgress) -> RanksAndLists:
        """Ranks every target in both seen variants, in the order of the targets.

        Args:
            batch_size: targets scored together, at most.
            progress: as for `evaluate`.

        Raises:
            DataError: scores are NaN or of the wrong shape.
        """
        count = len(self.targets)
        found_ranks = {seen: np.zeros(count, dtype=np.int64) for seen in SEEN_VARIANTS}
        recommended = {seen: np.zeros((count, self.length), dtype=np.int32) for seen in SEEN_VARIANTS}
        together = max(1, min(batch_size, MOST_SCORES // self.holders.rows(self.item_count, 0).stop))
        with _reporter(progress, count) as report:
            # The same blocks as one process scores, so that the figures are the same to the last digit.
            for number, rows in enumerate(_longest_first(self.targets.contexts.lengths, together)):
                own = number % self.ranks.size == self.ranks.rank
                if own or self.by_items:
                    found = self._rank_block(rows)
                    for seen in SEEN_VARIANTS if own else ():
                        found_ranks[seen][rows], recommended[seen][rows] = found[seen]
                report(len(rows))
        for values in (*found_ranks.values(), *(recommended.values() if self.length else ())):
            self.ranks.sum(torch.from_numpy(values))
        return found_ranks, recommended

    @torch.no_grad()
    def _rank_block(self, rows: NDArray[np.int64]) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Ranks `[b]` and recommended lists `[b, length]` of some targets, by seen variant."""
        contexts, rules = self.targets.contexts.rows(rows), self.rules
        scores = self._scores(rows, contexts)
        wanted = torch.from_numpy(self.targets.items[rows].astype(np.int64)).to(scores.device)
        if rules is not None and rules.reorders:
            lists = {seen: rules.lists(scores, rows, contexts, seen == HIDDEN, self.length) for seen in SEEN_VARIANTS}
            return {
                seen: (list_ranks(items, wanted).cpu().numpy(), items.cpu().numpy()) for seen, items in lists.items()
            }
        scores = scores if rules is None else rules.ruled(scores, rows)
        shown = contexts.row_of_position(), contexts.items.astype(np.int64)
        own_rows, own_items = shown if contexts.seen is None else (part[contexts.seen] for part in shown)
        seen_pairs = torch.from_numpy(own_rows).to(scores.device), torch.from_numpy(own_items).to(scores.device)
        found = ranks_and_lists(scores, wanted, seen_pairs, self.length, self.item_count, self.holders)
        return {
            seen: (rank.cpu().numpy(), items.cpu().numpy())
            for seen, rank, items in zip((HIDDEN, RANKED), *found, strict=True)
        }

    def _scores(self, rows: NDArray[np.int64], contexts: Sequences) -> Tensor:
        """Scores of some targets for the items that are scored here, `[b, items]`."""
        scores, own = self.scorer.score(self.targets.users[rows], contexts), self.holders.rows(self.item_count)
        expected = len(rows), own.stop - own.start
        if scores.shape != expected or not scores.is_floating_point():
            raise DataError(
                f"the scorer gave {scores.dtype} scores of shape {list(scores.shape)} for {len(rows)} users",
                fix=f"Return floating scores of shape {list(expected)}",
                source="scores",
            )
        return scores


def _longest_first(lengths: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Rows in blocks, longest contexts first, so that memory runs out at the start if at all."""
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


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
