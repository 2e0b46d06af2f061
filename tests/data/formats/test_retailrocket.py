"""RetailRocket: events, and properties of items in two parts that change in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from attrformer.data import Dataset
from attrformer.data.formats import detect, prepare, read_raw
from attrformer.errors import DataError

T = 1_433_221_332
EVENTS = f"""timestamp,visitorid,event,itemid,transactionid
{T}117,7,view,10,
{T + 9}500,3,view,20,
{T + 5}900,7,transaction,20,4000
{T + 5}100,7,addtocart,20,
"""
FIRST = f"""timestamp,itemid,property,value
{T - 9}000,10,categoryid,4
{T - 9}000,10,790,n15360.000
{T - 9}000,10,888,1116713 960601 n277.200
{T - 9}000,20,categoryid,9
{T - 9}000,20,5,n1.000
{T - 9}000,10,888,n3.000
"""
SECOND = f"""timestamp,itemid,property,value
{T + 5}001,10,790,n-9.5
{T + 5}000,20,available,1
{T - 9}000,20,790,n12.000
{T - 9}000,30,categoryid,1
"""
TREE = "categoryid,parentid\n1,\n4,2\n2,1\n8,9\n9,8\n"
PARTS = {
    "events.csv": EVENTS,
    "item_properties_part1.csv": FIRST,
    "item_properties_part2.csv": SECOND,
    "category_tree.csv": TREE,
}


def write(folder: Path, **changed: str | None) -> Path:
    """The files, some changed or left out."""
    for name, text in PARTS.items():
        text = changed.get(name.partition(".")[0], text)
        if text is not None:
            (folder / name).write_text(text)
    return folder


def fault(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_raw(path, "retailrocket")
    return caught.value


def test_the_exact_tables(tmp_path: Path) -> None:
    assert detect(write(tmp_path)).name == "retailrocket"
    tables = read_raw(tmp_path)
    assert tables.interactions.columns == ["user_id", "item_id", "timestamp", "event"]
    assert tables.interactions.rows() == [
        (3, 20, T + 9, "view"),
        (7, 10, T, "view"),
        (7, 20, T + 5, "addtocart"),
        (7, 20, T + 5, "transaction"),
    ]
    assert tables.item_changes is not None and tables.items is None
    assert tables.item_changes.columns == ["item_id", "timestamp", "column", "value"]
    assert sorted(tables.item_changes.rows()) == [
        (10, T - 9, "790", "15360.000"),
        (10, T - 9, "categoryid", "1 > 2 > 4"),
        (10, T + 6, "790", "-9.5"),
        (20, T - 9, "790", "12.000"),
        (20, T - 9, "categoryid", "8 > 9"),
        (20, T + 5, "available", "1"),
        (30, T - 9, "categoryid", "1"),
    ]
    assert tables.notes == (
        "item_properties: 2 of 5 properties are hashed text, or known of fewer than half of the items, "
        "and are left out",
    )


def test_a_prepared_folder_holds_attributes_that_change(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    done = prepare(write(tmp_path / "raw"), tmp_path / "shop")
    assert done.summary.rows == {"interactions": 4, "item_changes": 7}
    data = Dataset.load(tmp_path / "shop")
    assert list(data.item_changes) == ["790", "available", "categoryid"]
    assert data.item_values_at("790", T + 5).numbers.tolist() == [15360.0, 12.0]
    assert data.item_values_at("790", T + 6).numbers.tolist() == [-9.5, 12.0]
    assert data.item_changes["categoryid"].vocabulary == ("1 > 2 > 4", "8 > 9")


def test_one_file_of_properties_is_enough(tmp_path: Path) -> None:
    write(tmp_path, item_properties_part2=None)
    tables = read_raw(tmp_path)
    assert tables.item_changes is not None and set(tables.item_changes["column"]) == {"5", "790", "categoryid"}


def test_what_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    write(tmp_path, category_tree=None)
    assert "'category_tree.csv' is missing" in str(fault(tmp_path))
    write(tmp_path, item_properties_part2=SECOND + "17,x,790,n1\n")
    wrong = fault(tmp_path)
    assert (wrong.column, wrong.row) == ("item_id", 4) and "'x' is not a whole number" in wrong.problem
    write(tmp_path, events=EVENTS.replace("visitorid", "user"))
    assert "the first line is 'timestamp,user,event,itemid,transactionid'" in str(fault(tmp_path))
    for part in ("item_properties_part1.csv", "item_properties_part2.csv"):
        (tmp_path / part).unlink()
    write(tmp_path, item_properties_part1=None, item_properties_part2=None)
    assert "'item_properties_part1.csv' is missing" in str(fault(tmp_path))
