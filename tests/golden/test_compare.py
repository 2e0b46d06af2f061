"""What counts as the same answer, and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from tests.golden import names, store
from tests.golden.compare import assert_same


def ranking(*rows: tuple[str, str, float]) -> dict[str, Any]:
    ranked = [[*row, place % 3 + 1] for place, row in enumerate(rows)]
    return {"columns": ["user_id", "item_id", "score", "rank"], "rows": ranked}


STORED = ranking(("u", "a", 3.0), ("u", "b", 2.00001), ("u", "c", 2.0))


def test_numbers_are_the_same_up_to_rounding() -> None:
    assert_same({"x": [1.00009, 0.0, None, "a"]}, {"x": [1.0, 0.00001, None, "a"]})
    for other in ([1.0002, 0.0, None, "a"], [1.0, 0.0, None, "b"], [1.0, 0.0, None], [1.0, 0.00002, None, "a"]):
        with pytest.raises(AssertionError, match=r"^x"):
            assert_same({"x": other}, {"x": [1.0, 0.0, None, "a"]})


def test_keys_and_their_order_are_part_of_an_answer() -> None:
    with pytest.raises(AssertionError, match="has"):
        assert_same({"b": 1, "a": 1}, {"a": 1, "b": 1})


def test_items_may_change_places_only_where_scores_are_the_same() -> None:
    assert_same(ranking(("u", "a", 3.0), ("u", "c", 2.00001), ("u", "b", 2.0)), STORED)
    with pytest.raises(AssertionError, match="b at place 1, stored a"):
        assert_same(ranking(("u", "b", 3.0), ("u", "a", 2.00001), ("u", "c", 2.0)), STORED)


def test_another_item_may_come_in_only_at_the_end() -> None:
    assert_same(ranking(("u", "a", 3.0), ("u", "b", 2.00001), ("u", "d", 2.0)), STORED)
    with pytest.raises(AssertionError, match="d at place 1, stored a"):
        assert_same(ranking(("u", "d", 3.0), ("u", "b", 2.00001), ("u", "c", 2.0)), STORED)


def test_scores_and_lengths_count_for_each_user() -> None:
    for other in (
        ranking(("u", "a", 3.0), ("u", "b", 2.00001), ("v", "c", 2.0)),
        ranking(("u", "a", 3.001), ("u", "b", 2.00001), ("u", "c", 2.0)),
        ranking(("u", "a", 3.0), ("u", "b", 2.00001)),
    ):
        with pytest.raises(AssertionError):
            assert_same(other, STORED)


def test_a_name_that_changed_on_purpose_is_read_as_that_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = {"part": {"columns": ["part"], "rows": [["near"]]}}
    found = {"component": {"columns": ["component"], "rows": [["close"]]}}
    with pytest.raises(AssertionError):
        assert_same(found, stored)
    monkeypatch.setattr(names, "RENAMED", {"part": "component", "near": "close"})
    assert_same(found, stored)


def test_sentences_are_kept_apart_from_numbers() -> None:
    told = {"columns": ["score", "reason"], "rows": [[1.0, "so"], [2.0, None]]}
    answer = {"told": told, "rest": [{"reason": "why", "k": 1}], "warnings": ["late"]}
    numbers, words = store.without_words(answer)
    assert numbers == {"told": {"columns": ["score"], "rows": [[1.0], [2.0]]}, "rest": [{"k": 1}]}
    assert words == ["so", None, "why", ["late"]]


def test_a_moved_name_is_found_in_its_newest_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(names._HOMES, "Fraction", ("no_such_package", "fractions", "json"))
    assert names.find("Fraction").__module__ == "fractions"
    monkeypatch.setitem(names._HOMES, "Fraction", ("no_such_package",))
    with pytest.raises(ImportError, match=r"Name its home in tests/golden/names\.py"):
        names.find("Fraction")
