"""The doors give what the Python calls give, alone or in company."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from tests.support.services import TOKEN, Busy, got, posted, until, with_client

from attrformer.data.frames import to_polars
from attrformer.recommender import AttrFormer
from attrformer.server.options import ServeOptions
from attrformer.server.state import Service

HISTORY = ["item-0003", "item-0007"]


@pytest.fixture(scope="module")
def loaded(fitted_run: Path) -> AttrFormer:
    return AttrFormer.load(fitted_run / "model")


def rows(frame: Any) -> list[dict[str, Any]]:
    return to_polars(frame).rows(named=True)


def flat(results: list[dict[str, Any]], key: str = "user_id", inner: str = "items") -> list[tuple[Any, ...]]:
    return [(r[key], i["item_id"], pytest.approx(i["score"], abs=1e-4), i["rank"]) for r in results for i in r[inner]]


@pytest.mark.parametrize(
    "arguments",
    [
        {"users": ["user-0004", "user-0002"], "k": 3},
        {"histories": [HISTORY, []], "k": 2},
        {"histories": {"me": HISTORY}, "user_attributes": {"me": {"age_band": "25-34"}}, "hide_seen": False},
        {"user_attributes": {"somebody": {"region": "north"}}, "on_unknown": "skip"},
        {"users": ["user-0001"], "candidates": ["item-0009", "item-0001"], "exclude": ["item-0009"]},
        {"users": ["user-0001"], "as_of": 1_700_000_000},
    ],
)
def test_recommend_answers_as_the_python_call(service: Service, loaded: AttrFormer, arguments: dict[str, Any]) -> None:
    answer = posted(service, "/v1/recommend", arguments)
    assert answer.status_code == 200, answer.text
    wanted = rows(loaded.recommend(**arguments))
    assert wanted
    assert [(r["user_id"], r["item_id"], r["score"], r["rank"]) for r in wanted] == flat(answer.json()["results"])
    titles = dict(zip(loaded.fitted.knowledge.item_ids.to_list(), loaded.fitted.knowledge.titles or (), strict=True))
    entries = [item for result in answer.json()["results"] for item in result["items"]]
    assert [entry["title"] for entry in entries] == [titles[entry["item_id"]] for entry in entries]
    assert answer.json()["model"] == 1 and answer.json()["warnings"] == []


def test_explain_gives_parts_that_sum_to_the_score(service: Service, loaded: AttrFormer) -> None:
    arguments = {"histories": [HISTORY], "items": ["item-0010", "item-0011"]}
    (result,) = posted(service, "/v1/explain", arguments).json()["results"]
    wanted = rows(loaded.explain(**arguments))
    found = [
        (item["item_id"], part["component"], part["reason"], part["history"])
        for item in result["items"]
        for part in item["components"]
    ]
    assert found == [(row["item_id"], row["component"], row["reason"], row["history"]) for row in wanted]
    for item in result["items"]:
        assert sum(part["contribution"] for part in item["components"]) == pytest.approx(item["score"], abs=1e-3)
    spoken = [part for item in result["items"] for part in item["components"] if part["history"] is not None]
    assert spoken and all(part["history"] in HISTORY and part["history_title"] for part in spoken)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"by": "cooccurrence_near"},
        {"by": "item_brand"},
        {"exclude": ["item-0003", "item-0009"], "where": "price < 60"},
        {"candidates": ["item-0009", "ghost", "item-0001"], "on_unknown": "skip"},
    ],
)
def test_similar_answers_as_the_python_call(service: Service, loaded: AttrFormer, more: dict[str, Any]) -> None:
    body = {"items": ["item-0003", "item-0004"], "k": 4, **more}
    results = posted(service, "/v1/similar", body).json()["results"]
    wanted = [(r["item_id"], r["similar_item_id"], r["score"], r["rank"]) for r in rows(loaded.similar_items(**body))]
    assert wanted and wanted == flat(results, "item_id", "similar")


def test_similar_says_what_is_unknown(service: Service) -> None:
    body: dict[str, Any] = {"items": ["item-0003", "ghost"], "k": 2, "where": 'brand != "Nobody"'}
    assert posted(service, "/v1/similar", body).status_code == 404
    answer = posted(service, "/v1/similar", body | {"on_unknown": "warn"}).json()
    assert [result["item_id"] for result in answer["results"]] == ["item-0003"]
    assert ["'ghost'" in answer["warnings"][0], "no item has 'Nobody'" in answer["warnings"][1]] == [True, True]


@pytest.mark.slow
def test_company_changes_no_answer(fitted_run: Path) -> None:
    # Of its own, since what calls have taken before says how many are answered together.
    service = Service(fitted_run, ServeOptions(timeout=120))
    service.engine.start()
    bodies: list[dict[str, Any]] = [
        *({"users": [f"user-{n:04d}", f"user-{n + 1:04d}"], "k": 3} for n in range(1, 8)),
        *({"histories": [[f"item-{n:04d}", f"item-{n + 2:04d}"]], "k": 3} for n in range(1, 8)),
        {"users": ["nobody"], "k": 3},
        {"histories": [["nothing"]], "k": 3},
        {"histories": {"me": ["item-0001"]}, "k": 3},
        {"histories": {"me": ["item-0002"]}, "k": 3},
        {"histories": {"you": ["item-0002"]}, "k": 3},
    ]

    async def together(client: httpx.AsyncClient) -> list[httpx.Response]:
        work = Busy()
        busy = asyncio.create_task(service.line.submit(work, 120))
        await work.begun()
        asked = [asyncio.create_task(client.post("/v1/recommend", json=body)) for body in bodies]
        await until(lambda: len(service.line) == len(bodies))
        work.let_go()
        await busy
        return await asyncio.gather(*asked)

    async def in_turn(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.post("/v1/recommend", json=body) for body in bodies]

    joint, single = with_client(service, together), with_client(service, in_turn)
    # Eight of a kind wait, one of which cannot be answered: the half without it is answered together.
    assert max(int(answer.headers.get("X-Answered-Together", 0)) for answer in joint) == 4
    for answer, alone in zip(joint, single, strict=True):
        assert answer.status_code == alone.status_code
        assert flat(answer.json().get("results", [])) == flat(alone.json().get("results", []))
    assert [answer.status_code for answer in joint].count(404) == 2
    service.close()


def test_unknown_ids_are_refused_warned_of_or_left_out(service: Service) -> None:
    body = {"users": ["user-0001", "nobody"], "k": 1}
    refused = posted(service, "/v1/recommend", body)
    assert refused.status_code == 404 and refused.json()["error"]["code"] == "unknown_id"
    assert "'nobody'" in refused.json()["error"]["message"]
    warned = posted(service, "/v1/recommend", {**body, "on_unknown": "warn"}).json()
    assert [result["user_id"] for result in warned["results"]] == ["user-0001"]
    assert "'nobody'" in warned["warnings"][0]
    skipped = posted(service, "/v1/recommend", {**body, "on_unknown": "skip"}).json()
    assert skipped["results"] == warned["results"] and skipped["warnings"] == []


def test_the_catalogue_is_searched_by_every_word(service: Service, loaded: AttrFormer) -> None:
    knowledge = loaded.fitted.knowledge
    titles = pl.DataFrame({"id": knowledge.item_ids.to_list(), "title": list(knowledge.titles or ())})
    first, last = titles["title"][5].split()[0], titles["title"][5].split()[-1]
    found = got(service, f"/v1/catalogue?query={last.lower()}+{first.upper()}").json()
    wanted = titles.filter(pl.col("title").str.contains(first) & pl.col("title").str.contains(last, literal=True))
    assert {item["item_id"] for item in found["items"]} == set(wanted["id"]) and found["total"] == len(wanted)
    assert set(found["items"][0]["attributes"]) == {"brand", "category", "price"}
    assert got(service, "/v1/catalogue?query=item-0017").json()["items"][0]["item_id"] == "item-0017"
    assert got(service, "/v1/catalogue?query=(.*").json() == {"total": 0, "items": []}
    every = got(service, "/v1/catalogue?limit=3&offset=78").json()
    assert every["total"] == 80 and [item["item_id"] for item in every["items"]] == ["item-0079", "item-0080"]


def test_the_model_says_what_it_can_be_asked(service: Service, loaded: AttrFormer) -> None:
    about = got(service, "/v1/model").json()
    assert (about["items"], about["users"], about["dataset"]) == (80, 90, "shop")
    assert list(about["relations"]) == list(loaded.relation_strengths())
    assert about["pair_attributes"] == loaded.pair_attributes()
    assert "25-34" in about["user_attributes"]["age_band"] and about["user_numbers"] == []
    for by in about["similar_by"]:
        assert posted(service, "/v1/similar", {"items": ["item-0001"], "by": by, "k": 1}).status_code == 200, by
    for attribute in about["pair_attributes"]:
        pairs = got(service, f"/v1/pairs?attribute={attribute}&k=5").json()
        assert got(service, f"/v1/pairs?attribute={attribute}&count=5").json() == pairs
        names, matrix = loaded.strongest_pairs(attribute, 5)
        assert pairs["values"] == names and pairs["matrix"] == [pytest.approx(row) for row in matrix.tolist()]


def test_a_history_is_that_of_the_user(service: Service, loaded: AttrFormer) -> None:
    knowledge = loaded.fitted.knowledge
    codes = knowledge.histories.row(4)[-3:]
    answer = got(service, "/v1/history?user_id=user-0005&limit=3").json()
    assert [item["item_id"] for item in answer["items"]] == knowledge.item_ids.decode(codes).to_list()
    assert got(service, "/v1/history?user_id=nobody").status_code == 404


@pytest.mark.slow
def test_a_history_with_its_times_has_the_answer_of_the_user(service: Service, loaded: AttrFormer) -> None:
    users = loaded.fitted.knowledge.user_ids.to_list()
    histories = {user: got(service, f"/v1/history?user_id={user}&limit=2000").json()["items"] for user in users}
    entries = {
        user: [{key: item[key] for key in ("item_id", "timestamp", "behaviours") if key in item} for item in items]
        for user, items in histories.items()
    }
    by_id = posted(service, "/v1/recommend", {"users": users}).json()["results"]
    by_history = posted(service, "/v1/recommend", {"histories": entries}).json()["results"]
    assert len(by_id) == len(users) >= 40
    assert flat(by_id) == flat(by_history)
    # Ids alone are another question: gaps between interactions and moments are not known.
    bare = {user: [item["item_id"] for item in items] for user, items in histories.items()}
    assert flat(posted(service, "/v1/recommend", {"histories": bare}).json()["results"]) != flat(by_id)


@pytest.mark.slow
def test_items_are_added_and_recommended_at_once(run: Path) -> None:
    service = Service(run, ServeOptions(token=TOKEN, save_added=True))
    service.engine.start()
    brand = got(service, "/v1/catalogue?query=item-0003", Authorization=f"Bearer {TOKEN}")
    attributes = {name: values for name, values in brand.json()["items"][0]["attributes"].items() if name != "price"}

    async def add(client: httpx.AsyncClient) -> None:
        added = await client.post(
            "/v1/items",
            json={"items": [{"item_id": "new-1", "title": "Newest", "attributes": attributes}, {"item_id": "new-2"}]},
        )
        assert added.json() == {"added": 2, "catalogue": 82, "saved": True} and added.status_code == 201
        body = {"histories": [["item-0003"]], "candidates": ["new-1", "new-2"]}
        (result,) = (await client.post("/v1/recommend", json=body)).json()["results"]
        assert [item["item_id"] for item in result["items"]] == ["new-1", "new-2"]
        assert result["items"][0]["title"] == "Newest"
        assert (await client.get("/v1/catalogue?query=newest")).json()["total"] == 1
        again = await client.post("/v1/items", json={"items": [{"item_id": "new-1"}]})
        assert again.status_code == 422 and "new-1" in again.json()["error"]["message"]
        wrong = await client.post("/v1/items", json={"items": [{"item_id": "new-3", "attributes": {"brnad": "x"}}]})
        assert wrong.status_code == 422 and "brand" in wrong.json()["error"]["message"]
        assert (await client.get("/v1/model")).json()["items"] == 82

    with_client(service, add, Authorization=f"Bearer {TOKEN}")
    service.close()
    # No model of the run was touched; the next start adds them again.
    assert sorted(path.name for path in run.iterdir()) == ["added.jsonl", "model"]
    assert len(AttrFormer.load(run / "model").fitted.knowledge.item_ids) == 80
    again = Service(run, ServeOptions(save_added=True))
    again.engine.start()
    assert again.served.catalogue.search("newest", 1, 0)[1][0]["item_id"] == "new-1" and again.served.added == 2
    again.close()


def test_without_a_token_only_this_machine_may_add_and_nobody_reload(fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions(host="0.0.0.0"))
    service.engine.start()
    added = posted(service, "/v1/items", {"items": [{"item_id": "new-1"}]})
    assert added.status_code == 403 and "token" in added.json()["error"]["message"]
    assert ServeOptions().writable
    reloaded = posted(service, "/v1/reload", None)
    assert reloaded.status_code == 403 and "SIGHUP" in reloaded.json()["error"]["message"]


@pytest.mark.slow
def test_a_token_is_asked_for_everywhere_but_at_the_probes_and_the_page(fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions(token=TOKEN))
    service.engine.start()

    async def ask(client: httpx.AsyncClient) -> None:
        for path in ("/healthz", "/readyz", "/", "/page.css", "/openapi.json"):
            assert (await client.get(path)).status_code == 200, path
        for path in ("/v1/model", "/v1/nothing", "/metrics"):
            refused = await client.get(path)
            assert refused.status_code == 401 and refused.headers["WWW-Authenticate"] == "Bearer", path
            wrong = await client.get(path, headers={"Authorization": "Bearer another-token-of-this"})
            assert wrong.status_code == 401
        assert (await client.get("/v1/model", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
        # Refused before the body is read.
        assert (await client.post("/v1/recommend", content=b"{" * 5_000_000)).status_code == 401

    with_client(service, ask)


def test_before_there_is_a_model_only_the_process_lives(fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions())

    async def ask(client: httpx.AsyncClient) -> None:
        assert (await client.get("/healthz")).status_code == 200
        for answer in (
            await client.get("/readyz"),
            await client.get("/v1/model"),
            await client.post("/v1/recommend", json={"users": ["user-0001"]}),
        ):
            assert answer.status_code == 503 and answer.json()["error"]["code"] == "not_ready"
            assert answer.headers["Retry-After"]
        await service.start()
        assert (await client.get("/readyz")).json() == {"status": "ready"}

    with_client(service, ask)
