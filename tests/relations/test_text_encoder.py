from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relations.plain_text import cosines, text_attribute

from attrformer.errors import ConfigurationError
from attrformer.relations import text_encoder
from attrformer.relations.text_encoder import TextEncoder

FILMS = (
    "Toy Story",
    "Toy Story 2",
    "Star Wars",
    "Star Wars: Return",
    "Heat",
    "東京物語",
    "東京の夜",
    "",
    "Alien 😀",
    "😀!",
)
WORDS = st.sampled_from(["toy", "story", "star", "wars", "Wars", "heat", "2", "東京", "😀", "über", ""])
TEXTS = st.lists(st.lists(WORDS, max_size=5).map(" ".join), max_size=12)


def shared(encoder: TextEncoder, first: str, second: str) -> str:
    offsets, words = encoder.known_words([first, second])
    return encoder.shared_words(words[: offsets[1]], words[offsets[1] :])


def sequels() -> tuple[str, ...]:
    """Two hundred series of three, in a text each, so that there are more of them than dimensions."""
    syllables = ["ba", "ko", "ri", "mu", "te", "lo", "sa", "ni"]
    names = [f"{a}{b}{c}" for a in syllables for b in syllables for c in syllables][:200]
    return tuple(f"The {name} {number}" for number in ("", "II", "III") for name in names)


def test_sequels_are_nearest() -> None:
    attribute = text_attribute(*FILMS)
    vectors = TextEncoder.of_texts(FILMS, 64).encode(attribute)
    closeness = vectors @ vectors.T
    np.fill_diagonal(closeness, -1)
    assert closeness.argmax(1)[[0, 1, 2, 3, 5, 6, 8, 9]].tolist() == [1, 0, 3, 2, 6, 5, 9, 8]
    # Nothing is shared by two films of these, or nothing is there.
    assert not vectors[[4, 7]].any()


@pytest.mark.slow
@settings(deadline=None)
@given(TEXTS)
def test_few_texts_are_compared_as_by_their_tf_idf(texts: list[str]) -> None:
    vectors = TextEncoder.of_texts(texts, 64).encode(text_attribute(*texts))
    np.testing.assert_allclose(vectors @ vectors.T, cosines(texts), atol=2e-5)


def test_sequels_are_nearest_in_few_dimensions() -> None:
    texts = sequels()
    encoder = TextEncoder.of_texts(texts, 64)
    vectors = encoder.encode(text_attribute(*texts))
    assert vectors.shape == (600, 64)
    # A quarter of the dimensions are singular vectors; of two texts that share nothing the cosine is below the noise.
    assert encoder.random == 48 and encoder.noise == pytest.approx(2 / 48**0.5)
    closeness = vectors @ vectors.T
    np.fill_diagonal(closeness, -1)
    hits = (closeness.argmax(1) % 200 == np.arange(600) % 200).mean()
    unrelated = (closeness < encoder.noise)[np.arange(600)[:, None] % 200 != np.arange(600) % 200].mean()
    assert unrelated > 0.9
    # Measured 1.0; with 64 singular vectors in place of the projection .36. Chance: .003.
    assert hits > 0.9


@pytest.mark.slow
@settings(deadline=None)
@given(TEXTS, st.integers(1, 8))
def test_vectors_are_of_length_one_or_nothing_and_the_same_each_time(texts: list[str], dimensions: int) -> None:
    attribute = text_attribute(*texts)
    first, second = (TextEncoder.of_texts(texts, dimensions) for _ in range(2))
    vectors = first.encode(attribute)
    assert vectors.shape == (len(texts), first.width) and 1 <= first.width <= dimensions
    norms = np.linalg.norm(vectors, axis=1)
    assert np.isclose(norms[vectors.any(1)], 1, atol=1e-5).all()
    assert vectors.tobytes() == second.encode(attribute).tobytes()
    assert first.axes == second.axes
    first.check("title")


def test_a_text_gets_the_same_vector_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = sequels()[:50]
    encoder = TextEncoder.of_texts(texts, 16)
    vectors = encoder.encode(text_attribute(*texts))
    for row in (0, 17, 49):
        np.testing.assert_allclose(encoder.encode(text_attribute(texts[row]))[0], vectors[row], atol=1e-6)
    monkeypatch.setattr(text_encoder, "_BLOCK", 40)
    again = TextEncoder.of_texts(texts, 16)
    np.testing.assert_array_equal(again.features, encoder.features)
    np.testing.assert_allclose(again.encode(text_attribute(*texts)), vectors, atol=1e-5)


