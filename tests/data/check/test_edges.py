from __future__ import annotations

import numpy as np
import polars as pl
from tests.data.check.clean import check, found, log, silent

LOG = log(300, 200, 8)
LAST = LOG.sort("user_id", "timestamp").group_by("user_id", maintain_order=True).agg(pl.col("item_id").tail(2))


def edges(source: pl.Series, target: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"source_item_id": source, "target_item_id": target, "relation": ["bought"] * len(source)})


def test_edges_that_are_the_test_pairs_are_found_with_exact_counts() -> None:
    known = edges(LAST["item_id"].list.get(0), LAST["item_id"].list.get(1)).head(120)
    finding = found(check(LOG, None, None, known), "edges-name-held-out-pairs")
    assert finding.evidence["relation"] == "bought"
    assert finding.evidence["leave-one-out test_pairs"] == 300
    assert int(finding.evidence["leave-one-out named"] or 0) >= 120
    assert float(finding.evidence["leave-one-out lift"] or 0) > 20
    assert "Transitions of training are not named more often" in finding.detail


def test_edges_of_training_transitions_are_known_for_what_they_are() -> None:
    rows = LOG.sort("user_id", "timestamp").with_columns(
        after=pl.col("item_id").shift(-1).over("user_id"), back=pl.int_range(pl.len()).reverse().over("user_id")
    )
    train = rows.filter(pl.col("back") > 2)
    # Half of the pairs of training and some of the test.
    mixed = pl.concat(
        [
            edges(train["item_id"], train["after"]),
            edges(LAST["item_id"].list.get(0), LAST["item_id"].list.get(1)).head(60),
        ]
    )
    finding = found(check(LOG, None, None, mixed), "edges-name-held-out-pairs")
    assert "Transitions of training are named more often still" in finding.detail
    lifts = [float(finding.evidence[f"leave-one-out {name}"] or 0) for name in ("lift", "training_lift")]
    assert lifts[0] < lifts[1]


def test_edges_that_name_pairs_as_often_as_chance_are_left_alone() -> None:
    random = np.random.default_rng(1)
    ids = LOG["item_id"].unique().to_numpy()
    known = edges(pl.Series(random.choice(ids, 4_000)), pl.Series(random.choice(ids, 4_000)))
    assert silent(check(LOG, None, None, known), "edges-name-held-out-pairs")


def test_edges_to_themselves_are_noted() -> None:
    ids = LOG["item_id"].unique().head(3)
    finding = found(check(LOG, None, None, edges(ids, ids)), "edges-to-themselves")
    assert finding.evidence == {"edges": 3, "to_themselves": 3}
