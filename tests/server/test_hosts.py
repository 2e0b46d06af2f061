"""Another site's name that points to this machine opens no door."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.support.services import TOKEN, got, posted, with_client

from attrformer.errors import ConfigurationError
from attrformer.server.options import Hosts, ServeOptions, host_of
from attrformer.server.state import Service

OURS = ["localhost", "LOCALHOST:8000", "127.0.0.1:9", "[::1]:8000", "localhost."]
OTHERS = ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b", "[::1"]


@pytest.mark.parametrize("path", ["/", "/v1/model", "/v1/history?user_id=user-0001", "/metrics", "/healthz"])
def test_another_site_is_not_answered(service: Service, path: str) -> None:
    answer = got(service, path, Host="evil.example")
    assert answer.status_code == 421 and answer.json()["error"]["code"] == "wrong_host"
    assert "user-0001" not in answer.text
    assert got(service, path, Host="localhost:8000").status_code == 200


def test_a_page_of_another_site_may_not_send_anything(service: Service) -> None:
    body = {"users": ["user-0001"], "k": 1}
    for origin in ("https://evil.example", "null", "http://127.0.0.1:3000", "file://"):
        answer = posted(service, "/v1/recommend", body, Host="127.0.0.1:8000", Origin=origin)
        assert answer.status_code == 403 and answer.json()["error"]["code"] == "other_site", origin
    own = posted(service, "/v1/recommend", body, Host="127.0.0.1:8000", Origin="http://127.0.0.1:8000")
    assert own.status_code == 200


@pytest.mark.parametrize("host", OURS)
def test_names_of_this_machine_are_its_own(host: str) -> None:
    assert Hosts("127.0.0.1", (), False).answers_as(host)


@pytest.mark.parametrize("host", OTHERS)
def test_names_of_others_are_not(host: str) -> None:
    for listens in ("127.0.0.1", "0.0.0.0", "::", "192.0.2.7"):
        assert not Hosts(listens, (), False).answers_as(host)


def test_on_a_network_it_answers_as_its_addresses_and_as_what_is_allowed() -> None:
    every, one = Hosts("0.0.0.0", ("shop.example",), False), Hosts("192.0.2.7", (), False)
    assert every.answers_as("192.0.2.9:8000") and every.answers_as("[2001:db8::1]") and every.answers_as("Shop.Example")
    assert one.answers_as("192.0.2.7") and not one.answers_as("192.0.2.9")
    assert every.may_come_from("https://shop.example", "10.0.0.1") and not every.may_come_from("https://x.example", "y")
    assert Hosts("127.0.0.1", ("*",), False).answers_as("evil.example")
    # A browser always names a host; who does not is none.
    assert one.answers_as(None)


def test_a_token_guards_by_itself_and_names_count_where_some_are_given(fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions(token=TOKEN))
    service.engine.start()

    async def ask(client: httpx.AsyncClient) -> None:
        assert (await client.get("/v1/model", headers={"Host": "shop.example"})).status_code == 200

    with_client(service, ask, Authorization=f"Bearer {TOKEN}")
    assert not Hosts("127.0.0.1", ("shop.example",), True).answers_as("evil.example")


@pytest.mark.parametrize("name", ["http://shop.example", "shop.example:80", "shop.example/x", "", "a b"])
def test_what_is_no_name_cannot_be_allowed(name: str) -> None:
    with pytest.raises(ConfigurationError, match="allowed_hosts"):
        ServeOptions(allowed_hosts=(name,))
    assert ServeOptions(allowed_hosts=("shop.example", "*", "192.0.2.7", "[::1]", "::1"))


def test_a_host_is_read_without_its_port() -> None:
    assert host_of("Shop.Example:443") == "shop.example" and host_of("[::1]:80") == "::1" == host_of("::1")
    assert host_of("a/b") is None and host_of("user@host") is None
