"""Names of columns: of one table alone, of values within mappings, and files without a header."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.data.small_log import assert_same

from attrformer.data import Dataset
from attrformer.data.folder import fitting_columns
from attrformer.data.options import TableOptions
from attrformer.data.prepare_tables import prepare_tables
from attrformer.errors import ConfigurationError, DataError

LOG = pl.DataFrame({"email": ["a", "a", "b"], "line sku": ["007", "08", "007"], "sku": ["x", "y", "z"]})
ITEMS = pl.DataFrame({"handle": ["h1", "h2"], "sku": ["08", "007"], "kind": ["A", "B"]})
COLUMNS = {"user_id": "email", "item_id": "line sku", "items.item_id": "sku"}
EVENTS = pl.DataFrame(
    {
        "anonymousId": ["a", "a", "b"],
        "properties": [{"product": {"id": item}, "price": 1.5} for item in ("007", "08", "007")],
    }
)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_one_table_may_call_a_column_otherwise_than_the_others(form: str, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    for name, frame in (("interactions", LOG), ("items", ITEMS)):
        path = tmp_path / "shop" / f"{name}.{form}"
        (frame.write_csv if form == "csv" else frame.write_parquet)(path)
    read = Dataset.load(tmp_path / "shop", columns=COLUMNS)
    assert read.item_ids.to_list() == ["007", "08"]
    kinds = read.item_attributes["kind"]
    assert [kinds.vocabulary[code] for code in kinds.codes] == ["B", "A"]
    assert "sku" in read.sequences.behaviours and "sku" not in read.item_attributes
    frames = Dataset.from_frames(LOG, ITEMS, columns=COLUMNS)
    assert frames.item_ids == read.item_ids and list(frames.item_attributes) == list(read.item_attributes)
    prepare_tables(tmp_path / "shop", tmp_path / "out", columns=COLUMNS, part_rows=2)
    assert_same(read, Dataset.load(tmp_path / "out", name="shop"))
    assert_same(read, Dataset.load(tmp_path / "out", name="shop", columns=COLUMNS))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {**COLUMNS, "items.item_id": "skew"},
            "^items, column 'skew': .* mapped to 'items.item_id'.*such as handle, sku",
        ),
        (
            {**COLUMNS, "users.user_id": "who"},
            "^users, column 'who': there is no table with the column that is mapped to 'users.user_id'",
        ),
        ({**COLUMNS, "item_id": "sku", "items.item_id": "line sku"}, "^items, column 'line sku': "),
    ],
)
def test_a_name_that_the_table_does_not_have_is_refused(columns: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset.from_frames(LOG, ITEMS, columns=columns)


def test_what_is_said_of_a_column_of_one_table_goes_before_what_is_said_of_all() -> None:
    columns = {"item_id": "line sku", "user_id": "sku", "items.item_id": "sku"}
    read = Dataset.from_frames(LOG, ITEMS, columns=columns)
    assert read.user_ids.to_list() == ["x", "y", "z"] and "kind" in read.item_attributes


@pytest.mark.parametrize("name", ["item.item_id", "interaction.timestamp"])
def test_a_name_of_no_table_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"which is no table. Write one of interactions, items, "):
        Dataset.from_frames(LOG, ITEMS, columns={**COLUMNS, name: "sku"})


def test_names_that_another_folder_does_not_need_are_left_out(tmp_path: Path) -> None:
    own, other, third = (tmp_path / name for name in ("own", "other", "third"))
    log = LOG.rename({"email": "user_id", "line sku": "item_id"})
    for folder, frame in ((own, LOG), (other, log), (third, log.rename({"item_id": "thing"}))):
        folder.mkdir()
        frame.write_csv(folder / "interactions.csv")
    ITEMS.write_csv(own / "items.csv")
    prepare_tables(other, tmp_path / "prepared")
    assert fitting_columns(own, TableOptions(COLUMNS)) == COLUMNS
    assert (
        fitting_columns(other, TableOptions(COLUMNS))
        == fitting_columns(tmp_path / "prepared", TableOptions(COLUMNS))
        == {}
    )
    # Neither name is there, which has to be said.
    assert fitting_columns(third, TableOptions(COLUMNS)) == {"item_id": "line sku"}


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_values_of_mappings_are_columns_where_they_are_named(form: str, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    path = tmp_path / "shop" / f"interactions.{form}"
    (EVENTS.write_ndjson if form == "jsonl" else EVENTS.write_parquet)(path)
    columns = {"user_id": "anonymousId", "item_id": "properties.product.id", "paid": "properties.price"}
    read = Dataset.load(tmp_path / "shop", columns=columns)
    assert read.item_ids.to_list() == ["007", "08"] and read.sequences.behaviours["paid"].tolist() == [1.5] * 3
    prepare_tables(tmp_path / "shop", tmp_path / "out", columns=columns, part_rows=2)
    assert_same(read, Dataset.load(tmp_path / "out", name="shop"))
    with pytest.raises(DataError, match=r"column 'properties.sku': no table has the column .*such as properties"):
        Dataset.load(tmp_path / "shop", columns={**columns, "item_id": "properties.sku"})


def test_lists_of_values_are_no_values() -> None:
    orders = pl.DataFrame({"user_id": ["a"], "items": [[{"item_id": "1"}, {"item_id": "2"}]], "sku": ["x"]})
    with pytest.raises(DataError, match="'items' holds lists, and a row has to be one interaction: write one for each"):
        Dataset.from_frames(orders, columns={"item_id": "sku", "user_id": "items.item_id"})


def test_a_column_that_is_named_goes_before_one_of_our_name() -> None:
    log = pl.DataFrame({"user_id": [None, "x"], "device_id": ["a", "b"], "item_id": ["1", "2"]})
    read = Dataset.from_frames(log, columns={"user_id": "device_id"})
    assert read.user_ids.values.to_list() == ["a", "b"] and not read.sequences.behaviours
    told = "column 'user_id' is the one that is called 'device_id'; that of the same name is not used"
    assert any(told in note for note in read.notes)


@pytest.mark.parametrize("columns", [{}, {"user_id": "user"}])
def test_a_file_without_a_header_is_told(columns: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "interactions.csv").write_text("196,242,3,881250949\n186,302,3,891717742\n")
    with pytest.raises(DataError, match="the first row looks like values, and has to hold names"):
        Dataset.load(tmp_path, columns=columns)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_texts_without_any_letter_are_an_empty_column(form: str, tmp_path: Path) -> None:
    log = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 1], "read_at": ["", " ", None]})
    (tmp_path / "log").mkdir()
    path = tmp_path / "log" / f"interactions.{form}"
    (log.write_ndjson if form == "jsonl" else log.write_parquet)(path)
    read = Dataset.load(tmp_path / "log")
    assert not read.sequences.behaviours
    assert f"{path.name}: column 'read_at' is not used, it is empty" in read.notes
    prepare_tables(tmp_path / "log", tmp_path / "out", part_rows=2)
    assert_same(read, Dataset.load(tmp_path / "out", name="log"))
