"""What parts are worth, side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.benchmark.builders import USERS, add_result, evaluation

from attrformer.benchmark.parts import parts
from attrformer.benchmark.results import load_board
from attrformer.benchmark.wording import NOTHING

BEST, SECOND = np.ones(USERS, dtype=np.int64), np.full(USERS, 3)
"""NDCG 1 for everybody, and 1 / log2(4) = .5."""
ONE_WORSE = np.concatenate([[3], BEST[1:]])


def test_each_part_on_each_dataset(tmp_path: Path) -> None:
    add_result(tmp_path, "own", evaluation(BEST), group="ours")
    add_result(tmp_path, "great", evaluation(SECOND), group="ablation")
    add_result(tmp_path, "small", evaluation(ONE_WORSE), group="ablation")
    add_result(tmp_path, "own", evaluation(SECOND, dataset="store"), group="ours")
    add_result(tmp_path, "added", evaluation(BEST, above=2, dataset="store"), group="ablation")
    _, _, *rows = parts(load_board(tmp_path), ["shop", "store", "nowhere"]).splitlines()
    # Taking half away halves the figure; one user of sixty may be chance; two seen items above undo what was added.
    assert rows == [
        "| GREAT | -50.0 / -50.0 | - | - |",
        "| SMALL | (-0.8) / (-0.8) | - | - |",
        "| ADDED | - | +100.0 / (+0.0) | - |",
    ]


def test_without_results_there_is_no_table(tmp_path: Path) -> None:
    add_result(tmp_path, "own", evaluation(BEST), group="ours")
    assert parts(load_board(tmp_path), ["shop"]) == NOTHING