@pytest.mark.parametrize("texts", [(), ("",), ("a", "b"), ("x", "x"), ("😀" * 5,), ("one two", ""), ("a " * 30_000,)])
def test_texts_that_share_nothing_relate_to_nothing(texts: tuple[str, ...]) -> None:
    encoder = TextEncoder.of_texts(texts, 8)
    assert encoder.encode(text_attribute(*texts)).tolist() == [[0.0]] * len(texts)
    encoder.check("title")


def test_later_texts_are_read_as_those_of_training() -> None:
    encoder = TextEncoder.of_texts(FILMS, 64)
    vectors = encoder.encode(text_attribute("STAR WARS!", "unheard of", ""))
    assert not vectors[1:].any()
    closeness = encoder.encode(text_attribute(*FILMS)) @ vectors[0]
    assert set(np.argsort(-closeness)[:2].tolist()) == {2, 3} and closeness[2] > 0.99


def test_only_so_many_features_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_encoder, "MOST_FEATURES", 2)
    encoder = TextEncoder.of_texts(("a b c", "a b", "a", "a b c", "d"), 8)
    # "a" is in four texts, "b" and "a b" in three, "c" and "b c" in two.
    assert len(encoder.features) == 4 and "a" in encoder.words and "c" not in encoder.words
    np.testing.assert_allclose(
        encoder.idf[[place for place, word in enumerate(encoder.words) if word == "a"]], np.log(5 / 4)
    )


def test_of_many_texts_an_even_sample_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_encoder, "MOST_FITTED", 3)
    encoder = TextEncoder.of_texts(("a b", "x y", "a b", "x y", "c", "x y"), 8)
    assert set(encoder.words) == {"a", "b", ""}


def test_shared_words() -> None:
    encoder = TextEncoder.of_texts(
        ("The Lord of the Rings", "Lord of the Rings 2", "The End of the Line", "the end", "Heat", "heat 2"), 8
    )
    assert shared(encoder, "The Lord of the Rings", "lord of the rings 2") == "Lord of the Rings"
    assert shared(encoder, "HEAT", "the heat") == "Heat"
    # "The" is in four of six texts.
    assert shared(encoder, "The unheard", "the unseen") == ""
    assert shared(encoder, "", "heat") == "" and shared(encoder, "unheard", "unheard") == ""
    assert shared(TextEncoder.of_texts(FILMS, 8), "東京の夜", "東京物語") == "東京"


def test_arrays_there_and_back() -> None:
    encoder = TextEncoder.of_texts(FILMS, 4)
    arrays, described = encoder.to_arrays()
    again = TextEncoder.from_arrays(arrays, described)
    again.check("title")
    attribute = text_attribute(*FILMS, "Toy Story 3")
    assert again.encode(attribute).tobytes() == encoder.encode(attribute).tobytes()
    assert again.words == encoder.words and again.noise == encoder.noise and again.axes == encoder.axes


@pytest.mark.parametrize(
    "changes",
    [
        {"features": np.array([3, 2, 1], np.int32)},
        {"features": np.array([1.0], np.float32)},
        {"features": np.array([-1], np.int32)},
        {"idf": np.array([np.nan], np.float32)},
        {"idf": np.array([-1.0], np.float32)},
        {"projection": np.zeros((1, 1), np.float32)},
        {"projection": np.zeros(3, np.float32)},
        {"words": ("a",)},
        {"words": (1, 2, 3)},
        {"random": -1},
        {"random": 5},
        {"random": "all"},
    ],
)
def test_hostile_arrays_are_refused(changes: dict[str, Any]) -> None:
    encoder = TextEncoder.of_texts(FILMS, 4)
    with pytest.raises((ValueError, IndexError)):
        replace(encoder, **changes).check("title")


def test_vectors_from_elsewhere_are_refused() -> None:
    given_vectors = replace(text_attribute("a"), vectors=np.ones((1, 3), np.float32))
    with pytest.raises(ConfigurationError, match="built in"):
        TextEncoder.of_texts(FILMS, 4).encode(given_vectors)
