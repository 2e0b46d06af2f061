"""Tables of recommendations that anybody made, judged by the metrics of the library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.evaluation.scorers import ITEMS, HistoryScorer, make_targets, run

from attrformer.errors import ConfigurationError, DataError
from attrformer.evaluation import UNREACHABLE_RANK, EvaluationConfig, evaluate_recommendations

HELD_OUT = pl.DataFrame({"user_id": ["a", "b", "c", "d"], "item_id": ["x", "y", "z", "x"]})
TABLE = pl.DataFrame(
    {
        "user_id": ["a", "a", "a", "b", "b", "b", "b", "c", "c", "e"],
        "item_id": ["x", "y", "z", "y", "x", "x", "z", "x", "y", "x"],
        "score": [3.0, 2.0, 1.0, 0.5, 0.7, 0.6, 0.5, 2.0, 1.0, 9.0],
    }
)
SMALL = EvaluationConfig(cutoffs=(1, 3), resamples=50)


def ranks(table: Any, held_out: Any = HELD_OUT, **options: Any) -> list[int]:
    return evaluate_recommendations(table, held_out, config=SMALL, **options).ranking.ranks.tolist()


def test_ties_and_repeated_items_count_against_the_table_and_what_is_missing_is_a_miss() -> None:
    found = evaluate_recommendations(TABLE, HELD_OUT, config=SMALL)
    # y of user b: both rows of x stand above it, and z is as good.
    assert found.ranking.ranks.tolist() == [1, 4, UNREACHABLE_RANK, UNREACHABLE_RANK]
    assert found.values() == {
        "Recall@1": 0.25,
        "Recall@3": 0.25,
        "NDCG@1": 0.25,
        "NDCG@3": 0.25,
        "MRR@1": 0.25,
        "MRR@3": 0.25,
    }
    assert found.counts == {
        "targets without any recommendation": 1,
        "rows of users without a target": 1,
        "rows that repeat an item": 1,
        "rows with an equal score or rank": 2,
    }
    assert "rows that repeat an item" in str(found) and "4 targets of 4 users" in str(found)
    assert found.to_json()["figures"]["Recall@3"]["value"] == 0.25


def test_a_repeated_target_counts_at_its_better_place() -> None:
    table = pl.DataFrame({"user_id": ["a"] * 3, "item_id": ["x", "y", "x"], "score": [1.0, 3.0, 2.0]})
    assert ranks(table, HELD_OUT.head(1)) == [2]
    assert ranks(table.with_columns(score=pl.lit(1.0)), HELD_OUT.head(1)) == [2]


def test_a_stated_rank_is_not_made_better_by_rows_that_are_left_out() -> None:
    table = pl.DataFrame({"user_id": ["a", "a", "b"], "item_id": ["y", "x", "y"], "rank": [1, 7, 3]})
    assert ranks(table, HELD_OUT.head(2)) == [7, 3]
    # Two items at rank 7: the target is the second of them, and still not better than its rank.
    tied = pl.DataFrame({"user_id": ["a"] * 3, "item_id": ["y", "x", "z"], "rank": [1, 1, 1]})
    assert ranks(tied, HELD_OUT.head(1)) == [3]


def test_the_catalogue_gives_coverage_and_makes_other_items_misses() -> None:
    train = pl.DataFrame({"user_id": ["a", "b", "b"], "item_id": ["y", "x", "y"]})
    items = pl.DataFrame({"item_id": ["x", "y", "w", "v"]})
    found = evaluate_recommendations(TABLE, HELD_OUT, train=train, items=items, config=SMALL)
    assert found.metric("Coverage@3").value == 0.5
    assert found.counts["targets outside of the catalogue"] == 1
    assert found.counts["rows of items outside of the catalogue"] == 2
    table = pl.DataFrame({"user_id": ["c"], "item_id": ["z"], "rank": [1]})
    assert ranks(table) == [UNREACHABLE_RANK, UNREACHABLE_RANK, 1, UNREACHABLE_RANK]
    assert ranks(table, items=items) == [UNREACHABLE_RANK] * 4
    # Without a catalogue of its own it is what was taken in training or held out: x, y and z.
    assert evaluate_recommendations(TABLE, HELD_OUT, train=train, config=SMALL).metric("Coverage@1").value == 1 / 3


def test_figures_are_those_of_the_evaluator_on_the_same_lists() -> None:
    targets = make_targets(60)
    found = run(targets)
    scores = HistoryScorer().score(targets.users, targets.contexts).numpy()
    users, items = np.indices(scores.shape)
    table = pd.DataFrame({"user_id": users.ravel(), "item_id": items.ravel(), "score": scores.ravel()})
    held_out = pd.DataFrame({"user_id": range(60), "item_id": targets.items})
    popular = pd.DataFrame({"item_id": np.repeat(np.arange(ITEMS), np.arange(ITEMS))})
    catalogue = pd.DataFrame({"item_id": range(ITEMS)})
    ours = evaluate_recommendations(
        table, held_out, train=popular, items=catalogue, config=EvaluationConfig(resamples=30)
    )
    np.testing.assert_array_equal(ours.ranking.ranks, found.ranks["ranked"])
    assert ours.names == found.names
    for name in found.names:
        assert ours.metric(name).value == pytest.approx(found.metric(name, "ranked").value, abs=1e-12), name


def test_users_with_several_targets_are_resampled_together_and_tables_compared() -> None:
    held_out = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [10, 11, 10]})
    better = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [10, 11, 10], "rank": [1, 2, 1]})
    worse = pl.DataFrame({"user_id": [1, 2], "item_id": [12, 12], "rank": [1, 1]})
    first, second = (evaluate_recommendations(table, held_out, config=SMALL) for table in (better, worse))
    assert first.ranking.users is not None and first.ranking.users.tolist() == [0, 0, 1]
    test = first.compare(second, "Recall@3")
    assert test.difference.value == 1 and test.users == 2
    other = evaluate_recommendations(better, held_out.head(2), config=SMALL)
    with pytest.raises(DataError, match="different targets"):
        first.compare(other)


def test_ids_may_be_written_as_text_or_as_numbers() -> None:
    held_out = pl.DataFrame({"user_id": [1, 2], "item_id": [10, 11]})
    table = pl.DataFrame({"user_id": ["1", "2"], "item_id": ["10", "11"], "rank": [1, 2]})
    assert ranks(table, held_out) == [1, 2]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.drop("score"), "neither 'rank' nor 'score'"),
        (TABLE.drop("item_id"), "no column 'item_id'"),
        (TABLE.with_columns(score=pl.lit(None)), "None is no score"),
        (TABLE.with_columns(score=pl.lit(float("nan"))), "nan is no score"),
        (TABLE.with_columns(score=pl.lit("high")), "'high' is no score"),
        (TABLE.with_columns(rank=pl.lit(0)), r"row 0: 0 is no rank\. Give whole numbers from 1"),
        (TABLE.with_columns(rank=pl.lit(1.5)), r"1\.5 is no rank"),
        (TABLE.with_columns(user_id=pl.lit(None, pl.String)), "the id is missing"),
        (TABLE.with_columns(user_id=pl.lit("u") + pl.col("user_id")), r"none of the ids is held out \('ua', and"),
        (TABLE.with_columns(item_id=pl.lit(1.0)), "ids are Float64"),
    ],
)
def test_what_is_no_table_of_recommendations_is_told(table: pl.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        evaluate_recommendations(table, HELD_OUT)


def test_without_targets_or_a_known_metric_there_are_no_figures() -> None:
    with pytest.raises(DataError, match="there is no target"):
        evaluate_recommendations(TABLE, HELD_OUT.clear())
    with pytest.raises(ConfigurationError, match=r"Unknown metric 'NDGC'\. Did you mean NDCG"):
        evaluate_recommendations(TABLE, HELD_OUT, config=EvaluationConfig(metrics=("NDGC",)))
    with pytest.raises(ConfigurationError, match=r"Coverage@20 needs recommended lists"):
        evaluate_recommendations(TABLE, HELD_OUT).metric("Coverage@20")
