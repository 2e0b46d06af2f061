"""Events of a history in an exported model: the same answers as from the model."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.retrieval.builders import assert_same_answers
from tests.support.event_shop import event_log, event_shop
from tests.support.recommenders import small_config

from attrformer.errors import DataError
from attrformer.onnx import OnnxRecommender, export_model
from attrformer.recommender import AttrFormer

pytestmark = pytest.mark.slow

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


def test_an_exported_model_reads_events_and_hides_what_was_bought(tmp_path: Path) -> None:
    config = small_config(
        "relations.similar_users=false",
        "data.targets=event=purchase",
        "data.negative=event=return",
        "training.epochs=1",
    )
    model = AttrFormer(config).fit(event_shop(users=80, returns=True), progress=False)
    export_model(model, tmp_path / "onnx")
    exported = OnnxRecommender.load(tmp_path / "onnx")
    log = event_log(users=12, seed=5, returns=True)
    for hide in (True, False):
        ours = model.recommend(histories=log, k=6, hide_seen=hide)
        assert_same_answers(exported.recommend(log, k=6, hide_seen=hide), ours)
    names = ("item_id", "timestamp", "event", "quantity")
    entries = {user: group.sort("timestamp").select(names).to_dicts() for (user,), group in log.group_by("user_id")}
    assert_same_answers(exported.recommend(entries, k=6), model.recommend(histories=entries, k=6))
    viewed = {"a": [1, {"item_id": 60, "event": "purchase"}], "b": [{"item_id": 60, "event": "view"}]}
    found = exported.recommend(viewed, k=200)
    assert_same_answers(found, model.recommend(histories=viewed, k=200))
    assert 60 in found.filter(pl.col("user_id") == "b")["item_id"]
    assert 60 not in found.filter(pl.col("user_id") == "a")["item_id"]
    with pytest.raises(DataError, match="'steal' is no value that training knew"):
        exported.recommend([[{"item_id": 60, "event": "steal"}]])
    plain = [[1, 60, 70], [3]]
    assert_same_answers(exported.recommend(plain, k=6), model.recommend(histories=plain, k=6))
    mixed = {**entries, "nobody's time": [1, 60], "an event": viewed["b"]}
    together = exported.recommend(mixed, k=6)
    assert_same_answers(together, model.recommend(histories=mixed, k=6))
    for name in mixed:
        assert_same_answers(exported.recommend({name: mixed[name]}, k=6), together.filter(pl.col("user_id") == name))
