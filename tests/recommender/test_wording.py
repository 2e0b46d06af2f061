from __future__ import annotations

import pytest

from attrformer.relations import wording


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (wording.after("Tea", 1), "Chosen after “Tea” by 1 other user"),
        (wording.after("Tea", 1400), "Chosen after “Tea” by 1,400 other users"),
        (wording.before("Tea", 2), "Chosen shortly before “Tea” by 2 other users"),
        (wording.listed("also_bought", "Tea"), "“Tea” leads here by “also bought”"),
        (wording.shared("brand", "Vento", "Tea"), "Same brand as “Tea”: Vento"),
        (wording.near_in_order("Tea"), "Listed near “Tea”, by the order of ids"),
        (wording.shared("price", "10..20.125", "Tea"), "About the same price as “Tea”: 10 to 20.12"),
        (wording.paired("category", "Tea", "Cups", "Green"), "Category Cups goes with Tea of “Green”"),
        (wording.preferred("age_band", "65+", 2.04), "Chosen 2.0 times as often by users whose age band is 65+"),
        (wording.preferred("age_band", "65+", 1.02), "Chosen as often by users whose age band is 65+"),
        (wording.preferred("age", "..18", 12.3), "Chosen 12 times as often by users whose age is up to 18"),
        (wording.had_before(False), "Was in the history before, which counts against it"),
        (wording.followed(3, 32), "Chosen soon after by 3 of 32 users with a similar history"),
        (wording.popular(0), "Chosen by nobody yet"),
    ],
)
def test_sentences(sentence: str, expected: str) -> None:
    assert sentence == expected


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("10..20", "10 to 20"),
        ("..1e+06", "up to 1e+06"),
        ("1999-01-31..", "1999-01-31 and more"),
        ("-3.14159..0", "-3.142 to 0"),
        ("1995..1998", "1995 to 1998"),
        ("..", "any"),
        ("a..b", "a..b"),
        ("Tea", "Tea"),
        ("wait...", "wait..."),
    ],
)
def test_values_as_people_say_them(value: str, said: str) -> None:
    assert wording.spoken_value(value) == said
