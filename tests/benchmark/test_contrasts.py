"""Figures for groups of targets, exact, whoever knew which these are; and what parts of the model are worth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.benchmark.builders import USERS, add_result, evaluation

from attrformer.benchmark.contrasts import parts, repeats, same_time
from attrformer.benchmark.results import load_board
from attrformer.benchmark.wording import NOTHING
from attrformer.evaluation.metrics import UNREACHABLE_RANK

SAME = np.array([True, False, False, True, False])


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_both_groups_have_their_own_figures(tmp_path: Path) -> None:
    own, rival = evaluation([1, 1, 30, 3, 1], above=30), evaluation([3, 1, 9, 9, 1])
    add_result(tmp_path, "own", own, group="ours")
    add_result(tmp_path, "rival", rival, group="paper")
    add_result(tmp_path, "counts", replace(evaluation([9, 9, 9, 9, 9]), same_time=SAME))
    add_result(tmp_path, "elsewhere", evaluation([1, 1, 1, 1, 1], first_item=7), group="paper")
    header, _, first, *others = cells(same_time(load_board(tmp_path), "shop"))
    assert header == [
        "model",
        "NDCG@20 hidden / ranked of 2 targets at the same time",
        "gain of OWN",
        "NDCG@20 hidden / ranked of 3 targets later",
        "gain of OWN",
    ]
    # A rank of 1 counts 1, of 3 a half, of 9 log 2 / log 10.
    assert first == ["**OWN**", "0.7500 / 0.0000", "-", "0.6667 / 0.0000", "-"]
    assert others == [
        ["RIVAL", "0.4005 / 0.4005", "+87.3 % / -100.0 %", "0.7670 / 0.7670", "-13.1 % / -100.0 %"],
        ["COUNTS", "0.3010 / 0.3010", "+149.1 % / -100.0 %", "0.3010 / 0.3010", "+121.5 % / -100.0 %"],
    ]


def test_one_group_alone_is_shown_alone(tmp_path: Path) -> None:
    add_result(tmp_path, "own", replace(evaluation([1, 3]), same_time=np.array([True, True])), group="ours")
    header, _, own = cells(same_time(load_board(tmp_path), "shop"))
    assert len(header) == 3 and own[1] == "0.7500 / 0.7500"


def test_without_times_nothing_is_said(tmp_path: Path) -> None:
    add_result(tmp_path, "rival", evaluation([1, 3]), group="paper")
    assert same_time(load_board(tmp_path), "shop") == NOTHING
    add_result(tmp_path, "own", evaluation([1, 3]), group="ours")
    assert same_time(load_board(tmp_path), "shop") == NOTHING


def test_repeated_targets_have_their_own_figures(tmp_path: Path) -> None:
    repeated = np.array([False, True, False])
    own, rival = (
        replace(evaluation(hidden), ranks={"hidden": np.array(hidden), "ranked": np.array(ranked)}, repeats=repeated)
        for hidden, ranked in (([1, UNREACHABLE_RANK, 3], [1, 3, 3]), ([1, UNREACHABLE_RANK, 30], [3, 1, 30]))
    )
    add_result(tmp_path, "rival", rival, group="paper")
    line = add_result(tmp_path, "own", replace(own, protocol=replace(own.protocol, repeated_share=1 / 3)), group="ours")
    assert line["repeated_share"] == 1 / 3
    assert line["slices"]["seen=ranked"]["repeats"][1]["targets"] == 1
    assert line["test"]["groups"]["repeats"]["repeated"]["seen=hidden"]["NDCG@20"]["value"] == 0.0
    header, _, first, second = cells(repeats(load_board(tmp_path), "shop"))
    assert header[1::2] == [
        "NDCG@20 hidden / ranked of 2 targets that do not repeat",
        "NDCG@20 hidden / ranked of 1 targets that repeat",
    ]
    assert first == ["**OWN**", "0.7500 / 0.7500", "-", "0.0000 / 0.5000", "-"]
    assert second == ["RIVAL", "0.5000 / 0.2500", "+50.0 % / +200.0 %", "0.0000 / 1.0000", "- / -50.0 %"]
    # Ranks under the earlier rule, by which a repeated target could be found, are not compared with these.
    earlier = replace(rival, repeats=None, protocol=replace(rival.protocol, seen="hidden: except the target itself"))
    add_result(tmp_path, "rival", earlier, group="paper", date="2030-01-01T00:00:00+00:00")
    assert len(cells(repeats(load_board(tmp_path), "shop"))) == 3


def test_without_repeated_targets_nothing_is_said(tmp_path: Path) -> None:
    add_result(tmp_path, "rival", evaluation([1, 3]), group="paper")
    assert repeats(load_board(tmp_path), "shop") == NOTHING
    add_result(tmp_path, "own", replace(evaluation([1, 3]), repeats=np.zeros(2, dtype=bool)), group="ours")
    assert repeats(load_board(tmp_path), "shop") == NOTHING


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
