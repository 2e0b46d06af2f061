"""RecTools' SASRec recommends for everybody as often as it is asked to; runs in an environment of its own.

Reads histories, trains on a few batches, since weights do not change what a recommendation takes, and then answers
lines of JSON on standard input: settings of its recommendation, or nothing for the defaults. Each answer is a line with
the processor seconds of one call, and how many rows it gave.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from typing import Any

import handover
import numpy as np
import pytorch_lightning as lightning
import torch
from rectools import Columns
from rectools.models import SASRecModel
from train_rectools import dataset_of

BATCHES = 20


def trained(dataset: Any) -> SASRecModel:
    """A model of the settings that `run.py` compares, after a few batches."""

    def trainer() -> lightning.Trainer:
        return lightning.Trainer(
            max_epochs=1,
            limit_train_batches=BATCHES,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
        )

    model = SASRecModel(
        n_factors=handover.WIDTH,
        n_blocks=handover.LAYERS,
        n_heads=handover.HEADS,
        dropout_rate=handover.DROPOUT,
        session_max_len=handover.MAX_LENGTH,
        loss="softmax",
        # Less memory than the default takes; only training sees it.
        batch_size=16,
        recommend_torch_device="cpu",
        get_trainer_func=trainer,
    )
    return model.fit(dataset)


def main() -> None:
    """Trains, says so, and answers."""
    warnings.filterwarnings("ignore")
    # What libraries print is not for whoever reads the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    handover.limit_threads(1)
    torch.manual_seed(0)
    with np.load(sys.argv[1]) as stored:
        table = np.column_stack([stored["users"], stored["items"], stored["places"]])
    dataset = dataset_of(table)
    model, users = trained(dataset), np.unique(table[:, 0])
    dtype = str(next(model.torch_model.parameters()).dtype)
    print(json.dumps({"dtype": dtype, "process": os.getpid()}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        model.recommend_batch_size = asked.get("batch", 256)
        model.recommend_use_torch_ranking = asked.get("torch_ranking", True)
        model.recommend_n_threads = 1
        started = time.process_time()
        found = model.recommend(users, dataset, k=asked["k"], filter_viewed=True)
        used = time.process_time() - started
        rows = {"seconds": used, "rows": len(found), "users": found[Columns.User].nunique()}
        print(json.dumps(rows), file=answers, flush=True)


if __name__ == "__main__":
    main()
