"""Who looks on while a model trains."""

from __future__ import annotations

from typing import Protocol

from attrformer.training.checkpoint import Progress


class Watcher(Protocol):
    """Who looks on while a model trains: a progress bar, a log of metrics."""

    def batch(self, progress: Progress, batches: int, loss: float, targets: int) -> None:
        """Called after each batch."""

    def epoch(self, line: dict[str, object]) -> None:
        """Called after each epoch, and each evaluation within one, with its line of metrics."""
