"""A file of changes that is followed: values of now, changes with their times, and what cannot be used."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from tests.server.test_changing import AUTHORISED, HISTORY, OPEN, items, recommended, started
from tests.support.services import posted, until, with_client

from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.recommender import AttrFormer
from attrformer.server.added import CHANGED_FILE
from attrformer.server.changes_file import ChangesFile
from attrformer.server.monitoring import LOGGER
from attrformer.server.state import Service


def test_values_of_now_hold_from_the_time_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_text("item_id,title,stock,price\na,A,1,2.5\nb,B,,3\n")
    os.utime(path, (1000, 1000))
    file = ChangesFile(path)
    assert file.whole().rows() == [
        ("a", 1000, "stock", "1"),
        ("b", 1000, "stock", None),
        ("a", 1000, "price", "2.5"),
        ("b", 1000, "price", "3.0"),
    ]
    assert file.news() is None
    path.write_text("item_id,title,stock,price\na,A,0,2.5\nb,B,,3\nc,C,9,1\n")
    os.utime(path, (2000, 2000))
    news = file.news()
    assert news is not None
    assert news.rows() == [("a", 2000, "stock", "0"), ("c", 2000, "stock", "9"), ("c", 2000, "price", "1.0")]
    os.utime(path, (3000, 3000))
    again = file.news()
    assert again is not None and again.is_empty()
    path.unlink()
    assert file.news() is None


def test_a_table_of_changes_brings_its_own_times(tmp_path: Path) -> None:
    path = tmp_path / "changes.csv"
    path.write_text("item_id,timestamp,column,value\na,1970-01-01T00:00:07,stock,1\n")
    file = ChangesFile(path)
    assert file.whole().rows() == [("a", 7, "stock", "1")]
    path.write_text("item_id,timestamp,column,value\na,1970-01-01T00:00:07,stock,1\na,1970-01-02,stock,1\n")
    news = file.news()
    assert news is not None and news.rows() == [("a", 86_400, "stock", "1")]


def test_dates_are_read_in_the_order_that_training_found(tmp_path: Path) -> None:
    path = tmp_path / "changes.csv"
    path.write_text("item_id,timestamp,column,value\na,01/02/1970,stock,1\n")
    file = ChangesFile(path)
    with pytest.raises(ConfigurationError, match="no value of the column tells which"):
        file.whole()
    assert file.whole("month").rows() == [("a", 86_400, "stock", "1")]
    path.write_text("item_id,timestamp,column,value\na,01/02/1970,stock,1\na,01/03/1970,stock,2\n")
    news = file.news("month")
    assert news is not None and news.rows() == [("a", 2 * 86_400, "stock", "2")]


@pytest.mark.parametrize(
    "text",
    [
        *("id,stock\na,1\n", "item_id,column\na,x\n", "item_id,timestamp,column,value\na,,x,1\n"),
        "item_id,timestamp,stock\na,7,1\n",
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ConfigurationError, match=r"x\.csv cannot be used"):
        ChangesFile(tmp_path / "x.csv").whole()
    with pytest.raises(ConfigurationError, match=r"no\.csv cannot be read"):
        ChangesFile(tmp_path / "no.csv").whole()


@pytest.mark.parametrize("values", [[["x", "y"]], [b"x"], [{"a": 1}]], ids=["list", "bytes", "struct"])
def test_a_column_that_cannot_change_is_named(tmp_path: Path, values: list[Any]) -> None:
    path = tmp_path / "x.parquet"
    pl.DataFrame({"item_id": ["a"], "tags": values}).write_parquet(path)
    with pytest.raises(ConfigurationError, match=r"column 'tags': values of type .* cannot change\. Leave"):
        ChangesFile(path).whole()
    changes = {"item_id": ["a"], "timestamp": [1], "column": ["tags"], "value": values}
    pl.DataFrame(changes).write_parquet(path)
    with pytest.raises(ConfigurationError, match=r"column 'value': values of type .* cannot change\. Leave"):
        ChangesFile(path).whole()


def test_a_service_follows_it(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # A test before may have started the log of a service in this process.
    monkeypatch.setattr(logging.getLogger(LOGGER), "propagate", True)
    path = tmp_path / "stock.parquet"

    def write(**values: int) -> None:
        frame = pl.DataFrame({"item_id": list(values), "stock": list(values.values())})
        frame.write_parquet(tmp_path / "new")
        (tmp_path / "new").rename(path)

    first, second = "item-0001", "item-0002"
    write(**{first: 1, second: 0, "elsewhere": 5})
    service = Service(run, replace(OPEN, changes_file=str(path), follow_every=0.02))

    async def ask(client: httpx.AsyncClient) -> None:
        await service.start()
        assert service.failure is None

        async def there(where: str) -> set[str]:
            found = (await client.post("/v1/recommend", json={**HISTORY, "where": where})).json()
            return recommended(found)

        assert await there("stock > 0") == {first}
        write(**{first: 0, second: 3})
        await _until(lambda: there("stock > 0"), {second})
        # What cannot be read changes nothing.
        path.write_bytes(b"no table")
        await until(lambda: "changes.failed" in caplog.messages)
        assert await there("stock > 0") == {second}
        write(**{first: 6, second: 3})
        await _until(lambda: there("stock > 0"), {first, second})
        assert (await client.post("/v1/reload")).status_code == 200
        assert await there("stock > 0") == {first, second}

    with_client(service, ask, **AUTHORISED)
    assert not (run / CHANGED_FILE).exists() and service.served.changes == 0


def test_an_item_that_is_added_later_has_what_the_file_says_of_it(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "stock.csv"
    path.write_text("item_id,stock\nitem-0001,0\nmine,4\nelsewhere,1\n")
    service = started(run, replace(OPEN, changes_file=str(path)))
    assert service.served.changes_lost == 2 and items(service, "stock > 0") == set()
    body = {"items": [{"item_id": "mine", "attributes": {"price": 3.5}}]}
    assert posted(service, "/v1/items", body, **AUTHORISED).status_code == 201
    assert items(service, "stock > 0") == {"mine"} and service.served.changes_lost == 1
    service.close()


def test_a_reload_that_fails_takes_nothing_of_the_file_away(
    run: Path, tmp_path: Path, model: AttrFormer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stock.csv"
    path.write_text("item_id,stock\nitem-0001,1\nitem-0002,0\n")
    service = started(run, replace(OPEN, changes_file=str(path)))
    path.write_text("item_id,stock\nitem-0001,0\nitem-0002,10\n")
    later = time.time() + 5
    os.utime(path, (later, later))
    model.save(run / "next")

    def refuse(_: Path) -> None:
        raise OSError(13, "no")

    monkeypatch.setattr("attrformer.server.model_store.promote", refuse)
    with pytest.raises(CheckpointError, match="cannot be moved"):
        service.engine.reload()
    assert items(service, "stock > 0") == {"item-0001"}
    assert service.engine.follow() and items(service, "stock > 0") == {"item-0002"}
    service.close()


def test_a_start_with_a_file_that_cannot_be_used_fails(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        started(run, replace(OPEN, changes_file=str(tmp_path / "none.csv")))


async def _until(ask: Any, right: set[str], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while (found := await ask()) != right:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)
