"""An index over a saved model, and its export, answer what the model answered when it was saved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.golden import store
from tests.golden.compare import assert_same
from tests.golden.kinds import OURS
from tests.golden.names import find
from tests.golden.questions import INDEXES, by_histories, load, search

pytestmark = pytest.mark.slow

# Exporting every relation takes most of a minute, so that only few are exported unless all are asked for.
EXPORTED = ("attrformer-few", *(("attrformer", "attrformer-sparse", "sasrec") if "GOLDEN_ALL" in os.environ else ()))


@pytest.mark.parametrize("name", [*OURS, "gru4rec"])
@pytest.mark.parametrize("way", INDEXES)
def test_an_index_finds_what_recommend_gave(name: str, way: str) -> None:
    if way != "exact":
        pytest.importorskip("usearch")
    assert_same(search(load(name), **INDEXES[way]), store.read(name)["recommend"], f"{name} > {way}")


@pytest.mark.parametrize("name", EXPORTED)
def test_an_exported_model_answers_what_recommend_gave(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    find("export_model")(load(name), tmp_path / "onnx")
    found: dict[str, Any] = by_histories(find("OnnxRecommender").load(tmp_path / "onnx").recommend)
    stored = store.read(name)["recommend"]
    assert_same(found, {question: stored[question] for question in found}, f"{name} > ONNX")
