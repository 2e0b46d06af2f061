"""Attributes that change in time in an exported model: its answers are those of the model, at any time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relations.changing import changing_shop, values_then
from tests.retrieval.builders import assert_same_answers
from tests.support.offers import START, WEEK, dataset_of, history_at
from tests.support.recommenders import small_config

from attrformer import AttrFormer, ConfigurationError
from attrformer.io import with_checksum
from attrformer.onnx import OnnxRecommender, export_model
from attrformer.onnx.states import ValueStates
from attrformer.relations.changing_attribute import changing_attribute_relation

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

SHOP = changing_shop(3)
STATE = SHOP.item_changes["state"]
FIRST, LAST = int(STATE.times.min()), int(STATE.times.max())
RELATION = changing_attribute_relation(STATE, (FIRST, LAST), buckets=4, max_values=3)
moments = st.integers(FIRST - 2, LAST + 2)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, SHOP.item_count - 1), moments), min_size=1, max_size=4), min_size=1),
    st.booleans(),
    st.one_of(st.none(), moments),
)
def test_the_runner_finds_what_every_item_had(
    histories: list[list[tuple[int, int]]], timed: bool, as_of: int | None
) -> None:
    assert RELATION is not None
    length = max(map(len, histories))
    items = np.full((len(histories), length), SHOP.item_count)
    times = np.zeros((len(histories), length), dtype=np.int64)
    for row, history in enumerate(histories):
        for column, (item, time) in enumerate(history):
            items[row, column], times[row, column] = item, time
    last = np.array([len(history) - 1 for history in histories])
    then, now = ValueStates(RELATION).inputs(items, times if timed else None, last, as_of)

    def code(item: int, time: int | None) -> int:
        value = values_then(STATE, item, time)
        return RELATION.labels.index(value) if value in RELATION.labels else len(RELATION.labels)  # type: ignore[union-attr, arg-type]

    for row, history in enumerate(histories):
        for column, (item, time) in enumerate(history):
            seen = min(time, LAST + 9 if as_of is None else as_of) if timed else as_of
            assert then[row, column] == code(item, seen)
        moment = as_of if as_of is not None else history[-1][1] if timed else None
        assert now[row].tolist() == [code(item, moment) for item in range(SHOP.item_count)]
    assert (then[items == SHOP.item_count] == len(RELATION.labels)).all()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[AttrFormer, Path]:
    model = AttrFormer(small_config("training.epochs=3", "model.low_rank=2")).fit(dataset_of(), progress=False)
    folder = tmp_path_factory.mktemp("onnx") / "model"
    export_model(model, folder)
    return model, folder


@pytest.mark.slow
@pytest.mark.parametrize("as_of", [None, START - 1, START + 31 * WEEK, START + 99 * WEEK])
def test_an_exported_model_answers_as_of_any_time(shop: tuple[AttrFormer, Path], as_of: int | None) -> None:
    model, folder = shop
    exported = OnnxRecommender.load(folder)
    timed = pl.concat(
        [history_at(START + week * WEEK + 7).with_columns(user_id=pl.lit(f"w{week}")) for week in (2, 30, 40)]
    )
    plain: Any = {"a": ["i001", "i007", "i050"], "b": ["i003"]}
    for histories in (timed, plain):
        right = model.recommend(histories=histories, k=9, as_of=as_of)
        assert_same_answers(exported.recommend(histories, k=9, as_of=as_of), right)
        rules: Any = {"where": 'offer == "yes"', "hide_seen": False, "as_of": as_of, "k": 9}
        if as_of != START - 1:
            right = model.recommend(histories=histories, **rules)
            assert len(right)
            assert_same_answers(exported.recommend(histories, **rules), right)


@pytest.mark.slow
def test_the_time_tells_answers_apart_and_versions_are_told(shop: tuple[AttrFormer, Path]) -> None:
    _, folder = shop
    exported, history = OnnxRecommender.load(folder), history_at(START + 20 * WEEK + 5)
    found = [exported.recommend(history, k=9, as_of=START + week * WEEK)["item_id"].to_list() for week in (20, 40)]
    assert found[0] != found[1]
    with pytest.raises(ConfigurationError, match="as_of is 'soon'"):
        exported.recommend(history, as_of="soon")
    described = json.loads((folder / "recommender.json").read_text())
    assert described["version"] == 3
    described.pop("checksum", None)
    assert with_checksum(described)["changing"][0]["name"] == "item_offer"
