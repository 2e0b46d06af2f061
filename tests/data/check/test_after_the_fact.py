from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from tests.data.check.clean import check, found, log, silent

from attrformer.data.check import Severity
from attrformer.data.check.after_the_fact import partial_rank_correlation

RANDOM = np.random.default_rng(0)
POPULAR = log(400, 120, 10).with_columns(
    # Some items are taken far oftener than others, and are so early and late alike.
    item_id=pl.Series((RANDOM.random(4_000) ** 3 * 120).astype(int)),
    rating=pl.Series(RANDOM.integers(1, 6, 4_000).astype(float)),
)


def with_column(name: str, values: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"item_id": COUNTS["item_id"], name: values})


COUNTS = POPULAR.group_by("item_id", maintain_order=True).agg(
    pl.len().alias("count"), pl.col("rating").mean().alias("mean"), pl.col("timestamp").min().alias("first")
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["average_rating", "num_reviews", "salesRank"])
def test_columns_whose_name_says_so_are_found(name: str) -> None:
    finding = found(check(POPULAR, with_column(name, pl.Series(RANDOM.random(len(COUNTS))))), "after-the-fact")
    assert finding.columns == (f"items.{name}",) and "its name says so" in finding.title
    # Such a column is not read unless it is declared.
    assert finding.severity is Severity.NOTE


def test_a_count_of_all_interactions_is_found_whatever_its_name() -> None:
    finding = found(check(POPULAR, with_column("x", COUNTS["count"] * 1.5)), "after-the-fact")
    assert finding.evidence["of"] == "interactions"
    assert finding.evidence["rank_correlation_with_all"] == 1.0
    assert float(finding.evidence["partial_rank_correlation"] or 0) > 0.3
    assert "after the split" in finding.title and finding.severity is Severity.WARNING


def test_a_mean_of_all_ratings_is_found_whatever_its_name() -> None:
    finding = found(check(POPULAR, with_column("x", COUNTS["mean"])), "after-the-fact")
    assert finding.evidence["of"] == "the mean rating"
    assert finding.evidence["rank_correlation_with_all"] == pytest.approx(1.0, abs=0.01)


def test_what_has_nothing_to_do_with_it_is_left_alone() -> None:
    assert silent(check(POPULAR, with_column("price", pl.Series(RANDOM.random(len(COUNTS))))), "after-the-fact")
    early = POPULAR.sort("timestamp").head(3_200).group_by("item_id").len()
    known = COUNTS.join(early, on="item_id", how="left", maintain_order="left")["len"].fill_null(0)
    # Counted before the split alone, and so nothing beyond what is known there.
    assert silent(check(POPULAR, with_column("earlier", known.cast(pl.Float64))), "after-the-fact")


def test_dates_after_the_first_interaction_are_found() -> None:
    first = COUNTS["first"].cast(pl.Int64)
    late = pl.Series((first + 86_400 * 30) * 1_000_000).cast(pl.Datetime("us"))
    finding = found(check(POPULAR, with_column("changed", late)), "dates-after-use")
    assert finding.evidence == {"dates": len(COUNTS), "after_first_interaction": len(COUNTS)}
    released = pl.Series([dt.date(2019, 1, 1) + dt.timedelta(days=day) for day in range(len(COUNTS))])
    assert silent(check(POPULAR, with_column("released", released)), "dates-after-use")


def test_partial_rank_correlation_is_that_of_residuals() -> None:
    before, own, noise = (RANDOM.normal(size=500) for _ in range(3))
    after = before + noise
    # For normal variables: corr(own + noise, noise) = 1/sqrt(2); ranks come to about 0.69.
    assert partial_rank_correlation(own + noise + before, after, before) == pytest.approx(0.69, abs=0.05)
    assert partial_rank_correlation(own + before, after, before) == pytest.approx(0.0, abs=0.1)
    assert partial_rank_correlation(before, before, before) == 0.0
    assert partial_rank_correlation(np.ones(5), np.arange(5.0), np.arange(5.0)) == 0.0
