from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.small_tables import EDGES, ITEMS, LOG, USERS, items_with

from attrformer.data import Attribute, AttributeKind, Dataset
from attrformer.data.check import check_path
from attrformer.data.prepare_tables import prepare_tables
from attrformer.errors import ConfigurationError, DataError


def values_of(attribute: Attribute) -> list[list[str]]:
    ends = zip(attribute.offsets[:-1], attribute.offsets[1:], strict=True)
    return [[attribute.vocabulary[code] for code in attribute.codes[start:stop]] for start, stop in ends]


def test_sequences_are_sorted_by_user_and_time_and_ties_keep_the_order_of_the_rows() -> None:
    dataset = Dataset.from_frames(LOG, name="shop")
    assert dataset.name == "shop"
    assert dataset.user_ids.to_list() == ["ann", "bob"]
    assert dataset.item_ids.to_list() == [3, 5, 7]
    assert dataset.sequences.offsets.tolist() == [0, 2, 5]
    assert dataset.item_ids.decode(dataset.sequences.items).to_list() == [3, 7, 5, 7, 3]
    assert dataset.sequences.times is not None
    assert dataset.sequences.times.tolist() == [10, 10, 20, 30, 30]
    assert list(dataset.sequences.behaviours) == ["rating", "channel"]
    np.testing.assert_array_equal(dataset.sequences.behaviours["rating"], np.float32([np.nan, 5, 2, 4, 1]))
    np.testing.assert_array_equal(dataset.sequences.behaviours["channel"], np.float32([1, 0, 0, 1, 1]))
    assert dataset.sequences.meaning.values == {"channel": ("app", "web")}
    assert dataset.notes == (
        "interactions: column 'rating' is read as a behaviour attribute, a number",
        "interactions: column 'channel' is read as a behaviour attribute, a category of 2",
        "interactions: column 'timestamp' holds seconds since 1970, from 1970-01-01 to 1970-01-01; if nothing happened "
        "then, they are counters, and only their order means anything",
    )


def test_without_times_the_order_of_the_rows_counts() -> None:
    dataset = Dataset.from_frames(LOG.drop("timestamp", "channel"))
    assert dataset.sequences.times is None
    assert dataset.item_ids.decode(dataset.sequences.items).to_list() == [3, 7, 7, 5, 3]
    assert dataset.notes == (
        "interactions: column 'rating' is read as a behaviour attribute, a number",
        "interactions: no column 'timestamp', the order of the rows counts",
    )


def test_times_within_one_second_still_order() -> None:
    log = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": [1406851200700, 1406851200300]})
    dataset = Dataset.from_frames(log)
    assert dataset.item_ids.decode(dataset.sequences.items).to_list() == [2, 1]


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_every_frame_library_gives_the_same_dataset(library: str) -> None:
    def convert(frame: pl.DataFrame) -> Any:
        return pd.DataFrame(frame.to_dict(as_series=False)) if library == "pandas" else frame.to_arrow()

    expected = Dataset.from_frames(LOG, ITEMS, USERS, EDGES)
    dataset = Dataset.from_frames(*map(convert, (LOG, ITEMS, USERS, EDGES)))
    assert (expected.frame_library, dataset.frame_library) == ("polars", library)
    assert dataset.user_ids == expected.user_ids and dataset.item_ids == expected.item_ids
    assert dataset.sequences.items.tolist() == expected.sequences.items.tolist()
    assert dataset.item_titles == expected.item_titles
    for name in ("brand", "tags"):
        assert values_of(dataset.item_attributes[name]) == values_of(expected.item_attributes[name])
    np.testing.assert_array_equal(dataset.item_attributes["price"].numbers, expected.item_attributes["price"].numbers)


def test_attributes_stand_in_the_order_of_the_catalogue_with_gaps_where_nothing_is_known() -> None:
    dataset = Dataset.from_frames(
        LOG, ITEMS.with_columns(brand=pl.Series(["x", "", "y"])), kinds={"brand": "categorical"}
    )
    brand, tags = dataset.item_attributes["brand"], dataset.item_attributes["tags"]
    assert brand.kind is AttributeKind.CATEGORICAL and values_of(brand) == [[], ["x"], []]
    assert tags.kind is AttributeKind.MULTI and values_of(tags) == [[], ["a", "b"], ["c"]]
    assert brand.codes.dtype == np.int32 and brand.offsets.dtype == np.int64
    np.testing.assert_array_equal(dataset.item_attributes["price"].numbers, [np.nan, 1.5, np.nan])
    np.testing.assert_array_equal(dataset.item_attributes["released"].numbers, [np.nan, 86400, np.nan])
    assert dataset.item_titles == ("3", "Five", "7")
    assert "title" not in dataset.item_attributes
    assert "items: 1 row about an id without interactions is left out (e.g. '9')" in dataset.notes
    assert "items: 1 of 3 ids have no row, their attributes are missing" in dataset.notes


