from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.data.check.clean import ITEMS, check, found, items_of, log, silent

from attrformer.data import Dataset
from attrformer.data.check import CheckReport, Severity, check_path


def of_column(values: Any, name: str = "feature") -> CheckReport:
    return check(log(), items_of(log(), **{name: values}))


def cycled(*values: Any) -> list[Any]:
    return [values[number % len(values)] for number in range(ITEMS)]


@pytest.mark.parametrize("start", [0, 1, 17])
def test_a_column_that_numbers_the_rows_is_an_index(start: int) -> None:
    finding = found(of_column([*range(start, start + ITEMS)]), "index-column")
    assert (finding.severity, finding.columns) == (Severity.WARNING, ("items.feature",))
    assert finding.evidence == {"rows": ITEMS, "different": ITEMS, "in_order": True}


@pytest.mark.parametrize("name", ["Unnamed: 0", "index", "__index_level_0__"])
def test_an_index_that_is_left_out_is_only_noted(name: str) -> None:
    report = of_column([*range(ITEMS)], name)
    finding = found(report, "index-column")
    assert (finding.severity, finding.columns) == (Severity.NOTE, (f"items.{name}",))
    (use,) = [use for use in report.columns if use.column == name]
    assert use.used_as == "not used, it is the index that a frame library wrote"


def test_a_column_without_a_name_is_shown_and_an_index_is_told_once() -> None:
    # Rows in the order of their popularity: the index tells of later interactions as well.
    popular = log().group_by("item_id").len().sort("len", "item_id", descending=True).select("item_id")
    report = check(log(), popular.with_columns(pl.Series("", range(len(popular)))))
    assert [finding.columns for finding in report.findings if "items.''" in finding.columns] == [("items.''",)]
    assert any("'' not used (it is the index" in line for line in report.short())
    assert "items.'': not used" in str(report)


def test_a_number_that_is_different_in_every_row_looks_like_an_id() -> None:
    finding = found(of_column([number * number + 3 for number in range(ITEMS)]), "id-column")
    assert finding.severity is Severity.WARNING
    assert found(of_column([f"SKU-{number * 7}" for number in range(ITEMS)]), "id-column").severity is Severity.NOTE
    assert silent(of_column([number / 3 for number in range(ITEMS)]), "id-column", "index-column")
    assert silent(of_column(cycled(1, 2, 3)), "id-column", "index-column")


