"""Rules in the index: the lists are those of the model, whether few items are left or many."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.retrieval.builders import assert_same_answers, histories_of, model_of

from attrformer.errors import RuleError, ShortListWarning
from attrformer.recommender import Recommender
from attrformer.retrieval import Index, IndexOptions, listing

pytest.importorskip("usearch")

RULES: tuple[dict[str, Any], ...] = (
    {"where": "price < 0.7"},
    {"where": "price < 0.7", "hide_seen": False},
    {"boost": [("price < 0.7", 2.0)]},
    {"where": "price > 0.2", "boost": [("price < 0.7", -2.0)]},
    {"at_most": {"brand": 1}},
    {"diversity": 0.5},
    {"at_most": {"brand": 2}, "diversity": 0.3},
    {"new_items": {"share": 0.4, "within": "20d"}},
    {"where": "price > 0.2", "at_most": {"brand": 2}, "new_items": {"share": 0.4, "within": "20d"}, "pinned": ["i2"]},
    {"exclude": ["i1", "i2"], "candidates": {"new-0": ["i1", "i5", "i7"], "new-1": []}},
    {"exclude": {"new-0": ["i1", "i5", "i7"]}, "where": "price > 0.2"},
    {"candidates": [f"i{n}" for n in range(40)], "where": "price > 0.2"},
    {"candidates": [f"i{n}" for n in range(40)], "exclude": {"new-0": ["i1", "i5"]}, "diversity": 0.2},
)


@pytest.fixture(scope="module")
def model() -> Recommender:
    return model_of()


@pytest.fixture(scope="module", params=[80, 12])
def index(model: Recommender, request: pytest.FixtureRequest) -> Index:
    return Index.build(model, IndexOptions(method="approximate", content=request.param))


def renamed(model: Recommender, rules: dict[str, Any]) -> dict[str, Any]:
    """The rules with items of the model in place of i0, i1, ..."""
    ids = model.fitted.knowledge.item_ids.to_list()

    def of(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: of(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [of(one) for one in value]
        return ids[int(value[1:])] if isinstance(value, str) and value[:1] == "i" and value[1:].isdigit() else value

    return {name: of(value) for name, value in rules.items()}


@pytest.mark.parametrize("few", [listing.FEW, 0], ids=["few", "many"])
@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "+".join(rules))
def test_lists_are_those_of_the_model(
    model: Recommender, index: Index, rules: dict[str, Any], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FEW", few)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ShortListWarning)
        for k in (4, 15):
            asked: dict[str, Any] = {"histories": histories_of(model, 12), "k": k, **renamed(model, rules)}
            found, right = index.search(**asked), model.recommend(**asked)
            assert_same_answers(found, right)
            for mark in {"new", "pinned"} & set(right.columns):
                assert found[mark].to_list() == right[mark].to_list()


def test_a_filter_is_searched_by_the_graph_only_where_many_items_are_left(
    model: Recommender, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    assert index._graph is not None
    search = index._graph.search
    monkeypatch.setattr(index._graph, "search", lambda hidden, count: asked.append(count) or search(hidden, count))
    index.search(histories=histories_of(model, 3), k=4, where="price < 0.7")
    assert not asked
    monkeypatch.setattr(listing, "FEW", 0)
    index.search(histories=histories_of(model, 3), k=4, where="price < 0.7")
    assert len(asked) == 3


def test_short_lists_say_why(model: Recommender, index: Index) -> None:
    with pytest.warns(ShortListWarning, match=r"User 'new-0' gets 0 of 4 items: of \d+, where leaves out \d+"):
        found = index.search(histories=histories_of(model, 1), k=4, where="price < 0")
    assert found.is_empty()
    with pytest.raises(RuleError, match="Did you mean 'price'"):
        index.search(histories=histories_of(model, 1), where="prise < 0")


def test_a_filter_with_an_exact_index_and_people_without_a_history(model: Recommender) -> None:
    exact = Index.build(model, IndexOptions(method="exact"))
    people: dict[str, Any] = {"histories": {"a": [], **histories_of(model, 2)}, "k": 5, "where": "price < 0.7"}
    assert exact.search(**people).equals(model.recommend(**people))
    near = Index.build(model, IndexOptions(method="approximate", content=80)).search(**people)
    assert_same_answers(near, model.recommend(**people))
    values = model.fitted.knowledge.item_values
    assert values is not None
    cheap = np.flatnonzero(values.columns["price"].numbers < 0.7)
    ids = model.fitted.knowledge.item_ids.decode(cheap)
    assert pl.Series(near["item_id"]).is_in(ids.implode()).all()
