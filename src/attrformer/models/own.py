"""Models of one's own: files that register them are imported as other plugins are; see `attrformer.plugins`."""

from __future__ import annotations

from attrformer.plugins import VARIABLE, _loaded
from attrformer.plugins import load_plugins as load_models
from attrformer.plugins import loaded_plugins as loaded_models

__all__ = ["VARIABLE", "_loaded", "load_models", "loaded_models"]
