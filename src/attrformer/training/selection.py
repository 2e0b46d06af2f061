"""When training looks at validation, which of these evaluations is the best, and when none better ends it."""

from __future__ import annotations

from typing import Final

from attrformer.training.checkpoint import Progress
from attrformer.training.config import TrainingConfig

Figures = dict[str, dict[str, float]]
"""Validation figures by seen variant and metric."""


class Selection:
    """Evaluations of one training.

    Args:
        training: options of the loop.
        higher_is_better: whether more of `training.metric` is better.
    """

    def __init__(self, training: TrainingConfig, higher_is_better: bool) -> None:
        self._training: Final = training
        self._sign = 1.0 if higher_is_better else -1.0

    def is_due(self, done: int, batches: int) -> bool:
        """Whether validation is looked at within an epoch; at its end it is looked at in any case.

        Args:
            done: batches of the epoch that are done, at least 1.
            batches: of the epoch.
        """
        parts = self._training.evaluations_per_epoch
        return done < batches and done * parts // batches > (done - 1) * parts // batches

    def is_due_after(self, epochs: int) -> bool:
        """Whether validation is looked at at the end of an epoch.

        Args:
            epochs: that are done with it.
        """
        return epochs >= self._training.epochs or epochs % self._training.evaluate_every == 0

    def is_best(self, progress: Progress, figures: Figures) -> bool:
        """Whether an evaluation is better than all before, which is noted.

        Args:
            progress: of the training; takes what is found.
            figures: of the evaluation.
        """
        value = self._value(figures)
        if progress.best_epoch < 0 or value > progress.best:
            progress.best, progress.best_epoch, progress.since_best = value, progress.epoch, 0
            return True
        progress.since_best = self._since_best(progress) + 1
        return False

    def has_ended(self, progress: Progress) -> bool:
        """Whether epochs or patience have run out.

        Args:
            progress: of the training, its epoch the one that is to go on.
        """
        stale = self._since_best(progress) >= self._training.patience
        return progress.epoch >= self._training.epochs or stale

    def _since_best(self, progress: Progress) -> int:
        if progress.since_best is None:
            # In states of earlier versions every evaluation was at the end of an epoch.
            progress.since_best = (progress.epoch - 1 - progress.best_epoch) // self._training.evaluate_every
        return progress.since_best

    def _value(self, figures: Figures) -> float:
        metric = self._training.metric
        if self._training.select_on == "mean":
            return self._sign * (figures["seen=hidden"][metric] + figures["seen=ranked"][metric]) / 2
        return self._sign * figures[self._training.select_on][metric]
