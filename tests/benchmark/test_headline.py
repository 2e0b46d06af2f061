"""The headline: never a row that reads the order of ids, the networks that validation prefers, groups apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.benchmark.builders import USERS, add_result, evaluation, random_ranks

from attrformer.benchmark.headline import groups, headline, headline_rows
from attrformer.benchmark.results import Board, load_board
from attrformer.evaluation.evaluation import Evaluation

FREE = {
    "training_seconds": 1.0,
    "seconds_per_epoch": 0.0,
    "evaluation_seconds": 1.0,
    "epochs": 1,
    "peak_memory_mib": 1.0,
    "parameters": 0,
}
"""What a model without training costs."""


def board(folder: Path) -> Board:
    """Five networks and two models without training; the best of ours reads the order of ids."""
    made = {name: evaluation(random_ranks(number, 60)) for number, name in enumerate(("own", "a", "b", "c", "d"))}
    for name, one in made.items():
        selected = {"epoch": 1, "value": 0.1 if name == "own" else "dcba".index(name) / 10}
        add_result(folder, name, one, group="ours" if name == "own" else "paper", selected=selected)
    by_ids = evaluation(random_ranks(9, 3))
    add_result(folder, "ids", by_ids, "relations.id_order=true", group="ours", selected={"epoch": 1, "value": 0.9})
    for name in ("cooccurrence_attributes", "popularity"):
        add_result(folder, name, evaluation(random_ranks(7, 100)), selected={}, cost=FREE)
    return load_board(folder)


def test_no_headline_row_reads_the_order_of_ids(tmp_path: Path) -> None:
    rows = [row.row for row in headline_rows(board(tmp_path), "shop")]
    assert rows == ["own", "a", "b", "c", "cooccurrence_attributes", "popularity"]


def test_the_headline_states_its_protocol(tmp_path: Path) -> None:
    text = headline(board(tmp_path), {"The shop": "shop"})
    assert text.splitlines()[2].startswith("| The shop | **OWN** |")
    assert f"shop | {USERS} users | all 200 items ranked | leave-one-out test" in text
    assert "IDS" not in text


def grouped() -> Evaluation:
    """An evaluation with last targets, two new users, and items nobody took in training."""
    found = evaluation(random_ranks(1, 60))
    new = np.zeros(USERS, dtype=bool)
    new[:2] = True
    return replace(found, last=np.arange(USERS) % 2 == 0, new_users=new)


def test_last_targets_new_items_and_new_users_stand_apart(tmp_path: Path) -> None:
    found = grouped()
    add_result(tmp_path, "own", found, group="ours")
    header, _, row = groups(load_board(tmp_path), "shop").splitlines()
    halves = found.groups["new_users"]
    assert "new users (2)" in header and f"each user's last target ({USERS // 2})" in header
    figures = [halves["new users"].figures[seen]["NDCG@20"].value for seen in ("hidden", "ranked")]
    assert row.endswith(f"| {figures[0]:.4f} / {figures[1]:.4f} |")


def test_nothing_is_said_where_no_target_is_to_be_seen_apart(tmp_path: Path) -> None:
    add_result(tmp_path, "own", replace(evaluation(random_ranks(1, 60)), popularity=None), group="ours")
    assert groups(load_board(tmp_path), "shop") == ""
