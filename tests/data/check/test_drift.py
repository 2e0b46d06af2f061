from __future__ import annotations

import polars as pl
from tests.data.check.clean import USERS, check, found, log, silent

from attrformer.data.check import Severity


def test_items_that_only_appear_as_targets_are_cold() -> None:
    last = pl.col("timestamp") == pl.col("timestamp").max().over("user_id")
    spoiled = log().with_columns(item_id=pl.when(last).then(pl.lit(10_000) + pl.col("user_id")).otherwise("item_id"))
    finding = found(check(spoiled), "cold-targets-leave-one-out")
    assert finding.severity is Severity.WARNING
    assert finding.evidence["test_targets"] == finding.evidence["cold_item_targets"] == USERS
    assert finding.evidence["cold_user_targets"] == 0
    assert silent(check(log()), "cold-targets-leave-one-out")


def test_users_who_come_late_are_cold_under_the_time_split() -> None:
    late = log(20, seed=1).with_columns(pl.col("user_id") + 10_000, pl.col("timestamp") + 10_000_000)
    items = late.with_columns(item_id=pl.Series(log()["item_id"].sample(len(late), seed=0)))
    finding = found(check(pl.concat([log(200), items])), "cold-targets-time")
    assert finding.evidence["cold_user_targets"] > 0
    assert finding.evidence["users_without_training"] >= 20


def test_popularity_that_moves_to_other_items_is_told() -> None:
    early, late = log(200), log(60).with_columns(pl.col("item_id") + 5_000, pl.col("timestamp") + 50_000_000)
    finding = found(check(pl.concat([early, late])), "popularity-drift")
    # The end of the early users' histories lies in the window, too.
    assert float(finding.evidence["distance"] or 0) > 0.9 > 0.5 > float(finding.evidence["distance_by_chance"] or 0)
    assert float(finding.evidence["top_20_share_after"] or 0) < 0.05
    assert silent(check(log(200)), "popularity-drift")


def test_training_after_test_targets_is_told_where_users_come_one_after_another() -> None:
    one_after_another = log(200).sort("user_id").with_columns(timestamp=1_600_000_000 + pl.int_range(pl.len()) * 60)
    finding = found(check(one_after_another), "trained-ahead")
    assert finding.evidence["training_interactions"] == 200 * 6
    assert abs(int(finding.evidence["later"]) - 600) <= 6  # type: ignore[arg-type]
    last_together = log(200).with_columns(
        timestamp=pl.when(pl.int_range(pl.len()).reverse().over("user_id") < 2)
        .then(pl.col("timestamp") + 100_000_000)
        .otherwise("timestamp")
    )
    assert silent(check(last_together), "trained-ahead")
