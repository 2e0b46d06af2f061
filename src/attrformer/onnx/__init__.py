"""Export to ONNX: the network as a graph, and a runner that takes and returns external ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrformer.onnx.runner import OnnxRecommender

if TYPE_CHECKING:
    from attrformer.onnx.writing import export_model

__all__ = ["OnnxRecommender", "export_model"]


def __getattr__(name: str) -> Any:
    # Running an exported model needs no torch, so that only exporting imports it.
    if name == "export_model":
        from attrformer.onnx.writing import export_model

        return export_model
    raise AttributeError(f"module 'attrformer.onnx' has no attribute '{name}'")
