"""Vectors of items in an exported model."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.models.test_item_vectors import pictured
from tests.retrieval.builders import assert_same_answers, histories_of, model_of

from attrformer.onnx import OnnxRecommender, export_model

pytestmark = pytest.mark.slow

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("sparse", [True, False], ids=["kept", "dense"])
def test_an_exported_model_answers_what_the_model_answers(sparse: bool, tmp_path: Path) -> None:
    model = model_of(pictured(60, 80), sparse=sparse, layers=1, one_of_a_kind=True)
    export_model(model, tmp_path / "onnx")
    exported = OnnxRecommender.load(tmp_path / "onnx")
    for histories in (histories_of(model, 9), histories_of(model, 1, longest=1)):
        assert_same_answers(exported.recommend(histories=histories, k=7), model.recommend(histories=histories, k=7))
