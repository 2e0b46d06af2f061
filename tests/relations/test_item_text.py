from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.relations.builders import NONE, dataset, relations_of, sequences
from tests.relations.plain_text import cosines, text_attribute

from attrformer.data.attributes import Attribute
from attrformer.data.id_map import IdMap
from attrformer.errors import ConfigurationError
from attrformer.relations.base import NewItems
from attrformer.relations.encoders import encoder_for
from attrformer.relations.given_text_vectors import GivenTextVectors
from attrformer.relations.item_text import TextRelation
from attrformer.relations.text_encoder import TextEncoder

FILMS = ("Toy Story", "Star Wars", "Toy Story 2", "", "Star Wars: Return", "Heat")
SHARED = {(0, 2): "Toy Story", (1, 4): "Star Wars", (0, 1): "", (0, 3): "", (5, 0): ""}


def relation_of(attribute: Attribute, **options: Any) -> TextRelation | None:
    data = dataset(sequences([[0, 2, 1]]), len(attribute), item_attributes={attribute.name: attribute})
    found = relations_of(data, NONE, item_attributes=None, **options).get("item_title")
    assert found is None or isinstance(found, TextRelation)
    return found


def related(**options: Any) -> TextRelation:
    relation = relation_of(text_attribute(*FILMS), **options)
    assert relation is not None
    return relation


def with_vectors(attribute: Attribute, width: int = 3) -> Attribute:
    """Vectors of the counts of some letters, as an encoder of one's own may make them."""
    vectors = np.array(
        [[text.lower().count(each) for each in "toswar"[:width]] for text in attribute.texts], np.float32
    )
    vectors[[not text for text in attribute.texts]] = np.nan
    return replace(attribute, vectors=vectors, encoder="letters")


def with_more(relation: TextRelation, attribute: Attribute) -> TextRelation:
    known = IdMap.from_list([f"i{number}" for number in range(len(relation.vectors))])
    new = IdMap.from_list([f"n{number}" for number in range(len(attribute))])
    return relation.with_items(NewItems(known, new, {"title": attribute}))


@pytest.mark.parametrize("options", [{}, {"dense_items": 0, "top_k": 2}])
def test_items_are_related_by_their_texts(options: dict[str, int]) -> None:
    relation = related(**options)
    relation.check(6, 1)
    wanted = cosines(FILMS)
    np.fill_diagonal(wanted, 0)
    rows = np.array([relation.row(item) for item in range(6)])
    kept = rows > 0 if options else np.full((6, 6), True)
    assert kept.any(1).sum() == (4 if options else 6)
    np.testing.assert_allclose(rows[kept], wanted[kept], atol=1e-5)
    assert rows[0].argmax() == 2 and rows[4].argmax() == 1 and not rows[3].any()
    assert (relation.name, relation.source, list(relation.item_columns)) == ("item_title", "title", ["title"])
    assert {pair: relation.shared_words(*pair) for pair in SHARED} == SHARED


def test_texts_that_share_nothing_are_no_relation() -> None:
    assert relation_of(text_attribute("a", "b", "")) is None
    assert relation_of(text_attribute("", "", "")) is None


@pytest.mark.parametrize("options", [{}, {"dense_items": 0, "top_k": 2}])
def test_what_is_read_again_is_whole_and_grows_alike(options: dict[str, int]) -> None:
    relation = related(**options)
    arrays, described = relation.to_arrays()
    again = TextRelation.from_arrays(relation.name, arrays, described)
    new = text_attribute("TOY story 3", "Star Wars 9")
    for one, other in ((relation, again), (with_more(relation, new), with_more(again, new))):
        (wanted, told), (found, said) = one.to_arrays(), other.to_arrays()
        assert found.keys() == wanted.keys() and said == told
        for name, array in wanted.items():
            np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("options", [{}, {"dense_items": 0, "top_k": 3}])
def test_new_items_are_related_by_their_texts(options: dict[str, int]) -> None:
    before = related(**options)
    after = with_more(before, text_attribute("TOY story 3", "", "unheard"))
    after.check(9, 1)
    assert after.row(6).argsort()[::-1][:2].tolist() in ([0, 2], [2, 0]) and after.row(0)[6] > 0.9
    assert not after.row(7).any() and not after.row(8).any()
    assert after.shared_words(6, 0) == "Toy Story" == after.shared_words(0, 2)
    again = with_more(after, text_attribute("Star Wars 9"))
    again.check(10, 1)
    assert again.shared_words(9, 4) == "Star Wars" and again.shared_words(6, 2) == "Toy Story"


@pytest.mark.parametrize("given", [False, True])
def test_saved_and_read_again(given: bool) -> None:
    attribute = text_attribute(*FILMS)
    relation = relation_of(with_vectors(attribute) if given else attribute)
    assert relation is not None
    arrays, described = relation.to_arrays()
    again = TextRelation.from_arrays(relation.name, arrays, described)
    again.check(6, 1)
    assert again.vectors.tobytes() == relation.vectors.tobytes()
    assert [again.shared_words(*pair) for pair in SHARED] == [relation.shared_words(*pair) for pair in SHARED]
    new = text_attribute("Toy Story 3")
    new = with_vectors(new) if given else new
    assert with_more(again, new).vectors.tobytes() == with_more(relation, new).vectors.tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"word_offsets": np.zeros(3, np.int64)},
        {"word_offsets": np.array([0, 2, 1, 1, 2, 3, 12], np.int64)},
        {"word_offsets": np.arange(7)},
        {"words": np.full(12, 10_000, np.int32)},
        {"words": np.full(12, -2, np.int32)},
        {"words": np.full(12, 1.0, np.float32)},
    ],
)
def test_hostile_words_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        replace(related(), **changes).check(6, 1)


def test_vectors_that_come_with_texts_are_read() -> None:
    attribute = with_vectors(text_attribute(*FILMS))
    assert encoder_for(attribute) is GivenTextVectors and encoder_for(text_attribute(*FILMS)) is TextEncoder
    relation = relation_of(attribute)
    assert relation is not None and isinstance(relation.encoder, GivenTextVectors)
    assert relation.encoder.width == 3 and relation.shared_words(0, 2) == ""
    np.testing.assert_allclose(relation.row(0)[2], 1.0, atol=1e-6)


def test_without_its_encoder_later_texts_are_refused() -> None:
    relation = relation_of(with_vectors(text_attribute(*FILMS)))
    assert relation is not None
    with pytest.raises(ConfigurationError, match=r"letters.*encoders=\{'title': encoder\}"):
        with_more(relation, text_attribute("Toy Story 3"))
    # Where no text is given nothing has to be read.
    assert not with_more(relation, text_attribute("", "")).row(6).any()


def test_dimensions_are_limited_by_the_option() -> None:
    relation = related(text_dimensions=2)
    assert relation.vectors.shape == (6, 2) and relation.encoder.noise == 0.5
    assert related().encoder.noise == 0.0
    with pytest.raises(ConfigurationError, match="text_dimensions"):
        related(text_dimensions=0)
