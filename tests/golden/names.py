"""What may move while the answers stay: where a few public names are found, and names that changed on purpose."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from attrformer import earlier_names

# The home of each name that is not exported by `attrformer` itself, the newest first.
_HOMES: Final = {
    "Index": ("attrformer.retrieval",),
    "IndexOptions": ("attrformer.retrieval",),
    "OnnxRecommender": ("attrformer.onnx",),
    "export_model": ("attrformer.onnx",),
}
ELSEWHERE: Final = tuple(_HOMES)

RENAMED: Final[dict[str, str]] = {**earlier_names.RELATIONS, "part": "component", "parts": "components"}
"""Columns, keys of answers, relations, options and metrics: the name in the stored answers, and the name today."""


def find(name: str) -> Any:
    """A public name, wherever it lives today.

    Raises:
        ImportError: it is in none of its homes.
    """
    for home in _HOMES[name]:
        try:
            return getattr(import_module(home), name)
        except ModuleNotFoundError as error:
            if error.name != home:
                raise
    raise ImportError(f"{name} is in none of {', '.join(_HOMES[name])}. Name its home in tests/golden/names.py.")


def today(value: Any) -> Any:
    """A stored answer with the names of today."""
    if isinstance(value, dict):
        return {RENAMED.get(key, key): today(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [today(entry) for entry in value]
    return RENAMED.get(value, value) if isinstance(value, str) else value
