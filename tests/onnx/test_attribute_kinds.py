"""Levels and tags with scores in an exported model and in an index: the answers are those of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.recommender.test_attribute_kinds import shop
from tests.retrieval.builders import assert_same_answers
from tests.support.recommenders import small_config

from attrformer.onnx import OnnxRecommender, export_model
from attrformer.recommender import AttrFormer
from attrformer.retrieval import Index

pytestmark = pytest.mark.slow

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


def test_levels_and_tags_are_answered_as_by_the_model(tmp_path: Path) -> None:
    model = AttrFormer(small_config()).fit(shop(), progress=False)
    export_model(model, tmp_path / "onnx")
    exported = OnnxRecommender.load(tmp_path / "onnx")
    index = Index.build(model)
    histories: dict[str, list[Any]] = {"x": ["item-0001", "item-0007"], "y": ["item-0002"], "z": ["item-0003"]}
    profiles = {
        "x": {"likes": {"a": 0.9, "b": 0.1}, "zone": ["World", "North", "Oslo"]},
        "y": {"likes": "a:0.1|b:0.9", "zone": "World > South"},
        "z": {"likes": None, "zone": "World > North"},
    }
    right = model.recommend(histories=histories, user_attributes=profiles, k=10)
    assert_same_answers(exported.recommend(histories, user_attributes=profiles, k=10), right)
    assert_same_answers(index.search(histories=histories, user_attributes=profiles, k=10), right)
