"""An exported model answers, also under rules, where torch cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.retrieval.builders import model_of

from attrformer.onnx import export_model

pytestmark = pytest.mark.slow

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

CODE = """
import sys
from importlib.machinery import ModuleSpec

class Missing:
    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name.partition(".")[0] == "torch" else None

    def create_module(self, spec):
        raise ImportError(spec.name)

sys.meta_path.insert(0, Missing())
from attrformer import OnnxRecommender

asked = {"where": "price < 2", "at_most": {"brand": 1}, "rules": {"pinned": ["i5"]}, "candidates": {"a": ["i5", "i6"]}}
found = OnnxRecommender.load(sys.argv[1]).recommend({"a": ["i1", "i2"]}, k=3, on_unknown="skip", **asked)
print(found["item_id"][0], "torch" in sys.modules)
"""


def test_answering_needs_no_torch(tmp_path: Path) -> None:
    export_model(model_of(layers=1), tmp_path / "onnx")
    command = [sys.executable, "-W", "ignore", "-c", CODE, str(tmp_path / "onnx")]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.stdout, told.returncode) == ("i5 False\n", 0), told.stderr
