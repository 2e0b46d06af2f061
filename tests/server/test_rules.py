"""Rules over HTTP: the answer is that of the Python call, short lists say why, and hostile rules are refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.support.services import posted

from attrformer import Rules
from attrformer.data.frames import to_polars
from attrformer.recommender import AttrFormer
from attrformer.recommender.short_lists import ShortLists
from attrformer.rules.options import RULES as NAMES
from attrformer.rules.options import NewItemsRule, help_of
from attrformer.server.answers import notes_of
from attrformer.server.calls import RECOMMEND, Call, Share, join
from attrformer.server.fields import NewItems, RuleFields
from attrformer.server.state import Service

WHOM: dict[str, Any] = {"users": ["user-0001", "user-0002"], "k": 6}
HISTORY = ["item-0003", "item-0007"]

RULES: tuple[dict[str, Any], ...] = (
    {"where": 'price < 20 or brand is missing or category contains "Tools"'},
    {"boost": {"brand": {"Ostora": 1.5}, "category": {"Tools": -0.5}}},
    {"boost": [["price < 10", 2.0]]},
    {"at_most": {"brand": 1, "category": 3}},
    {"diversity": 0.6},
    {"new_items": {"share": 0.3, "within": "60d"}},
    {"new_items": {"share": 0, "within": "60d", "last": True}},
    {"pinned": {"2": "item-0005"}},
    {"pinned": ["item-0005", "item-0009"]},
    {"where": "stock > 0", "item_values": {f"item-{n:04d}": {"stock": n % 3} for n in range(1, 80)}},
    {"candidates": {"user-0001": ["item-0005", "item-0006"], "user-0002": []}},
    {"exclude": {"user-0002": [f"item-{n:04d}" for n in range(1, 40)]}},
    {
        "where": "price > 5",
        "at_most": {"brand": 2},
        "diversity": 0.2,
        "pinned": ["item-0005"],
        "exclude": ["item-0006"],
    },
)


@pytest.fixture(scope="module")
def loaded(fitted_run: Path) -> AttrFormer:
    return AttrFormer.load(fitted_run / "model")


def test_a_value_that_no_item_has_is_among_the_warnings(service: Service) -> None:
    rules = {"where": 'brand != "Lumara"', "boost": [['brand == "Lumara"', 1.0]]}
    for path in ("recommend", "explain"):
        told = posted(service, f"/v1/{path}", WHOM | rules).json()["warnings"]
        assert told == [
            f"{option}: no item has 'Lumara' in column 'brand'. Did you mean 'Lumaro'?" for option in ("where", "boost")
        ]
    assert posted(service, "/v1/recommend", WHOM | {"where": 'brand != "Lumaro"'}).json()["warnings"] == []


def recommended(model: AttrFormer, **arguments: Any) -> list[dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return to_polars(model.recommend(**arguments)).rows(named=True)


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "+".join(rules))
def test_rules_answer_as_the_python_call(service: Service, loaded: AttrFormer, rules: dict[str, Any]) -> None:
    answer = posted(service, "/v1/recommend", WHOM | rules)
    assert answer.status_code == 200, answer.text
    wanted = recommended(loaded, **WHOM, **rules)
    given = [{"user_id": r["user_id"], **i} for r in answer.json()["results"] for i in r["items"]]
    assert len(given) == len(wanted) > 0
    for one, other in zip(given, wanted, strict=True):
        del one["title"]
        assert one == other | {"score": pytest.approx(other["score"], abs=1e-4)}


def test_explain_explains_the_list_under_rules(service: Service, loaded: AttrFormer) -> None:
    rules = {"boost": [["price < 10", 2.0]], "at_most": {"brand": 1}, "pinned": ["item-0005"]}
    answer = posted(service, "/v1/explain", WHOM | rules)
    assert answer.status_code == 200, answer.text
    wanted = recommended(loaded, **WHOM, **rules)
    explained = [(r["user_id"], i) for r in answer.json()["results"] for i in r["items"]]
    assert [(user, item["item_id"]) for user, item in explained] == [(r["user_id"], r["item_id"]) for r in wanted]
    for _, item in explained:
        assert sum(each["contribution"] for each in item["components"]) == pytest.approx(item["score"], abs=1e-4)
        assert [each["component"] for each in item["components"]].count("rule") == 1
        assert "pinned" in item and "pinned" not in item["components"][0]


def test_a_list_that_rules_leave_too_short_says_why(service: Service) -> None:
    body = posted(service, "/v1/recommend", WHOM | {"where": "price < 0"}).json()
    assert body["results"] == []
    assert [note["user_id"] for note in body["notes"]] == WHOM["users"]
    assert body["notes"][0]["note"] == "0 of 6 items: of 80, where leaves out 80."


def test_notes_of_calls_that_are_answered_together_keep_their_numbers(service: Service) -> None:
    alone = posted(service, "/v1/recommend", {"histories": [HISTORY, HISTORY], "k": 3, "where": "price < 0"}).json()
    assert [note["user_id"] for note in alone["notes"]] == [0, 1]


def test_each_of_several_calls_gets_its_own_notes() -> None:
    short = ShortLists(pl.Series(["0", "1", "2"]))
    for place in (1, 2):
        short.add(place, 1, 3, 80, {"where": 79})
    call = Call(RECOMMEND, {"histories": [HISTORY]})
    assert notes_of(call, Share(0, {"0": 0}), short) == []
    said = "1 of 3 items: of 80, where leaves out 79."
    assert notes_of(call, Share(1, {"1": 0, "2": 1}), short) == [
        {"user_id": 0, "note": said},
        {"user_id": 1, "note": said},
    ]
    assert notes_of(call, Share(0, None), None) == []


def test_odd_values_of_items_are_refused_or_read(service: Service) -> None:
    for values in (
        {"item_id": 3, "title": "x"},
        {"price": None},
        {"price": [1]},
        {"price": "much"},
        {"odd": [True, "x"]},
    ):
        answer = posted(service, "/v1/recommend", WHOM | {"where": "price < 1", "item_values": {"item-0001": values}})
        assert answer.status_code in (200, 422), answer.text


def test_without_rules_nothing_is_said_of_them(service: Service) -> None:
    body = posted(service, "/v1/recommend", WHOM).json()
    assert body.keys() == {"model", "version", "results", "warnings"}
    assert body["results"][0]["items"][0].keys() == {"item_id", "title", "score", "rank"}


@pytest.mark.parametrize(
    ("rules", "code", "said"),
    [
        ({"where": "prise < 3"}, "bad_option", "Did you mean 'price'"),
        ({"where": "price <"}, "bad_option", "character 8"),
        ({"where": "price < 1 and " * 200 + "price < 1"}, "invalid", "where"),
        ({"where": " and ".join(["price<1"] * 150)}, "bad_option", "too many conditions"),
        ({"where": "(" * 500 + "price < 1" + ")" * 500}, "bad_option", "nested too deeply"),
        ({"where": 5}, "invalid", "where"),
        ({"at_most": {"brand": 0}}, "invalid", "at_most"),
        ({"at_most": {"brnd": 1}}, "bad_option", "brand"),
        ({"diversity": 1.5}, "invalid", "diversity"),
        ({"diversity": 0.5, "k": 1000}, "invalid", "200"),
        ({"pinned": {"9": "item-0005"}}, "bad_option", "position 9"),
        ({"pinned": {"x": "item-0005"}}, "invalid", "pinned"),
        ({"pinned": ["nothing"]}, "unknown_id", "nothing"),
        ({"new_items": {"share": 0}}, "bad_option", "share"),
        ({"new_items": {"share": -0.1, "last": True}}, "invalid", "share"),
        ({"new_items": {"within": "1 moon"}}, "bad_option", "within"),
        ({"boost": {"brand": {"Ostora": 1e9}}}, "invalid", "boost"),
        ({"item_values": {}}, "invalid", "item_values"),
        ({"boost": [["price < 1", 1.0]] * 101}, "invalid", "boost"),
        ({"boost": {name: {str(n): 1.0 for n in range(60)} for name in ("brand", "price")}}, "invalid", "120 boosts"),
        ({"boost": [["price < 1" + " " * 1000, 1.0]] * 3}, "invalid", "3,027 characters"),
    ],
)
def test_hostile_rules_are_refused(service: Service, rules: dict[str, Any], code: str, said: str) -> None:
    answer = posted(service, "/v1/recommend", WHOM | rules)
    assert answer.status_code in (404, 422), answer.text
    assert answer.json()["error"]["code"] == code and said in answer.json()["error"]["message"]


def test_requests_take_the_rules_that_the_library_has() -> None:
    assert set(RuleFields.model_fields) == {*NAMES, "item_values"}
    for name in NAMES:
        assert RuleFields.model_fields[name].description == help_of(name)
    assert set(NewItems.model_fields) == set(NewItemsRule().to_dict())
    assert Rules(**{"new_items": NewItems().model_dump()}).new_items == NewItemsRule()


def test_only_calls_with_equal_rules_are_joined() -> None:
    def call(**rules: Any) -> Call:
        return Call(RECOMMEND, {"users": ["a"], **rules})

    same = [call(at_most={"brand": 2}, boost=[("price<1", 1.0)]), call(at_most={"brand": 2}, boost=[("price<1", 1.0)])]
    assert len(join(same)) == 1
    assert len(join([call(at_most={"brand": 2}), call(at_most={"brand": 3}), call()])) == 3
    assert len(join([call(candidates={"a": ["x"]}), call(candidates={"a": ["x"]})])) == 2
