"""Events of a history in an exported model: the same answers as from the model."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.retrieval.builders import assert_same_answers
from tests.support.event_shop import event_log, event_shop
from tests.support.recommenders import small_config

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
    plain = [[1, 60, 70], [3]]
    assert_same_answers(exported.recommend(plain, k=6), model.recommend(histories=plain, k=6))
