from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.relations.plain_text import character_terms, word_terms

from attrformer.relations.text_features import HALF, MOST_CHARACTERS, joined, read, split


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Toy Story 2 (1999)", ["Toy", "Story", "2", "1999"]),
        ("  don't -- stop…now ", ["don", "t", "stop", "now"]),
        ("Amélie Привет हिन्दी 한국어", ["Amélie", "Привет", "हिन्दी", "한국어"]),
        ("東京物語 カナ", ["東", "京", "物", "語", "カ", "ナ"]),
        ("I ❤️ NY 😀😀", ["I", "❤", "NY", "😀", "😀"]),
        ("ﬁne \uff21", ["fine", "A"]),
        ("\ud800 \x00\u200b", []),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert split(text) == words


def test_words_are_put_together_as_they_are_written() -> None:
    assert joined(["Toy", "Story"]) == "Toy Story"
    assert joined(["東", "京", "2020"]) == "東京 2020"
    assert joined([]) == ""


def test_upper_and_lower_case_are_the_same() -> None:
    words, _ = read(["Toy story", "TOY Straße", "STRASSE"])
    toy, story, again, street, shouted = words.features.tolist()
    assert toy == again and street == shouted and len({toy, story, street}) == 3
    assert words.spelled == ["Toy", "story", "TOY", "Straße", "STRASSE"]
    assert words.offsets.tolist() == [0, 2, 4, 5]


def test_what_comes_after_the_longest_text_is_not_read() -> None:
    assert len(split("ab " * MOST_CHARACTERS)) == -(-MOST_CHARACTERS // 3)


@pytest.mark.slow
@given(st.lists(st.text(max_size=30) | st.sampled_from(["toy story", "Toy Story 2", "東京", "a b a b"]), max_size=6))
def test_numbers_stand_for_the_same_terms_in_all_texts(texts: list[str]) -> None:
    words, terms = read(texts)
    numbers: dict[tuple[bool, str], set[tuple[int, ...]]] = {}
    for row, text in enumerate(texts):
        features = terms.features[terms.rows == row]
        plain = [((True, t), n) for t, n in word_terms(text).items()]
        plain += [((False, t), n) for t, n in character_terms(text).items()]
        # As many terms, as often, words below HALF and characters from there on.
        for is_word in (True, False):
            mine = Counter(features[(features < HALF) == is_word].tolist())
            theirs = Counter({term: count for (kind, term), count in plain if kind == is_word})
            assert sorted(mine.values()) == sorted(theirs.values())
        assert len(split(text)) == np.diff(words.offsets)[row]
        for key, _ in plain:
            numbers.setdefault(key, set())
    # Each text alone gives what it gives among others.
    for row, text in enumerate(texts):
        alone = read([text])[1].features
        assert sorted(alone.tolist()) == sorted(terms.features[terms.rows == row].tolist())


def test_terms_of_a_large_table_fall_together_seldom() -> None:
    texts = [f"word{number}" for number in range(2000)]
    words, _ = read(texts)
    # Of 2,000 in two million places one pair may meet.
    assert len(set(words.features.tolist())) >= 1997
