"""Text: declared, with the title staying the title."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from attrformer.data import Attribute, AttributeKind, Dataset
from attrformer.errors import ConfigurationError, DataError

LOG = pl.DataFrame({"user_id": [1, 1, 1], "item_id": [1, 2, 3]})
TITLES = pl.DataFrame({"item_id": [1, 2, 3], "title": ["Alien", " ", None], "brand": ["x", "y", "x"]})


def read(values: Any) -> Attribute:
    items = pl.DataFrame({"item_id": range(len(values)), "text": pl.Series(values)})
    log = pl.DataFrame({"user_id": range(len(values)), "item_id": range(len(values))})
    return Dataset.from_frames(log, items, kinds={"text": "text"}).item_attributes["text"]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([" A film ", None, "", "Two  blanks"], ("A film", "", "", "Two  blanks")),
        ([["A film.", " Good "], [], None], ("A film. Good", "", "")),
        (["['A film.', 'Good']", "[]"], ("A film. Good", "")),
        (["[REC]", "one, two"], ("[REC]", "one, two")),
        ([7, None, 12], ("7", "", "12")),
    ],
)
def test_texts_are_kept_without_blanks_around_them(values: Any, texts: tuple[str, ...]) -> None:
    found = read(values)
    assert found.kind is AttributeKind.TEXT and found.texts == texts
    assert found.known.tolist() == [bool(text) for text in texts] and not found.vocabulary


def test_mappings_are_no_text() -> None:
    for values in ([{"a": "x"}], [[{"a": "x"}]]):
        with pytest.raises(DataError, match=r"column 'text': values of type .* are no text"):
            read(values)


def test_a_title_is_read_as_text_where_it_is_declared_and_is_shown_as_before(tmp_path: Path) -> None:
    plain = Dataset.from_frames(LOG, TITLES)
    dataset = Dataset.from_frames(LOG, TITLES, kinds={"title": "text"})
    assert list(plain.item_attributes) == ["brand"] and list(dataset.item_attributes) == ["title", "brand"]
    assert dataset.item_titles == plain.item_titles == ("Alien", " ", "3")
    assert dataset.item_attributes["title"].texts == ("Alien", "", "")
    assert "items: column 'title' is read as text, as it is declared" in dataset.notes
    loaded = Dataset.load(dataset.save(tmp_path))
    assert loaded.item_titles == dataset.item_titles and loaded.notes == dataset.notes
    assert loaded.item_attributes["title"].texts == ("Alien", "", "")
    (use,) = [use for use in dataset.check().columns if use.column == "title"]
    assert use.used_as == "shown in place of the id, item attribute, text"


def test_a_title_can_be_nothing_but_text() -> None:
    with pytest.raises(ConfigurationError, match="a column that has a role of its own"):
        Dataset.from_frames(LOG, TITLES, kinds={"title": "categorical"})
    users = pl.DataFrame({"user_id": [1], "title": ["Dr."]})
    dataset = Dataset.from_frames(LOG, TITLES, users, kinds={"items.title": "text", "users.title": "categorical"})
    assert dataset.item_attributes["title"].kind is AttributeKind.TEXT
    assert dataset.user_attributes["title"].vocabulary == ("Dr.",)


def test_the_note_on_free_text_says_how_to_read_it() -> None:
    texts = [f"text number {number}" for number in range(30)]
    log = pl.DataFrame({"user_id": range(30), "item_id": range(30)})
    dataset = Dataset.from_frames(log, pl.DataFrame({"item_id": range(30), "about": texts}))
    assert dataset.item_attributes == {}
    assert any("(kinds={'about': 'text'} reads its words, " in note for note in dataset.notes)


def test_the_note_on_paths_says_how_to_read_their_levels() -> None:
    paths = [f"A > {number % 2} > {number}" for number in range(30)]
    log = pl.DataFrame({"user_id": range(30), "item_id": range(30)})
    dataset = Dataset.from_frames(log, pl.DataFrame({"item_id": range(30), "path": paths}))
    assert any("look like paths of levels (kinds={'path': 'hierarchy'} reads every level)" in n for n in dataset.notes)
