"""What the check says of data that nothing is wrong with, and that it can say something of any data."""

from __future__ import annotations

import io
import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tests.data.check.clean import EACH, ITEMS, USERS, check, found, items_of, log

from attrformer.data import Dataset
from attrformer.data.check import CHECKS, Severity
from attrformer.data.sample import sample_dataset
from attrformer.errors import AttrFormerError


def test_clean_data_have_no_error_and_only_the_warning_that_they_are_few() -> None:
    report = check(log())
    assert [finding.id for finding in report.from_on("warning")] == ["few-targets"]
    assert {finding.id for finding in report.of("note")} <= {"cold-targets-time", "trained-ahead"}
    assert report.facts["users"] == USERS and report.facts["items"] == ITEMS
    assert report.facts["interactions"] == USERS * EACH and report.facts["median_history"] == EACH


def test_the_embedded_sample_has_no_error_and_no_warning() -> None:
    assert sample_dataset().check().from_on("warning") == ()


def test_every_finding_tells_what_to_do_in_plain_values() -> None:
    spoiled = log().with_columns(timestamp=pl.lit(0), user_id=pl.col("user_id").cast(pl.String) + " ")
    report = check(pl.concat([spoiled, spoiled]), items_of(log()).with_columns(x=pl.lit("a")))
    assert len(report.findings) > 3
    for finding in report.findings:
        assert finding.fix and not finding.fix.endswith(".") and not finding.title.endswith(".")
        assert finding.detail == "" or finding.detail.endswith(".")
    assert json.loads(json.dumps(report.to_json())) == report.to_json()
    assert [finding.severity.rank for finding in report.findings] == sorted(f.severity.rank for f in report.findings)


def test_a_check_can_be_added_in_one_place() -> None:
    assert len(CHECKS) == len(set(CHECKS)) >= 20


def test_the_text_holds_every_finding_and_every_column() -> None:
    report = check(log(), items_of(log(), price=[number / 4 for number in range(ITEMS)]))
    text = str(report)
    for finding in report.findings:
        assert f"[{finding.id}]" in text.replace("\n    ", " ")
    assert "items.price: item attribute, numeric" in text and "interactions.timestamp: time" in text
    assert max(map(len, text.splitlines())) <= 110


def test_the_short_form_names_columns_and_warnings_within_its_lines() -> None:
    items = pl.DataFrame({"item_id": log()["item_id"].unique(), "brand": ["a", "b"] * 20, "note": map(str, range(40))})
    report = check(log().with_columns(timestamp=pl.lit(1_600_000_000)), items)
    lines = report.short()
    assert len(lines) <= 15
    assert lines[0] == "interactions: user_id user; item_id item; timestamp time"
    assert lines[1].startswith("items: item_id id; brand categorical (2 values); note not used (")
    assert "Warning: all interactions have the same time." in lines
    assert len(report.short(4)) == 4


def test_severities_are_ordered() -> None:
    report = check(log().with_columns(timestamp=pl.lit(0)))
    assert report.from_on("error") == report.of("error") != ()
    assert report.from_on(Severity.NOTE) == report.findings
    assert found(report, "implausible-times").severity is Severity.ERROR
    with pytest.raises(ValueError):
        report.of("grave")


IDS = st.one_of(st.integers(-3, 12), st.integers(0, 2**62))
TEXTS = st.text(alphabet=" aAb1.|,-é\n", max_size=4)
ROWS = st.integers(1, 40)


@st.composite
def datasets(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Interactions, items and edges of few ids, of any kind, in any order, at any times."""
    kind = draw(st.sampled_from([IDS, TEXTS]))
    ids = draw(st.lists(kind, min_size=1, max_size=8, unique=True))
    rows = draw(ROWS)
    some = st.lists(st.sampled_from(ids), min_size=rows, max_size=rows)
    table = {"user_id": draw(some), "item_id": draw(some)}
    times = st.one_of(st.integers(0, 5), st.integers(-(2**35), 2**36), st.just(1_600_000_000))
    if draw(st.booleans()):
        table["timestamp"] = draw(st.lists(times, min_size=rows, max_size=rows))
    if draw(st.booleans()):
        values = st.one_of(st.none(), st.floats(-5, 5), st.just(float("nan")))
        table["rating"] = pl.Series(draw(st.lists(values, min_size=rows, max_size=rows)), dtype=pl.Float64)
    values = st.one_of(st.none(), TEXTS, st.sampled_from(["2020-01-01", "['a', 'b']", "NA", "12", "a, b"]))
    columns = {
        "text": pl.Series(draw(st.lists(values, min_size=len(ids), max_size=len(ids))), dtype=pl.String),
        "number": pl.Series(draw(st.lists(st.one_of(st.none(), IDS), min_size=len(ids), max_size=len(ids)))),
        "rating": pl.Series(np.arange(len(ids)) / 2),
    }
    edges = draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=12))
    ends = {name: [edge[place] for edge in edges] for place, name in enumerate(("source_item_id", "target_item_id"))}
    relations = pl.DataFrame({**ends, "relation": ["bought"] * len(edges)}, schema_overrides={"relation": pl.String})
    return pl.DataFrame(table), pl.DataFrame({"item_id": ids, **columns}), relations


@pytest.mark.slow
@given(datasets())
@settings(max_examples=60)
def test_whatever_can_be_loaded_can_be_checked(tables: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]) -> None:
    interactions, items, edges = tables
    try:
        dataset = Dataset.from_frames(interactions, items, None, edges)
    except AttrFormerError:
        return
    for report in (dataset.check(), dataset.check(interactions, items, None, edges)):
        assert json.loads(json.dumps(report.to_json(), allow_nan=False)) == report.to_json()
        assert str(report) and len(report.short()) <= 15
        for finding in report.findings:
            for name, value in finding.evidence.items():
                assert not (isinstance(value, float) and "share" in name) or 0 <= value <= 1, (finding.id, name, value)


def test_what_stands_in_the_data_cannot_steer_a_terminal_nor_fill_it() -> None:
    name = "\x1b[31mred\n[bold]"
    names = log().with_columns(user_id=pl.format(name + "{}", "user_id"), item_id=pl.format("{} item", "item_id"))
    twice = pl.concat([names, names])
    items = items_of(names, **{name: ["x" * 10_000, "y"] * (ITEMS // 2)})
    report = check(twice, items)
    for text in (str(report), "\n".join(report.short())):
        assert "\x1b" not in text and "\\x1b[31mred\\n[bold]" in text.replace("\n    ", "")
    stream = io.StringIO()
    Console(file=stream, width=200).print(report)
    assert "\x1b" not in stream.getvalue() and "[bold]" in stream.getvalue()
    assert max(len(example) for finding in report.findings for example in finding.examples) < 200
