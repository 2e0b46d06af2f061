from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tests.models.counting import answers, check_batching, check_round_trip
from tests.relations.builders import dataset, sequences
from tests.support.baselines import DATA

from attrformer.models.baselines.popularity import PopularityConfig


def test_every_history_gets_the_training_counts() -> None:
    data = dataset(sequences([[0, 1, 1], [1, 2], [1, 2, 0, 4]]), 5)
    scores = answers(PopularityConfig(), data, [[3], [0, 1, 2, 4]])
    assert scores.tolist() == [[2.0, 4.0, 2.0, 0.0, 1.0]] * 2


def test_scores_do_not_depend_on_the_batch() -> None:
    check_batching(PopularityConfig())
    counts = torch.from_numpy(np.bincount(DATA.sequences.items, minlength=DATA.item_count)).float()
    assert torch.equal(answers(PopularityConfig(), DATA, [[0]])[0], counts)


def test_fit_save_and_load(tmp_path: Path) -> None:
    check_round_trip("popularity", tmp_path)
