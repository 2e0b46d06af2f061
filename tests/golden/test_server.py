"""The server answers over HTTP what it answered when the fixture was made, and its routes are those that were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.golden import api, server, store
from tests.golden.compare import assert_same

pytestmark = pytest.mark.slow

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server.served(tmp_path_factory.mktemp("served") / "run") as address:
        yield address


@pytest.fixture(scope="module")
def answered(address: str) -> tuple[Any, list[Any]]:
    return store.without_words(server.answers(address))


def test_answers(answered: tuple[Any, list[Any]]) -> None:
    assert_same(answered[0], store.read("server"), "server")


def test_reasons_and_warnings_are_worded_as_they_were(answered: tuple[Any, list[Any]]) -> None:
    assert answered[1] == store.read("words")["server"]


def test_routes_and_their_fields(address: str) -> None:
    api.assert_section("HTTP", api.http(server.ask(address, "/openapi.json", None)["answer"]))
