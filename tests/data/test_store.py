from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from attrformer.data import AttributeKind, Dataset, core_filter
from attrformer.errors import ConfigurationError, DataError

LOG = pl.DataFrame(
    {
        "user_id": ["a", "a", "b", "b", "c"],
        "item_id": [1, 2, 2, 1, 10],
        "timestamp": [5, 5, 1, 2, 3],
        "rating": [1.0, None, 2.5, 3.0, 4.0],
    }
)
ITEMS = pl.DataFrame(
    {
        "item_id": [1, 2, 10, 11],
        "title": ["One", "Two", None, "Eleven"],
        "level": [9, 9, 10, 10],
        "tags": [["b", "a"], [], ["c"], None],
        "price": [1.5, None, 0.1, 2.0],
        "released": [date(1969, 5, 1), None, date(2020, 1, 1), date(2020, 1, 2)],
    }
)
USERS = pl.DataFrame({"user_id": ["a", "b", "c"], "gender": ["F", "M", None]})
EDGES = pl.DataFrame(
    {"source_item_id": [1, 11], "target_item_id": [2, 1], "relation": ["viewed", "bought"], "rank": [3, 0]}
)


def full() -> Dataset:
    return Dataset.from_frames(LOG, ITEMS, USERS, EDGES, name="shop", catalogue="all")


def assert_equal(left: Dataset, right: Dataset) -> None:
    assert (left.name, left.notes, left.item_titles) == (right.name, right.notes, right.item_titles)
    assert left.user_ids == right.user_ids and left.item_ids == right.item_ids
    for name in ("offsets", "items", "times"):
        np.testing.assert_array_equal(getattr(left.sequences, name), getattr(right.sequences, name))
    assert left.sequences.behaviours.keys() == right.sequences.behaviours.keys()
    for name, values in left.sequences.behaviours.items():
        np.testing.assert_array_equal(values, right.sequences.behaviours[name])
    for mine, theirs in (
        (left.item_attributes, right.item_attributes),
        (left.user_attributes, right.user_attributes),
    ):
        assert list(mine) == list(theirs)
        for name, attribute in mine.items():
            other = theirs[name]
            assert (attribute.kind, attribute.vocabulary) == (other.kind, other.vocabulary)
            assert attribute.texts == other.texts
            for part in ("offsets", "codes", "numbers", "weights", "vectors"):
                np.testing.assert_array_equal(getattr(attribute, part), getattr(other, part))
    assert list(left.item_relations) == list(right.item_relations)
    for name, edges in left.item_relations.items():
        for part in ("source", "target", "weight"):
            np.testing.assert_array_equal(getattr(edges, part), getattr(right.item_relations[name], part))


def test_what_is_saved_comes_back_the_same(tmp_path: Path) -> None:
    dataset = full()
    assert set(dataset.item_attributes) == {"level", "tags", "price", "released"}
    assert dataset.save(tmp_path / "new" / "shop") == tmp_path / "new" / "shop"
    assert_equal(Dataset.load(tmp_path / "new" / "shop"), dataset)


def test_every_kind_comes_back_the_same_and_in_order(tmp_path: Path) -> None:
    items = ITEMS.with_columns(
        pl.Series("image", [[0.1, 1.0], None, [2.0, 3.0], [0.5, 0.5]]),
        pl.Series("place", ["48.1,11.5", None, "-1,2", "0,0"]),
        pl.Series("category", ["A > B", "C", None, "A > D"]),
        pl.Series("moods", ["a:0.1|b:2", None, "b:1", "a:3"]),
        pl.Series("about", ["Some words", None, "", "Others"]),
        pl.Series("title", ["One", "Two", None, "11"]),
    ).select(pl.exclude("title"), "title")
    users = USERS.with_columns(
        pl.Series("taste", [[0.1, 1.0], None, [2.0, 3.0]]),
        pl.Series("zone", ["EU > DE", "EU", None]),
        pl.Series("likes", [{"a": 0.5}, {"b": 1}, None], strict=False),
    )
    kinds = {"place": "location", "category": "hierarchy", "moods": "weighted", "about": "text", "title": "text",
             "zone": "hierarchy", "likes": "weighted"}  # fmt: skip
    dataset = Dataset.from_frames(LOG, items, users, EDGES, name="shop", catalogue="all", kinds=kinds)
    assert list(dataset.item_attributes)[-6:] == ["image", "place", "category", "moods", "about", "title"]
    assert_equal(Dataset.load(dataset.save(tmp_path / "shop")), dataset)
    again = Dataset.load(Dataset.load(tmp_path / "shop").save(tmp_path / "again"))
    assert_equal(again, dataset)
    for table in ("interactions", "items", "users", "item_relations"):
        written = [(tmp_path / name / f"{table}.parquet").read_bytes() for name in ("shop", "again")]
        assert written[0] == written[1]
    # What is left of a filtered dataset comes back as well.
    smaller = core_filter(dataset, 2)
    assert_equal(Dataset.load(smaller.save(tmp_path / "smaller")), smaller)


def test_a_filtered_dataset_without_times_titles_or_edges_comes_back_the_same(tmp_path: Path) -> None:
    dataset = core_filter(Dataset.from_frames(LOG.drop("timestamp"), ITEMS.drop("title")), 2)
    dataset.save(tmp_path)
    loaded = Dataset.load(tmp_path)
    assert loaded.sequences.times is None and loaded.item_titles is None and loaded.item_relations == {}
    assert_equal(loaded, dataset)


