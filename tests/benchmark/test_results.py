"""Results read back: which line counts, means over seeds, comparisons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.benchmark.builders import add_result, evaluation, random_ranks

from attrformer.benchmark.contrasts import contrasts
from attrformer.benchmark.files import append_line
from attrformer.benchmark.results import load_board
from attrformer.errors import CheckpointError
from attrformer.evaluation.bootstrap import mean_intervals, paired_test

NAME = "NDCG@20"


def test_one_result_has_the_stored_interval(tmp_path: Path) -> None:
    found = evaluation(random_ranks(1, 40), above=1)
    add_result(tmp_path, "one", found)
    (result,) = load_board(tmp_path).on("shop")
    assert result.figure(NAME, "ranked") == found.metric(NAME, "ranked")
    assert (result.row, result.title, result.group, result.cost("epochs")) == ("one", "ONE", "reference", 5)


def test_seeds_are_averaged_target_by_target(tmp_path: Path) -> None:
    both = [evaluation(random_ranks(seed, 40)) for seed in (1, 2)]
    for seed, found in zip((7, 3), both, strict=True):
        add_result(tmp_path, "one", found, seed=seed)
    (result,) = load_board(tmp_path).on("shop")
    assert [line["seed"] for line in result.lines] == [3, 7]
    mean = np.mean([found.per_target(NAME) for found in both], axis=0)
    np.testing.assert_allclose(result.per_target(NAME, "hidden"), mean)
    assert result.values(NAME, "hidden") == pytest.approx([found.value(NAME) for found in reversed(both)])
    (expected,) = mean_intervals(mean, resamples=200)
    assert result.figure(NAME, "hidden").value == pytest.approx(expected.value)
    assert result.figure(NAME, "hidden").low == pytest.approx(expected.low)


def test_the_latest_line_counts_and_other_options_are_not_mixed_in(tmp_path: Path) -> None:
    add_result(tmp_path, "one", evaluation(random_ranks(1, 40)), seed=0, date="2025-01-01")
    add_result(tmp_path, "one", evaluation(random_ranks(2, 40)), seed=1, date="2025-01-02")
    add_result(tmp_path, "one", evaluation(random_ranks(3, 9)), "training.clip=1", seed=1, date="2025-03-01")
    (result,) = load_board(tmp_path).on("shop")
    assert [line["date"] for line in result.lines] == ["2025-03-01"]
    found = evaluation(random_ranks(4, 9))
    add_result(tmp_path, "one", found, "training.clip=1", "training.threads=2", seed=0, date="2025-02-01")
    (result,) = load_board(tmp_path).on("shop")
    assert [line["date"] for line in result.lines] == ["2025-02-01", "2025-03-01"]


def test_own_is_chosen_on_validation_and_the_rival_is_the_hardest(tmp_path: Path) -> None:
    add_result(tmp_path, "a", evaluation([1] * 30), group="ours", selected={"value": 0.1})
    add_result(tmp_path, "b", evaluation([9] * 30), group="ours", selected={"value": 0.2})
    add_result(tmp_path, "c", evaluation([3] * 30, above=20), group="paper")
    add_result(tmp_path, "d", evaluation([4] * 30), group="paper")
    add_result(tmp_path, "e", evaluation([1] * 30), group="reference", selected={})
    add_result(tmp_path, "f", evaluation([1] * 30, dataset="other"), group="ours")
    board = load_board(tmp_path)
    own, hidden, ranked = board.own("shop"), board.rival("shop", NAME, "hidden"), board.rival("shop", NAME, "ranked")
    assert own is not None and hidden is not None and ranked is not None
    assert (own.row, hidden.row, ranked.row) == ("b", "c", "d")
    assert board.own("absent") is None and board.rival("other", NAME, "hidden") is None
    assert [result.row for result in board.on("shop", ("reference",))] == ["e"]


def test_contrasts_agree_with_the_paired_test(tmp_path: Path) -> None:
    first, second = evaluation(random_ranks(1, 25)), evaluation(random_ranks(2, 60), above=3)
    add_result(tmp_path, "own", first, group="ours")
    add_result(tmp_path, "other", second)
    own, other = load_board(tmp_path).on("shop")
    found = contrasts(own, [other], NAME)
    for seen in ("hidden", "ranked"):
        expected = paired_test(first.per_target(NAME, seen), second.per_target(NAME, seen), resamples=200)
        contrast = found["other", seen]
        assert contrast.p_value == pytest.approx(expected.p_value)
        assert contrast.difference.value == pytest.approx(expected.difference.value)
        assert contrast.difference.low == pytest.approx(expected.difference.low)
        gain = first.value(NAME, seen) / second.value(NAME, seen) - 1
        assert contrast.gain.value == pytest.approx(gain)
        assert contrast.gain.low < gain < contrast.gain.high


def test_a_gain_of_exactly_a_factor_has_no_width(tmp_path: Path) -> None:
    # Hit or miss for the same users: the ratio is the same in every resample.
    hits = np.where(np.arange(40) % 2, 1, 100)
    add_result(tmp_path, "own", evaluation(hits), group="ours")
    add_result(tmp_path, "other", evaluation(np.where(hits == 1, 3, 100)))
    own, other = load_board(tmp_path).on("shop")
    gain = contrasts(own, [other], NAME)["other", "hidden"].gain
    assert (gain.value, gain.low, gain.high) == pytest.approx((1.0, 1.0, 1.0))


def test_other_targets_or_lost_ranks_are_not_compared(tmp_path: Path) -> None:
    add_result(tmp_path, "own", evaluation([1, 2, 3]), group="ours")
    add_result(tmp_path, "shifted", evaluation([1, 2, 3], first_item=5))
    add_result(tmp_path, "lost", evaluation([1, 2, 3]))
    (tmp_path / "evaluations" / "shop.lost.0.npz").unlink()
    own, *others = load_board(tmp_path).on("shop")
    assert contrasts(own, others, NAME) == {}
    assert others[1].figure(NAME, "hidden").value > 0
    with pytest.raises(CheckpointError, match=r"ranks of lost on shop are missing\. Run it with --again"):
        others[1].per_target(NAME, "hidden")


def test_a_folder_without_results_says_what_to_run(tmp_path: Path) -> None:
    append_line(tmp_path / "speed.jsonl", {"seconds": 3})
    with pytest.raises(CheckpointError, match=r"holds no results\. Run a plan: attrformer benchmark PLAN"):
        load_board(tmp_path)


@pytest.mark.parametrize(("model", "seeds"), [("sasrec", [0, 1]), ("attrformer", [1])])
def test_seeds_go_together_where_their_options_differ_in_what_the_model_does_not_read(
    tmp_path: Path, model: str, seeds: list[int]
) -> None:
    for seed, count in ((0, 32), (1, 64)):
        settings = (f"model.name={model}", f"relations.similar_users_count={count}")
        add_result(
            tmp_path, "one", evaluation(random_ranks(seed, 9)), *settings, seed=seed, date=f"2025-01-0{seed + 1}"
        )
    (result,) = load_board(tmp_path).on("shop")
    assert [line["seed"] for line in result.lines] == seeds
