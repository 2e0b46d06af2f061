"""Vectors, texts and places in requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.described_shop import ASKED, described_shop
from tests.support.recommenders import small_config
from tests.support.services import TOKEN, got, posted, with_client

from attrformer.recommender import AttrFormer
from attrformer.server.options import ServeOptions
from attrformer.server.state import Service

pytestmark = pytest.mark.slow

MAY = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def model() -> AttrFormer:
    return AttrFormer(small_config("relations.buckets=4")).fit(described_shop(), progress=False)


@pytest.fixture(scope="module")
def service(model: AttrFormer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    run = tmp_path_factory.mktemp("described") / "run"
    model.save(run / "model")
    made = Service(run, ServeOptions(token=TOKEN))
    made.engine.start()
    yield made
    made.close()


def test_users_are_described_as_in_python(service: Service, model: AttrFormer) -> None:
    answer = posted(service, "/v1/recommend", {"user_attributes": {"x": ASKED}, "k": 3}, **MAY)
    assert answer.status_code == 200, answer.text
    found = [item["item_id"] for item in answer.json()["results"][0]["items"]]
    assert found == model.recommend(user_attributes={"x": ASKED}, k=3)["item_id"].to_list()
    # As the page sends it, which has a field for text.
    typed = {"taste": "[0, 0, 1, 0.5]", "bio": ASKED["bio"], "home": "20.0, 40.0"}
    again = posted(service, "/v1/recommend", {"user_attributes": {"x": typed}, "k": 3}, **MAY).json()
    assert [item["item_id"] for item in again["results"][0]["items"]] == found


def test_values_of_groups_are_not_chosen_among(service: Service) -> None:
    about = got(service, "/v1/model", **MAY).json()
    assert about["user_attributes"] == {"taste": [], "bio": [], "home": []}
    assert {"item_title", "item_place"} <= set(about["similar_by"]) and about["item_attributes"] == ["title", "place"]


@pytest.mark.parametrize(
    "wrong", [{"taste": [1.0]}, {"taste": [1e400]}, {"taste": ["a"]}, {"home": [91.0, 0.0]}, {"bio": "x" * 30_000}]
)
def test_values_that_do_not_fit_are_refused(service: Service, wrong: dict[str, Any]) -> None:
    body = json.dumps({"user_attributes": {"x": wrong}}).replace("Infinity", "1e400")
    headers = {**MAY, "content-type": "application/json"}
    answer = with_client(service, lambda client: client.post("/v1/recommend", content=body, headers=headers))
    assert answer.status_code == 422 and answer.json()["error"]["message"]


def test_items_with_texts_and_places_are_added(service: Service) -> None:
    item = {"item_id": "new-1", "attributes": {"title": "Toy Story 99", "place": [0.0, 0.05]}}
    answer = posted(service, "/v1/items", {"items": [item]}, **MAY)
    assert answer.status_code == 201, answer.text
    for by in ("item_title", "item_place"):
        asked = {"items": ["new-1"], "by": by, "k": 5}
        near = posted(service, "/v1/similar", asked, **MAY).json()["results"][0]["similar"]
        assert {int(each["item_id"][1:]) % 4 for each in near} == {0}