def test_saving_again_leaves_nothing_of_what_was_there(tmp_path: Path) -> None:
    full().save(tmp_path)
    small = Dataset.from_frames(LOG, name="small")
    small.save(tmp_path)
    assert_equal(Dataset.load(tmp_path), small)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "dataset.json",
        "interactions.parquet",
        "item_changes.parquet",
        "item_relations.parquet",
        "items.parquet",
        "users.parquet",
    ]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = full()
    dataset.save(tmp_path)
    before = (tmp_path / "interactions.parquet").read_bytes()

    def fail(self: pl.DataFrame, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", fail)
    with pytest.raises(OSError, match="disk full"):
        dataset.save(tmp_path)
    assert (tmp_path / "interactions.parquet").read_bytes() == before
    assert not list(tmp_path.glob("*.tmp"))


def test_a_folder_of_csv_files(tmp_path: Path) -> None:
    LOG.write_csv(tmp_path / "interactions.csv")
    (tmp_path / "items.csv").write_text("item_id,title,tags,code\n1,One,a|b,007\n2,Two,b,007\n10,Ten,,008\n")
    EDGES.write_csv(tmp_path / "item_relations.csv")
    dataset = Dataset.load(tmp_path, kinds={"tags": "multi"})
    assert dataset.name == tmp_path.name
    assert dataset.item_ids.to_list() == [1, 2, 10]
    assert dataset.item_ids.decode(dataset.sequences.items).to_list() == [1, 2, 2, 1, 10]
    assert dataset.item_attributes["tags"].kind is AttributeKind.MULTI
    assert dataset.item_attributes["tags"].offsets.tolist() == [0, 2, 3, 3]
    assert dataset.item_attributes["code"].vocabulary == ("007", "008")
    assert dataset.item_titles == ("One", "Two", "Ten")
    assert list(dataset.item_relations) == ["viewed"]


def test_a_description_by_hand_declares_kinds_and_arguments_go_before_it(tmp_path: Path) -> None:
    LOG.write_csv(tmp_path / "interactions.csv")
    ITEMS.select("item_id", "level").write_csv(tmp_path / "items.csv")
    (tmp_path / "dataset.json").write_text('{"name": "shop", "catalogue": "all", "kinds": {"level": "numeric"}}')
    dataset = Dataset.load(tmp_path)
    assert (dataset.name, dataset.item_count) == ("shop", 4)
    assert dataset.item_attributes["level"].kind is AttributeKind.NUMERIC
    other = Dataset.load(tmp_path, name="mine", catalogue="interacted", kinds={"level": "categorical"})
    assert (other.name, other.item_count) == ("mine", 3)
    assert other.item_attributes["level"].kind is AttributeKind.CATEGORICAL


def test_folders_that_cannot_be_loaded_say_why(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none: there is no such folder"):
        Dataset.load(tmp_path / "none")
    with pytest.raises(DataError, match=r"has no table of interactions \(it is empty\). Write interactions.parquet, "):
        Dataset.load(tmp_path)
    (tmp_path / "interactions.csv").write_text("user_id,item\na,1\n")
    with pytest.raises(DataError, match=r"interactions.csv, column 'item_id': the column is missing"):
        Dataset.load(tmp_path)
    assert Dataset.load(tmp_path, columns={"item_id": "item"}).item_count == 1
    (tmp_path / "items.csv").write_bytes("item_id,title\n1,Amélie\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"items.csv, column 'title', row 0: the text is not UTF-8"):
        Dataset.load(tmp_path, columns={"item_id": "item"})
    assert Dataset.load(tmp_path, columns={"item_id": "item"}, encoding="latin-1").item_titles == ("Amélie",)


@pytest.mark.parametrize(
    "text", ["{", "[]", json.dumps({"kinds": ["a"]}), json.dumps({"name": 3}), '{"kinds": {"a": 3}}']
)
def test_a_damaged_description_is_refused(tmp_path: Path, text: str) -> None:
    full().save(tmp_path)
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset.json: it .*Repair the file or delete it"):
        Dataset.load(tmp_path)


def test_an_unknown_catalogue_in_the_description_is_refused(tmp_path: Path) -> None:
    full().save(tmp_path)
    (tmp_path / "dataset.json").write_text('{"catalogue": "some"}')
    with pytest.raises(ConfigurationError, match="catalogue='some'"):
        Dataset.load(tmp_path)


def test_a_description_says_how_columns_are_read_and_arguments_go_before_it(tmp_path: Path) -> None:
    LOG.rename({"user_id": "customer"}).write_csv(tmp_path / "interactions.tsv", separator="\t")
    items = pl.DataFrame({"item_id": [1, 2, 10], "genres": ["a, b", "b", "c, a"], "sales": [1.5, 2.5, 3.5]})
    items.write_ndjson(tmp_path / "items.jsonl")
    description = {
        "columns": {"user_id": "customer"},
        "separators": {"genres": ", "},
        "kinds": {"items.sales": "numeric"},
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    dataset = Dataset.load(tmp_path)
    assert dataset.user_ids.to_list() == ["a", "b", "c"]
    assert dataset.item_attributes["genres"].vocabulary == ("a", "b", "c")
    assert dataset.item_attributes["sales"].kind is AttributeKind.NUMERIC
    other = Dataset.load(tmp_path, separators={"genres": ";"}, kinds={"items.sales": "ignore"})
    assert other.item_attributes["genres"].vocabulary == ("a, b", "b", "c, a") and "sales" not in other.item_attributes
    saved = Dataset.load(dataset.save(tmp_path / "saved"))
    assert_equal(saved, dataset)
