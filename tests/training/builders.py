"""A trainer on a small dataset, with a watcher that keeps what it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from tests.models.builders import examples_of, network_of

from attrformer.data.dataset import Dataset
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.relations.relation_set import RelationSet
from attrformer.training.checkpoint import CheckpointFolder, Progress
from attrformer.training.config import TargetConfig, TrainingConfig
from attrformer.training.trainer import Trainer

FAST = TrainingConfig(epochs=3, patience=99, batch_targets=96, learning_rate=0.01, relation_rate=1.0, warm_up=1)


@dataclass
class Notes:
    """A watcher that keeps lines and losses; `interrupt` may act after a batch."""

    interrupt: Callable[[Progress], None] | None = None
    losses: list[float] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def batch(self, progress: Progress, batches: int, loss: float, targets: int) -> None:
        self.losses.append(loss)
        if self.interrupt is not None:
            self.interrupt(progress)

    def epoch(self, line: dict[str, Any]) -> None:
        self.lines.append(line)


def rising() -> Callable[[], dict[str, dict[str, float]]]:
    """Validation figures that rise with each call, so that the last epoch is the best."""
    calls = iter(range(1, 10_000))

    def figures() -> dict[str, dict[str, float]]:
        value = next(calls) / 10_000
        return {"seen=hidden": {"NDCG@20": value}, "seen=ranked": {"NDCG@20": value}}

    return figures


def trainer_of(
    data: Dataset,
    relations: RelationSet,
    *,
    training: TrainingConfig = FAST,
    target: TargetConfig | None = None,
    folder: Path | None = None,
    notes: Notes | None = None,
    validate: Callable[[], dict[str, dict[str, float]]] | None = None,
    network: AttrFormerNetwork | None = None,
    **model: Any,
) -> Trainer:
    target = target or TargetConfig()
    return Trainer(
        network or network_of(relations, shaken=False, **model),
        examples_of(data, relations, training=training, target=target),
        validate or rising(),
        torch.from_numpy(relations.popularity),
        training,
        target,
        torch.float32,
        None if folder is None else CheckpointFolder(folder),
        notes or Notes(),
    )


def trained(data: Dataset, relations: RelationSet, **options: Any) -> tuple[Trainer, Notes]:
    """A trainer after `fit`, and what was noted."""
    notes = Notes()
    model = {name: options.pop(name) for name in list(options) if name not in FAST.__dict__}
    torch.manual_seed(0)
    trainer = trainer_of(data, relations, training=replace(FAST, **options), notes=notes, **model)
    trainer.fit()
    return trainer, notes
