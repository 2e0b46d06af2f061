from __future__ import annotations

from typing import Any

import polars as pl
from tests.data.check.clean import ITEMS, check, found, items_of, log, silent

from attrformer.data import Dataset
from attrformer.data.check import CheckReport, Severity

PATHS = [f"Beauty > {('Hair', 'Face')[number % 2]} > Kind {number % 7}" for number in range(ITEMS)]
TEXTS = [f"A brush of kind {number} for {number * 7} people" for number in range(ITEMS)]


def of_column(values: Any, **kinds: str) -> CheckReport:
    items = items_of(log(), feature=values)
    return Dataset.from_frames(log(), items, kinds=kinds).check(log(), items)


def test_paths_in_text_are_named_until_they_are_declared() -> None:
    finding = found(of_column(PATHS), "path-in-text")
    assert finding.severity is Severity.NOTE and finding.columns == ("items.feature",)
    assert finding.evidence == {"texts": ITEMS, "paths": ITEMS, "names": 10}
    assert finding.fix == "Use --kinds items.feature=hierarchy"
    assert silent(of_column(PATHS, feature="hierarchy"), "path-in-text", "text-not-read", "list-in-text")


def test_paths_without_blanks_are_named_and_html_is_not() -> None:
    assert found(of_column([path.replace(" > ", ">") for path in PATHS]), "path-in-text").evidence["paths"] == ITEMS
    assert silent(of_column([f"<b>Brush</b> {number % 7}" for number in range(ITEMS)]), "path-in-text")


def test_text_in_words_is_named_until_it_is_declared() -> None:
    finding = found(of_column(TEXTS), "text-not-read")
    assert finding.evidence["words"] == 8.0 and "Use --kinds items.feature=text" in finding.fix
    for kind in ("text", "ignore", "categorical"):
        assert silent(of_column(TEXTS, feature=kind), "text-not-read", "path-in-text"), kind
    assert silent(of_column(TEXTS, feature="text"), "id-column")


def test_words_and_codes_are_no_text() -> None:
    assert silent(of_column([f"SKU-{number}" for number in range(ITEMS)]), "text-not-read")
    tags = [f'{{"calm": {number}.5, "a b c": 1.0}}' for number in range(ITEMS)]
    assert silent(of_column(tags), "text-not-read")
    assert silent(of_column([("red", "dark red")[number % 2] for number in range(ITEMS)]), "text-not-read")


def test_columns_of_the_other_kinds_can_be_checked() -> None:
    columns = {
        "vector": pl.Series([[0.5, number] for number in range(ITEMS)], dtype=pl.Array(pl.Float64, 2)),
        "tags": [{"a": 1.0 + number, "b": 2.0} for number in range(ITEMS)],
        "place": [f"{number % 90},11.5" for number in range(ITEMS)],
    }
    items = items_of(log(), **columns)
    dataset = Dataset.from_frames(log(), items, kinds={"tags": "weighted", "place": "location"})
    for report in (dataset.check(log(), items), dataset.check()):
        uses = {use.column: (use.used_as, use.values, use.missing) for use in report.columns}
        assert uses["vector"] == ("item attribute, vector", None, 0.0)
        assert uses["tags"] == ("item attribute, weighted", 2, 0.0)
        assert uses["place"] == ("item attribute, location", None, 0.0)
        assert silent(report, "id-column", "index-column", "mostly-missing", "constant-column")
    assert str(check(log(), items))