def test_the_whole_items_table_can_be_the_catalogue() -> None:
    dataset = Dataset.from_frames(LOG, ITEMS, catalogue="all")
    assert dataset.item_ids.to_list() == [3, 5, 7, 9]
    assert dataset.item_ids.decode(dataset.sequences.items).to_list() == [3, 7, 5, 7, 3]
    assert values_of(dataset.item_attributes["brand"]) == [[], ["x"], [], ["y"]]
    assert dataset.item_titles == ("3", "Five", "7", "Nine")


def test_catalogue_of_integers_and_text_becomes_text() -> None:
    dataset = Dataset.from_frames(LOG, pl.DataFrame({"item_id": ["5", "new"]}), catalogue="all")
    assert dataset.item_ids.to_list() == ["3", "5", "7", "new"]
    assert dataset.item_ids.decode(dataset.sequences.items).to_list() == ["3", "7", "5", "7", "3"]


def test_user_attributes() -> None:
    dataset = Dataset.from_frames(LOG, users=USERS, kinds={"age": "categorical"})
    assert values_of(dataset.user_attributes["age"]) == [["18"], ["25"]]
    assert values_of(dataset.user_attributes["gender"]) == [["F"], ["M"]]


def test_edges_by_relation_once_each_and_within_the_catalogue() -> None:
    dataset = Dataset.from_frames(LOG, item_relations=EDGES)
    assert list(dataset.item_relations) == ["bought", "viewed"]
    bought = dataset.item_relations["bought"]
    assert (bought.source.tolist(), bought.target.tolist()) == ([0, 0], [1, 2])
    assert bought.weight.tolist() == [1.0, 1.0]
    assert (bought.source.dtype, bought.weight.dtype) == (np.int32, np.float32)
    assert dataset.notes[-2:] == (
        "item_relations: 1 row about an id without interactions is left out (e.g. '9')",
        "item_relations: 2 of 5 edges are repeated or lead out of the catalogue",
    )


def test_edge_weights_come_from_weight_or_rank_or_are_one() -> None:
    edges = EDGES.head(1)
    assert Dataset.from_frames(LOG, item_relations=edges).item_relations["bought"].weight.tolist() == [0.5]
    weighted = edges.with_columns(weight=2.5)
    assert Dataset.from_frames(LOG, item_relations=weighted).item_relations["bought"].weight.tolist() == [2.5]
    assert Dataset.from_frames(LOG, item_relations=edges.drop("rank")).item_relations["bought"].weight.tolist() == [1]


@pytest.mark.parametrize("read", ["frames", "folder", "check", "prepare"])
def test_a_mapped_column_that_no_table_has_is_refused_with_near_names(read: str, tmp_path: Path) -> None:
    # The table has a column of the library's own name: nothing else would say that the option means nothing.
    log = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "timestamp": [1, 2], "time": [3, 4]})
    log.write_csv(tmp_path / "interactions.csv")
    columns = {"timestamp": "tme"}
    with pytest.raises(DataError, match=r"'tme': no table has the column that is mapped to 'timestamp'.*such as time"):
        if read == "frames":
            Dataset.from_frames(log, columns=columns)
        elif read == "folder":
            Dataset.load(tmp_path, columns=columns)
        elif read == "prepare":
            prepare_tables(tmp_path, tmp_path / "out", columns=columns)
        else:
            found = check_path(tmp_path, columns=columns).find("unreadable")
            assert found is not None
            raise DataError(found.title, fix=found.fix)


def test_columns_can_be_mapped() -> None:
    theirs = {"user_id": "uid", "item_id": "movieId", "timestamp": "when"}
    log = LOG.rename({ours: theirs[ours] for ours in theirs})
    dataset = Dataset.from_frames(log, ITEMS.rename({"item_id": "movieId"}), columns=theirs)
    assert dataset.item_ids.decode(dataset.sequences.items).to_list() == [3, 7, 5, 7, 3]
    assert dataset.item_titles == ("3", "Five", "7")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", "a", "b", "b"], AttributeKind.CATEGORICAL),
        ([True, False, None, True], AttributeKind.CATEGORICAL),
        ([1, 1, 2, 2], AttributeKind.CATEGORICAL),
        ([1, 2, 3, 4], AttributeKind.NUMERIC),
        ([i // 2 for i in range(200)], AttributeKind.NUMERIC),
        ([0.5, 0.5, 1.5, 1.5], AttributeKind.NUMERIC),
        ([["a"], ["b"], [], None], AttributeKind.MULTI),
        ([[1], [2], [], None], AttributeKind.MULTI),
        (["a|b", "a", "b", None], AttributeKind.MULTI),
        ([date(2020, 1, 1), date(2020, 1, 2), None, None], AttributeKind.TIME),
    ],
)
def test_kinds_are_inferred_and_said(values: list[Any], kind: AttributeKind) -> None:
    dataset = items_with(values)
    assert dataset.item_attributes["value"].kind is kind
    assert dataset.notes[-1].startswith(f"items: column 'value' is read as {kind.value}")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([f"title {i}" for i in range(30)], "30 different texts in 30 rows look like free text or ids"),
        (["a", "a", "a"], "its value is the same everywhere"),
        ([1.0, 1.0, 1.0], "its value is the same everywhere"),
        ([["a"], ["a"]], "its value is the same everywhere"),
        ([None, None], "it is empty"),
        ([[0.1, 0.2], [0.3]], "its lists hold 1 to 2 numbers, and vectors have one length"),
        ([[0.1, 0.2], [0.1, 0.2]], "its value is the same everywhere"),
        ([{"a": 1}, {"a": 2}], "mappings are read where a kind is declared"),
    ],
)
def test_columns_that_say_nothing_are_left_out_with_the_reason(values: list[Any], reason: str) -> None:
    dataset = items_with(values)
    assert dataset.item_attributes == {}
    assert reason in dataset.notes[-1] and "column 'value' is not used" in dataset.notes[-1]


