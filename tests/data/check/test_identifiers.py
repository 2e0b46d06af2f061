from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from tests.data.check.clean import ITEMS, check, found, items_of, log, silent

from attrformer.data.check import Severity

WORDS = log().with_columns(
    pl.format("user {}", "user_id").alias("user_id"), pl.format("i{}", "item_id").alias("item_id")
)


def spoil(kind: str) -> pl.DataFrame:
    """One user is called in another way in the last row of the history."""
    name = WORDS["user_id"][0]
    other = {"blanks": f"{name} ", "case": name.upper()}[kind]
    return WORDS.with_columns(user_id=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(other)).otherwise("user_id"))


@pytest.mark.parametrize(("kind", "severity"), [("blanks", Severity.WARNING), ("case", Severity.NOTE)])
def test_ids_that_differ_by_blanks_or_case_are_found(kind: str, severity: Severity) -> None:
    report = check(spoil(kind))
    finding = found(report, f"ids-differ-by-{kind}")
    assert (finding.severity, finding.columns) == (severity, ("interactions.user_id",))
    assert (finding.evidence["groups"], finding.evidence["ids_in_groups"]) == (1, 2)
    assert repr(WORDS["user_id"][0]) in finding.examples[0]
    assert silent(check(WORDS), "ids-differ-by-blanks", "ids-differ-by-case", "ids-differ-by-numbers")
    assert silent(check(log()), "ids-differ-by-blanks", "ids-differ-by-case", "ids-differ-by-numbers")


def test_one_number_that_is_written_in_two_ways_is_found() -> None:
    texts = log().with_columns(pl.col("user_id").cast(pl.String))
    rows = pl.int_range(pl.len())
    spoiled = texts.with_columns(user_id=pl.when(rows == 0).then(pl.col("user_id") + ".0").otherwise("user_id"))
    finding = found(check(spoiled), "ids-differ-by-numbers")
    assert finding.evidence["groups"] == 1 and finding.severity is Severity.WARNING
    assert silent(check(texts), "ids-differ-by-numbers")


@pytest.mark.parametrize("name", ["nan", "-", "Unknown", "N/A"])
def test_an_id_that_stands_for_nobody_is_found(name: str) -> None:
    guests = WORDS.head(40).with_columns(user_id=pl.lit(name))
    finding = found(check(pl.concat([WORDS, guests])), "placeholder-id")
    assert finding.severity is Severity.WARNING
    assert (finding.evidence["interactions"], finding.examples) == (40, (repr(name),))
    assert silent(check(WORDS), "placeholder-id")


def test_zero_is_an_id_like_any_other_unless_it_has_far_more_interactions() -> None:
    zero = log().with_columns(user_id=pl.col("user_id").rank("dense").cast(pl.Int64) - 1)
    assert 0 in zero["user_id"] and silent(check(zero), "placeholder-id")
    guests = log(1, 200, 100, seed=5).with_columns(user_id=pl.lit(0, pl.Int64))
    assert found(check(pl.concat([zero, guests])), "placeholder-id").evidence["interactions"] == 108


def test_ids_without_a_row_and_rows_without_interactions_are_counted() -> None:
    items = pl.concat([items_of(log()).head(30), pl.DataFrame({"item_id": [9_001, 9_002]})])
    finding = found(check(log(), items), "unmatched-items")
    assert finding.severity is Severity.WARNING
    assert (finding.evidence["without_row"], finding.evidence["ids"]) == (ITEMS - 30, ITEMS)
    assert finding.evidence["rows_outside"] == 2
    assert "no interactions: 9001" in finding.examples
    users = pl.DataFrame({"user_id": [*log()["user_id"].unique(), 99_999]})
    report = check(log(), items_of(log()), users)
    assert found(report, "unmatched-users").severity is Severity.NOTE
    assert silent(report, "unmatched-items")


def test_items_that_are_numbered_as_they_appear_are_a_warning() -> None:
    walked = log(200, 300, 10).sort("user_id", maintain_order=True)
    numbers = {item: number for number, item in enumerate(walked["item_id"].unique(maintain_order=True), 1)}
    finding = found(check(walked.with_columns(pl.col("item_id").replace_strict(numbers))), "ids-by-first-appearance")
    assert finding.severity is Severity.WARNING
    assert "id_order" in finding.fix
    shuffled = dict(zip(numbers, np.random.default_rng(0).permutation(len(numbers)).tolist(), strict=True))
    report = check(walked.with_columns(pl.col("item_id").replace_strict(shuffled)))
    assert silent(report, "ids-by-first-appearance", "ids-by-first-interaction")
