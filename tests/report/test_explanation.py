from __future__ import annotations

import xml.etree.ElementTree as ET

import polars as pl
import pytest

from attrformer.report import explanation_drawing, explanation_text
from attrformer.report.explanation import answers_of

EXPLAINED = pl.DataFrame(
    {
        "user_id": [2] * 4 + [1] * 2,
        "item_id": ["x"] * 4 + ["y"] * 2,
        "score": [1.5] * 4 + [-3.0] * 2,
        "rank": [1] * 4 + [1] * 2,
        "component": ["content", "item_brand", "cooccurrence_near", "repeat", "popularity", "user_age"],
        "contribution": [1.0, -0.5, 1.0, 0.0, -4.0, 1.0],
        "history": [None, "z", "z", None, None, None],
        "value": [None, "A & B", None, None, None, "65+"],
        "count": [None, None, 3, None, 7, 2],
        "reason": ["Fits", "Same brand as “Z”: A & B", "Chosen after “Z” by 3 other users", None, "Chosen", "Older"],
    }
)
TITLES = pl.DataFrame({"item_id": ["x", "w"], "title": ["Axe <1>", "Wool"]})


def test_text_shows_the_strongest_parts_first_with_bars_and_reasons() -> None:
    assert explanation_text(EXPLAINED, TITLES) == (
        "2\n"
        "  1. Axe <1> (x), score 1.50\n"
        "       +1.00 ████████████ content           Fits\n"
        "       +1.00 ████████████ cooccurrence near Chosen after “Z” by 3 other users\n"
        "       -0.50 ██████       item brand        Same brand as “Z”: A & B\n"
        "\n"
        "1\n"
        "  1. y, score -3.00\n"
        "       -4.00 ████████████ popularity        Chosen\n"
        "       +1.00 ███          user age          Older\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_tables_of_any_library(library: str) -> None:
    def given(frame: pl.DataFrame) -> object:
        return frame.to_pandas() if library == "pandas" else frame.to_arrow()

    assert explanation_text(given(EXPLAINED), given(TITLES)) == explanation_text(EXPLAINED, TITLES)


def test_shares_that_are_not_shown_alone_are_added_up() -> None:
    first, second = answers_of(EXPLAINED, None, 1)
    assert [(share.component, share.value) for share in first.shares] == [("content", 1.0), ("2 others", 0.5)]
    # One left over takes no more room by itself than under another name.
    assert [share.component for share in second.shares] == ["popularity", "user age"]
    for answer in (first, second):
        assert sum(share.value for share in answer.shares) == pytest.approx(answer.score)


def test_a_user_named_twice_is_shown_twice() -> None:
    again = pl.concat([EXPLAINED, EXPLAINED.head(4)])
    assert [(answer.user, answer.item) for answer in answers_of(again, None, 6)] == [("2", "x"), ("1", "y"), ("2", "x")]


def test_the_drawing_has_a_bar_for_each_share() -> None:
    drawing = explanation_drawing(EXPLAINED, TITLES)
    root = ET.fromstring(drawing)
    space = {"s": "http://www.w3.org/2000/svg"}
    groups = root.findall("s:g", space)
    told = [group.findtext("s:title", namespaces=space) for group in groups]
    assert told[2] == "item brand -0.50: Same brand as “Z”: A & B"
    bars = [group.find("s:rect", space) for group in groups]
    assert [bar.get("class") for bar in bars if bar is not None] == ["for", "for", "against", "against", "for"]
    widths = [float(bar.get("width") or 0) for bar in bars if bar is not None]
    assert widths[3] == max(widths) == pytest.approx(8 * widths[2], rel=0.02)
    # Bars against an item end where bars for it begin.
    starts = [float(bar.get("x") or 0) for bar in bars if bar is not None]
    assert starts[2] + widths[2] == pytest.approx(starts[0], abs=0.2)
    assert "2: 1. Axe <1>, score 1.50." in (root.findtext("s:desc", namespaces=space) or "")


def test_nothing_to_explain() -> None:
    assert explanation_text(EXPLAINED.head(0)) == ""
    assert "No recommendations." in explanation_drawing(EXPLAINED.head(0))
