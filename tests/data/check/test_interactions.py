from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.data.check.clean import USERS, check, found, log, silent

from attrformer.data.check import Severity, check_path
from attrformer.errors import ConfigurationError


def test_a_log_that_is_there_twice_is_told() -> None:
    finding = found(check(pl.concat([log(), log()])), "duplicate-interactions")
    assert finding.severity is Severity.WARNING
    assert (finding.evidence["duplicates"], finding.evidence["share"]) == (len(log()), 0.5)
    assert finding.evidence["leave-one-out test targets"] == USERS
    assert "the whole log seems to be there twice" in finding.title
    assert silent(check(log()), "duplicate-interactions", "near-duplicate-interactions", "repeats")


@pytest.mark.parametrize(("seconds", "near"), [(60, True), (61, False)])
def test_the_same_item_within_a_minute_is_a_near_duplicate(seconds: int, near: bool) -> None:
    again = log().gather([0, 100]).with_columns(pl.col("timestamp") + seconds)
    report = check(pl.concat([log(), again]))
    assert silent(report, "duplicate-interactions")
    if near:
        finding = found(report, "near-duplicate-interactions")
        assert (finding.severity, finding.evidence["duplicates"]) == (Severity.NOTE, 2)
    else:
        assert silent(report, "near-duplicate-interactions")
    assert found(report, "repeats").evidence["repeats"] == 2


def test_repeated_targets_are_counted_under_each_split() -> None:
    later = pl.col("timestamp").max() + 100_000
    again = log().group_by("user_id", maintain_order=True).agg(pl.col("item_id").first(), later).head(12)
    finding = found(check(pl.concat([log(), again])), "repeats")
    assert finding.severity is Severity.WARNING
    assert finding.evidence["repeats"] == finding.evidence["leave-one-out repeated test targets"] == 12
    assert finding.evidence["leave-one-out share"] == 12 / USERS
    assert "seen=ranked" in finding.fix


def test_short_histories_and_rare_items_are_counted() -> None:
    few = pl.DataFrame({"user_id": [-1, -1, -2], "item_id": [-5, -6, -5], "timestamp": [1_600_000_000] * 3})
    finding = found(check(pl.concat([log(), few])), "short-histories")
    assert finding.severity is Severity.NOTE
    assert finding.evidence == {
        "users_under_3": 2,
        "users_under_5": 2,
        "items_under_5": 2,
        "items_without_interaction": 0,
    }
    assert silent(check(log()), "short-histories")


def test_one_user_with_much_of_the_log_is_a_warning() -> None:
    robot = log(1, 200, 120, seed=1).with_columns(user_id=pl.lit(-7, pl.Int64))
    finding = found(check(pl.concat([log(), robot])), "dominant-user")
    assert finding.examples == ("user -7",)
    assert finding.evidence == {"interactions": 120, "all": 600, "median_user": 8.0}
    assert silent(check(log()), "dominant-user")


def test_few_targets_make_wide_intervals() -> None:
    finding = found(check(log()), "few-targets")
    assert (finding.severity, finding.evidence["test_targets"]) == (Severity.WARNING, USERS)
    assert finding.evidence["half_width_of_95_percent"] == pytest.approx(1.96 * (0.09 / USERS) ** 0.5, abs=1e-4)
    assert silent(check(log(1000)), "few-targets", "no-targets")


def test_nobody_with_three_interactions_is_an_error() -> None:
    finding = found(check(log(each=2)), "no-targets")
    assert (finding.severity, finding.evidence) == (Severity.ERROR, {"longest_history": 2})


def test_only_what_is_predicted_is_a_target(tmp_path: Path) -> None:
    viewed = log().with_columns(event=pl.lit("view"))
    # Everybody buys the first two items that they viewed, some of them the second one twice.
    bought = viewed.group_by("user_id", maintain_order=True).head(2)
    bought = bought.with_columns(pl.col("timestamp") + 7_000_000, event=pl.lit("purchase"))
    again = bought.group_by("user_id", maintain_order=True).tail(1).head(9).with_columns(pl.col("timestamp") + 500)
    pl.concat([viewed, bought, again]).write_csv(tmp_path / "interactions.csv")
    every = check_path(tmp_path)
    assert silent(every, "predicted")
    assert found(every, "repeats").evidence["leave-one-out repeated test targets"] == USERS
    report = check_path(tmp_path, targets="event=purchase")
    told = found(report, "predicted")
    assert told.evidence == {"predicted": 2 * USERS + 9, "share": told.evidence["share"], "users": USERS}
    assert "(targets: event=purchase)" in told.title
    # What was only viewed has not been had.
    assert found(report, "repeats").evidence["leave-one-out repeated test targets"] == 9
    with pytest.raises(ConfigurationError, match=r"data\.targets asks for 'buy'"):
        check_path(tmp_path, targets="event=buy")


def test_too_few_predicted_interactions_are_an_error(tmp_path: Path) -> None:
    viewed = log().with_columns(event=pl.lit("view"))
    bought = viewed.group_by("user_id", maintain_order=True).tail(1)
    bought = bought.with_columns(pl.col("timestamp") + 5, event=pl.lit("purchase"))
    pl.concat([viewed, bought]).write_csv(tmp_path / "interactions.csv")
    finding = found(check_path(tmp_path, targets="event=purchase"), "no-targets")
    assert finding.severity is Severity.ERROR and "--targets" in finding.fix
    assert finding.evidence == {"longest_history": 9, "most_predicted": 1}