def test_a_declared_kind_always_counts() -> None:
    titles = [f"title {i}" for i in range(30)]
    assert len(items_with(titles, kinds={"value": "categorical"}).item_attributes["value"].vocabulary) == 30
    assert items_with(["a", "a"], kinds={"value": "categorical"}).item_attributes["value"].vocabulary == ("a",)
    assert values_of(items_with(["b|a", "c"], kinds={"value": "multi"}).item_attributes["value"]) == [["a", "b"], ["c"]]
    assert items_with(["1", "2.5"], kinds={"value": "numeric"}).item_attributes["value"].numbers.tolist() == [1, 2.5]
    times = items_with(["1970-01-02", "1970-01-03T00:00:01Z"], kinds={"value": AttributeKind.TIME})
    assert times.item_attributes["value"].numbers.tolist() == [86400, 172801]


def test_integer_values_stand_in_the_order_of_numbers() -> None:
    attribute = items_with([10, 9, 9, 10, 100, 100]).item_attributes["value"]
    assert attribute.vocabulary == ("9", "10", "100")
    assert values_of(attribute) == [["10"], ["9"], ["9"], ["10"], ["100"], ["100"]]


def test_a_kind_can_be_declared_for_one_of_two_tables() -> None:
    dataset = Dataset.from_frames(
        LOG,
        pl.DataFrame({"item_id": [3, 5, 7], "age": [1, 2, 3]}),
        pl.DataFrame({"user_id": ["ann", "bob"], "age": [1, 2]}),
        kinds={"users.age": "categorical"},
    )
    assert dataset.user_attributes["age"].kind is AttributeKind.CATEGORICAL
    assert dataset.item_attributes["age"].kind is AttributeKind.NUMERIC


def test_every_column_of_the_interactions_is_told_once_and_can_be_declared() -> None:
    log = LOG.with_columns(transactionid=pl.int_range(5) * 1000, note=pl.lit("x"), price=pl.lit(None, dtype=pl.Float64))
    notes = [note for note in Dataset.from_frames(log).notes if "'transactionid'" in note or "'price'" in note]
    assert notes == [
        "interactions: column 'transactionid' is read as a behaviour attribute, a number",
        "interactions: column 'price' is not used, it is empty",
    ]
    for column in ("rating", "channel", "transactionid", "note", "price", "timestamp"):
        assert sum(f"column '{column}'" in note for note in Dataset.from_frames(log).notes) == 1
    dataset = Dataset.from_frames(
        log, kinds={"transactionid": "ignore", "note": "ignore", "interactions.rating": "numeric"}
    )
    assert list(dataset.sequences.behaviours) == ["rating", "channel"]
    assert "interactions: column 'transactionid' is not used, as it is declared" in dataset.notes
    with pytest.raises(
        ConfigurationError, match=r"is a number or a category. Use 'numeric', 'categorical' or 'ignore'"
    ):
        Dataset.from_frames(log, kinds={"channel": "multi"})


def test_whole_numbers_are_one_attribute_however_they_are_stored() -> None:
    for values in ([1, 1, 2, 2], [1.0, 1.0, 2.0, 2.0], pl.Series([1, 1, 2, 2], dtype=pl.UInt8).to_list()):
        assert items_with(values).item_attributes["value"].vocabulary == ("1", "2")


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(-5, 5)), min_size=1, max_size=50))
def test_histories_are_those_of_a_plain_stable_sort(events: list[tuple[int, int, int]]) -> None:
    dataset = Dataset.from_frames(pl.DataFrame(events, schema=["user_id", "item_id", "timestamp"], orient="row"))
    assert dataset.user_ids.to_list() == sorted({user for user, _, _ in events})
    for index, user in enumerate(dataset.user_ids.to_list()):
        own = sorted((event for event in events if event[0] == user), key=lambda event: event[2])
        assert dataset.item_ids.decode(dataset.sequences.row(index)).to_list() == [item for _, item, _ in own]
