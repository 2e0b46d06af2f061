from __future__ import annotations

import polars as pl
import pytest
from tests.data.check.clean import START, USERS, check, found, log, silent

from attrformer.data import Dataset, shuffle_same_time
from attrformer.data.check import Severity


def placed(interactions: pl.DataFrame) -> pl.DataFrame:
    """With the place of each row in its user's history, from the last one back."""
    return interactions.with_columns(back=pl.int_range(pl.len()).reverse().over("user_id"))


def test_data_without_times_are_noted() -> None:
    report = check(log().drop("timestamp"))
    assert found(report, "no-times").severity is Severity.NOTE
    assert silent(report, "same-time-targets", "implausible-times", "constant-times")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("created_at", pl.col("timestamp")),
        ("t", pl.col("timestamp") * 1000),
        ("Order Date", pl.from_epoch("timestamp")),
        ("event_time", pl.from_epoch("timestamp").dt.to_string("%d.%m.%Y %H:%M:%S")),
        ("TIMESTAMP", pl.from_epoch("timestamp").dt.to_string("%Y-%m-%d %H:%M:%S")),
    ],
)
def test_times_under_another_name_are_a_warning(name: str, values: pl.Expr) -> None:
    finding = found(check(log().with_columns(values.alias(name)).drop("timestamp")), "no-times")
    assert finding.severity is Severity.WARNING
    assert f"though '{name}' seems to hold some" in finding.title
    assert f"timestamp={name}" in finding.fix


def test_other_numbers_are_not_taken_for_times() -> None:
    other = log().with_columns(price=pl.col("timestamp") % 1000, update=pl.lit("a b")).drop("timestamp")
    assert found(check(other), "no-times").severity is Severity.NOTE


def test_one_time_for_everything_is_a_warning() -> None:
    finding = found(check(log().with_columns(timestamp=pl.lit(START))), "constant-times")
    assert (finding.severity, finding.evidence) == (Severity.WARNING, {"time": START, "date": "2020-09-13"})


def test_times_before_1990_and_in_the_future_are_named_with_their_rows() -> None:
    spoiled = log().with_columns(
        timestamp=pl.when(pl.int_range(pl.len()) == 3)
        .then(20220408)
        .when(pl.int_range(pl.len()) == 5)
        .then(4_000_000_000)
        .otherwise("timestamp")
    )
    finding = found(check(spoiled), "implausible-times")
    assert finding.severity is Severity.WARNING
    assert (finding.evidence["before_1990"], finding.evidence["in_the_future"]) == (1, 1)
    assert (finding.evidence["first"], finding.evidence["last"]) == ("1970-08-23", "2096-10-02")
    assert any(f"user {spoiled['user_id'][3]}, item {spoiled['item_id'][3]}" in example for example in finding.examples)
    assert silent(check(log()), "implausible-times")


def test_a_value_that_stands_for_an_unknown_time_is_found() -> None:
    spoiled = log().with_columns(
        timestamp=pl.when(pl.int_range(pl.len()) % 10 == 0).then(1_500_000_000).otherwise("timestamp")
    )
    finding = found(check(spoiled), "default-time")
    assert finding.evidence["time"] == 1_500_000_000
    assert finding.evidence["interactions"] == len(log()) // 10
    assert finding.evidence["interactions_at_the_next_most_frequent_time"] == 1
    assert silent(check(log()), "default-time")


@pytest.mark.parametrize("carried", [1, 2])
def test_last_times_that_repeat_the_time_before_look_carried_forward(carried: int) -> None:
    times = pl.col("timestamp").get(pl.len() - 1 - carried).over("user_id")
    spoiled = placed(log()).with_columns(timestamp=pl.when(pl.col("back") < carried).then(times).otherwise("timestamp"))
    finding = found(check(spoiled.drop("back")), "carried-forward-times")
    assert finding.severity is Severity.WARNING
    rates = [finding.evidence[f"share_{name}"] for name in ("last", "last_but_one", "last_but_two", "elsewhere")]
    assert rates == [1, carried - 1, 0, 0]
    assert ("last interaction repeats" in finding.title) == (carried == 1)


def test_times_that_repeat_everywhere_are_not_carried_forward() -> None:
    daily = log().with_columns(timestamp=pl.lit(START) + pl.col("user_id") * 86_400)
    assert silent(check(daily), "carried-forward-times")
    assert silent(check(log()), "carried-forward-times")


def test_targets_at_the_time_of_the_interaction_before_them_are_counted_exactly() -> None:
    times = pl.col("timestamp").get(pl.len() - 2).over("user_id")
    chosen = log()["user_id"].unique().sort().head(15)
    spoiled = placed(log()).with_columns(
        timestamp=pl.when((pl.col("back") == 0) & pl.col("user_id").is_in(chosen.implode()))
        .then(times)
        .otherwise("timestamp")
    )
    finding = found(check(spoiled.drop("back")), "same-time-targets")
    assert finding.severity is Severity.WARNING
    assert finding.title.startswith("25 % of the leave-one-out test targets")
    assert finding.evidence["leave-one-out test targets"] == USERS
    assert finding.evidence["leave-one-out test targets at the time before"] == 15
    assert finding.evidence["leave-one-out validation targets at the time before"] == 0
    assert finding.evidence["share_of_all"] == pytest.approx(15 / (USERS * 7), rel=1e-3)
    assert "data.same_time=shuffled" in finding.fix
    assert silent(check(log()), "same-time-targets")


def ties(descending: bool) -> pl.DataFrame:
    """Two items a day, in the order of their ids."""
    daily = log().with_columns(timestamp=START + (pl.int_range(pl.len()).over("user_id") // 2) * 864_000)
    return daily.sort("user_id", "timestamp", "item_id", descending=[False, False, descending])


@pytest.mark.parametrize("descending", [False, True])
def test_items_of_one_time_in_the_order_of_their_ids_are_found(descending: bool) -> None:
    finding = found(check(ties(descending)), "same-time-id-order")
    assert finding.severity is Severity.WARNING
    assert finding.evidence["share_ascending"] == (0 if descending else 1)
    assert finding.evidence["steps"] == USERS * 4
    assert "descending" in finding.title if descending else "ascending" in finding.title


def test_an_arbitrary_order_is_no_warning() -> None:
    dataset = shuffle_same_time(Dataset.from_frames(ties(False)))
    report = dataset.check(shuffled=True)
    assert silent(report, "same-time-id-order")
    assert found(report, "same-time-targets").severity is Severity.NOTE
    # And what is shuffled is in no order, whether or not that is told.
    assert silent(dataset.check(), "same-time-id-order")


def test_times_of_days_are_noted() -> None:
    daily = log().with_columns(timestamp=pl.col("timestamp") // 86_400 * 86_400)
    assert found(check(daily), "day-resolution").evidence["first"] == "2020-09-13"
    assert silent(check(log()), "day-resolution")