@pytest.mark.parametrize(("name", "told"), [("order_id", True), ("sessionId", True), ("paid", False), ("bid", False)])
def test_a_number_of_interactions_that_is_called_an_id_is_told(name: str, told: bool) -> None:
    spoiled = log().with_columns(pl.Series(name, range(5000, 5000 + len(log()))) // 3)
    report = check(spoiled)
    assert (report.find("id-column") is not None) == told
    if told:
        assert f"interactions.{name} is called as an id is, and is read as a quantity" in str(report)
        declared = Dataset.from_frames(spoiled, kinds={f"interactions.{name}": "numeric"}).check(spoiled)
        assert declared.find("id-column") is None


def test_years_in_a_list_are_no_numbers_and_decimal_commas_are() -> None:
    assert silent(of_column(cycled("2015,2016", "2016,2017,2018", "2015")), "number-in-text")
    assert found(of_column(cycled("9,09", "1.200,50", "12,5")), "number-in-text").severity is Severity.WARNING


@pytest.mark.parametrize(
    ("id", "values"),
    [
        ("date-in-text", cycled("12/11/2020", "1/2/2021", "3/4/2021")),
        ("list-in-text", cycled("[Action; Comedy]", "[Drama; x]")),
        ("number-in-text", cycled("$1,200.50", "$3", "$4.99")),
        ("list-in-text", cycled("Action, Comedy", "Action, Drama", "Comedy, Drama", "Action", "Drama, Western")),
    ],
)
def test_text_that_is_something_else_is_told(id: str, values: list[str]) -> None:
    assert found(of_column(values), id).severity is Severity.WARNING


def test_separated_values_are_counted() -> None:
    kinds = ["Action", "Comedy", "Drama", "War"]
    pairs = [f"{one}, {two}" for one in kinds for two in kinds if one < two]
    finding = found(of_column(cycled(*pairs)), "list-in-text")
    assert (finding.evidence["combinations"], finding.evidence["values"]) == (6, 4)
    assert f"--separators '{finding.columns[0]}=, '" in finding.fix


@pytest.mark.parametrize(
    "values",
    [
        cycled("red", "green", "blue"),
        cycled("01234", "98107-2117", "55455"),
        cycled("Tom, Dick", "Harry", "Ann", "Bob", "Eve"),
        cycled("[REC]", "Alien", "Heat"),
    ],
)
def test_plain_words_and_codes_are_left_alone(values: list[str]) -> None:
    assert silent(of_column(values), "date-in-text", "list-in-text", "number-in-text", "mixed-types")


def test_numbers_among_words_are_mixed_types() -> None:
    finding = found(of_column(cycled("12", "15", "small", "large")), "mixed-types")
    assert finding.evidence == {"values": ITEMS, "numbers": ITEMS // 2}
    assert finding.examples[0] == "'12'" and "'small'" in finding.examples


def test_constant_and_mostly_missing_columns_are_noted() -> None:
    assert found(of_column(cycled("same")), "constant-column").examples == ("'same'",)
    mostly = found(of_column([*cycled(None)[1:], 3.5]), "mostly-missing")
    assert mostly.evidence == {"rows": ITEMS, "missing": ITEMS - 1}
    assert silent(of_column(cycled(1.0, None)), "constant-column", "mostly-missing")


def test_words_for_missing_values_are_counted() -> None:
    finding = found(of_column(cycled("unknown", "big", "small", "huge")), "missing-as-word")
    assert finding.evidence == {"rows": ITEMS, "words": ITEMS // 4}


def test_values_that_differ_by_blanks_or_case_are_found_in_lists_too() -> None:
    finding = found(of_column(cycled("Aveda", "AVEDA", "Dove")), "values-differ-by-blanks-or-case")
    assert finding.evidence == {"values": 3, "groups": 1}
    listed = of_column(cycled(["Drama", "War"], [" Drama"], ["War"]))
    assert found(listed, "values-differ-by-blanks-or-case").evidence["groups"] == 1
    assert silent(of_column(cycled("Aveda", "Dove")), "values-differ-by-blanks-or-case")


def test_every_column_has_a_use_with_its_values_and_gaps() -> None:
    interactions = log().with_columns(
        rating=pl.Series([1.0, 2.0, None, 4.0] * (len(log()) // 4)), channel=pl.lit("web")
    )
    items = items_of(
        log(), brand=cycled("a", "b", "c", None), title=cycled("t"), text=[f"{n} words" for n in range(ITEMS)]
    )
    uses = {f"{use.table}.{use.column}": use for use in check(interactions, items).columns}
    assert (uses["interactions.user_id"].used_as, uses["interactions.user_id"].values) == ("user", 60)
    rating = uses["interactions.rating"]
    assert (rating.used_as, rating.values, rating.missing) == ("behaviour attribute, numeric", 3, 0.25)
    assert uses["interactions.channel"].used_as == "behaviour attribute, categorical"
    brand = uses["items.brand"]
    assert (brand.used_as, brand.values, brand.missing) == ("item attribute, categorical", 3, 0.25)
    assert uses["items.title"].used_as == "shown in place of the id"
    assert "free text" in uses["items.text"].used_as and uses["items.text"].values == ITEMS


def test_how_dates_and_decimals_were_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text(
        "user_id;item_id;timestamp;price\n1;a;31.12.2019;1,5\n1;b;1.2.2020;2\n2;a;3.4.2020;3,25\n"
    )
    (tmp_path / "items.csv").write_text("item_id;launched;size\na;13.1.2018;0,5\nb;1.2.2018;1,75\n")
    used = {use.column: use.used_as for use in check_path(tmp_path).columns}
    assert used["timestamp"] == "time, orders the interactions, dates with the day first"
    assert used["price"] == "behaviour attribute, numeric, decimal commas"
    assert used["launched"] == "item attribute, time, dates with the day first"
    assert used["size"] == "item attribute, numeric, decimal commas"
