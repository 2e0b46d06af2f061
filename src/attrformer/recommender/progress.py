"""Who looks on while a model trains: a progress bar, and the run folder's log."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from attrformer.recommender.run_folder import RunFolder, passes_of
from attrformer.training import checkpoint

if TYPE_CHECKING:
    from rich.progress import Progress


class TrainingWatcher:
    """Shows progress on standard error and keeps the metrics of each epoch, and of evaluations within it.

    Args:
        epochs: most epochs of the run.
        run: gets each line of metrics, or None.
        shown: whether there is a progress bar.
        metric: that selects the best epoch.
        sign: 1, or -1 where less of it is better.
    """

    def __init__(
        self, epochs: int, run: RunFolder | None, shown: bool, metric: str = "NDCG@20", sign: float = 1.0
    ) -> None:
        self._epochs, self._run, self._metric, self._sign = epochs, run, metric, sign
        self._bar = _bar() if shown else None
        self._task = None if self._bar is None else self._bar.add_task("preparing", total=None, figures="")
        self._best: float | None = None
        self._loss = 0.0
        self._clock, self._seen, self._speed = time.monotonic(), 0, 0.0

    def __enter__(self) -> TrainingWatcher:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def batch(self, progress: checkpoint.Progress, batches: int, loss: float, targets: int) -> None:
        """Moves the bar.

        Args:
            progress: of the training.
            batches: of this epoch.
            loss: of the batch.
            targets: in the batch.
        """
        if self._bar is None or self._task is None:
            return
        now = time.monotonic()
        self._seen += targets
        if now - self._clock > 1.0:
            self._speed, self._clock, self._seen = self._seen / (now - self._clock), now, 0
        self._loss = progress.loss_sum / (progress.batch - progress.told)
        best = ""
        if progress.best_epoch >= 0:
            best = f" | best {self._metric} {self._sign * progress.best:.4f} (epoch {progress.best_epoch + 1})"
        self._bar.update(
            self._task,
            description=f"epoch {progress.epoch + 1}/{self._epochs}",
            total=batches,
            completed=progress.batch,
            figures=f"loss {self._loss:.4f} | {self._speed:,.0f} targets/s{best}",
        )

    def epoch(self, line: dict[str, Any]) -> None:
        """Prints and keeps a line of metrics."""
        if self._run is not None:
            self._run.add_epoch(line)
        if self._bar is None:
            return
        figures = "".join(
            f" | {variant} {self._metric} {values[self._metric]:.4f}"
            for variant, values in line.get("validation", {}).items()
        )
        self._bar.console.print(
            f"epoch {round(passes_of(line), 2):g}/{self._epochs} | loss {line['loss']:.4f}{figures} | "
            f"{line['seconds']:.1f} s",
            highlight=False,
            soft_wrap=True,
        )


def _bar() -> Progress:
    # A model that is only asked, or trained without a word, shows no bar.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
