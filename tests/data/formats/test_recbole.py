"""RecBole atomic files: typed headers become typed columns."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from attrformer.data.formats import detect, read_raw
from attrformer.errors import DataError

INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu2\ta\t3.5\t5e1\nu1\tb\t4\t20.9\nu1\ta\t\t10\n"
ITEM = (
    "item_id:token\tmovie_title:token_seq\tclass:token_seq\tprice:float\tvector:float_seq\tbrand:token\n"
    'a\tThe "Big" One\tDrama War\t2.5\t0.1 0.2\tX\n'
    "b\t\t\t\t\t\n"
)
USER = "user_id:token\tage:token\nu1\t24\nu2\t\n"


def recbole(folder: Path, inter: str = INTER, item: str | None = ITEM, user: str | None = USER) -> Path:
    for ending, text in (("inter", inter), ("item", item), ("user", user)):
        if text is not None:
            (folder / f"shop.{ending}").write_text(text, encoding="utf-8")
    return folder


def fault(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_raw(path)
    return caught.value


def test_the_exact_tables(tmp_path: Path) -> None:
    assert detect(recbole(tmp_path)).name == "recbole"
    tables = read_raw(tmp_path)
    assert tables.interactions.columns == ["user_id", "item_id", "rating", "timestamp"]
    assert tables.interactions.rows() == [("u1", "a", None, 10), ("u1", "b", 4.0, 20), ("u2", "a", 3.5, 50)]
    assert tables.items is not None and tables.users is not None
    assert tables.items.columns == ["item_id", "title", "class", "price", "vector", "brand"]
    assert tables.items.rows() == [
        ("a", 'The "Big" One', ["Drama", "War"], 2.5, [0.1, 0.2], "X"),
        ("b", None, [], None, [], None),
    ]
    assert tables.users.rows() == [("u1", "24"), ("u2", None)]


def test_only_interactions_without_times_keep_their_order(tmp_path: Path) -> None:
    inter = "user_id:token\titem_id:token\n2\t9\n1\t8\n2\t7\n"
    tables = read_raw(recbole(tmp_path, inter, None, None) / "shop.inter")
    assert tables.interactions.rows() == [("2", "9"), ("1", "8"), ("2", "7")]
    assert tables.items is None and tables.users is None


def test_the_shadow_files_of_an_archive_are_passed_over(tmp_path: Path) -> None:
    archive = tmp_path / "shop.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("shop/shop.inter", INTER)
        packed.writestr("__MACOSX/shop/._shop.inter", b"\0\5")
    assert read_raw(archive).interactions.height == 3


@pytest.mark.parametrize(
    ("inter", "column", "row", "said"),
    [
        ("user_id\titem_id:token\n1\t2\n", "user_id", None, "name:type"),
        ("user_id:token\titem_id:text\n1\t2\n", "item_id", None, "token_seq"),
        ("user_id:token\tproduct:token\n1\t2\n", "item_id", None, "Rename the id column"),
        ("user_id:token\titem_id:token\titem_id:float\n1\t2\t3\n", "item_id", None, "twice"),
        ("user_id:token\titem_id:token\trating:float\n1\t2\tx\n", "rating", 0, "'x' is not a number (line 2"),
        ("user_id:token\titem_id:token\n1\t2\n1\t\n", "item_id", 1, "missing (line 3"),
        ("user_id:token\titem_id:token\n1\t2\n1\n", None, 1, "1 fields where 2 are expected (line 3"),
        ("user_id:token\titem_id:token\ttimestamp:float\n1\t2\t3\n1\t2\tnan\n", "timestamp", 1, "finite"),
        ("user_id:token\titem_id:token\n", None, None, "no rows"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, inter: str, column: str | None, row: int | None, said: str) -> None:
    error = fault(recbole(tmp_path, inter))
    assert (error.column, error.row) == (column, row)
    assert said in str(error) and "shop.inter" in str(error)


def test_another_encoding_is_named(tmp_path: Path) -> None:
    recbole(tmp_path)
    (tmp_path / "shop.item").write_bytes("item_id:token\tbrand:token\na\tCafé\n".encode("latin-1"))
    error = fault(tmp_path)
    assert error.row == 1 and "not UTF-8" in str(error) and "shop.item" in str(error)


def test_histories_in_rows_of_interactions_are_told(tmp_path: Path) -> None:
    text = "user_id:token\titem_id_list:token_seq\titem_id:token\n1\t2 3\t4\n"
    (tmp_path / "shop.inter").write_text(text)
    assert read_raw(tmp_path, "recbole").notes == (
        "shop.inter: column 'item_id_list' holds lists, which are not read: each row counts as one interaction",
    )
