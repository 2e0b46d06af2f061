"""Trains this project's own SASRec on the split that the peers were given; runs in the driver's environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import handover

from attrformer.config import override, to_dict
from attrformer.data import Dataset, leave_one_out
from attrformer.recommender import Config
from attrformer.recommender.fitting import Fit
from attrformer.recommender.run_folder import RunFolder
from attrformer.recommender.state import ModelState
from attrformer.recommender.storage import save_model

MODEL = "model"


class TimedRun(RunFolder):
    """A run folder that also notes the time and the figure of each epoch."""

    def __init__(self, folder: Path, watch: handover.Stopwatch) -> None:
        super().__init__(folder)
        self.watch = watch
        self.history: list[float] = []

    def add_epoch(self, line: dict[str, Any]) -> None:
        """Writes the metrics of an epoch; validation belongs to it."""
        super().add_epoch(line)
        self.history.append(line["validation"]["seen=ranked"]["NDCG@20"])
        self.watch.epoch()
        print(f"epoch {line['epoch'] + 1}: ndcg@20 {self.history[-1]:.4f}, {self.watch.epochs[-1]:.1f} s", flush=True)


def configuration(options: Any, users: int) -> Config:
    """SASRec with the loss, the shape and the validation that the peers have."""
    return override(
        Config(),
        [
            f"seed={options.seed}",
            "model.name=sasrec",
            "model.loss=full",
            f"model.width={handover.WIDTH}",
            f"model.layers={handover.LAYERS}",
            f"model.heads={handover.HEADS}",
            f"model.dropout={handover.DROPOUT}",
            f"model.max_length={handover.MAX_LENGTH}",
            f"training.learning_rate={handover.LEARNING_RATE}",
            f"training.epochs={options.epochs}",
            f"training.patience={options.patience}",
            f"training.threads={options.threads}",
            f"training.validation_users={users}",
            "training.select_on=seen=ranked",
            "training.device=cpu",
        ],
    )


def main() -> None:
    """Trains, and hands the model and measurements over."""
    options = handover.parse(__doc__ or "")
    watch = handover.Stopwatch()
    with watch.stage("prepare"):
        dataset = Dataset.load(options.split / "data")
        split = leave_one_out(dataset)
    config = configuration(options, dataset.user_count)
    run = TimedRun(options.out, watch)
    with watch.stage("train"):
        fitted: ModelState = Fit(config, dataset, split, run, False, False)()
    memory = handover.peak_memory()
    save_model(fitted, config, options.out / MODEL)
    handover.write_result(
        options.out,
        handover.measurements(
            options,
            watch,
            packages=("attrformer", "torch", "numpy", "polars"),
            # The loss of the model, which the peers have as well, and not which items it is summed over.
            settings=to_dict(config.training) | to_dict(config.model),
            parameters=sum(weights.numel() for weights in fitted.network.parameters()),
            validation=run.history,
            memory=memory,
        ),
    )


if __name__ == "__main__":
    main()
