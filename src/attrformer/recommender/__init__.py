"""The recommender: fit, evaluate, recommend, explain, save and load, in external ids throughout."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from attrformer.recommender.config import Config, DataConfig
    from attrformer.recommender.model import AttrFormer, Recommender
    from attrformer.training.trainer import Stopped

__all__ = ["AttrFormer", "Config", "DataConfig", "Recommender", "Stopped"]

# Exported models use modules of this package and have no torch, which these import.
_HOMES: Final = {
    "AttrFormer": "attrformer.recommender.model",
    "Config": "attrformer.recommender.config",
    "DataConfig": "attrformer.recommender.config",
    "Recommender": "attrformer.recommender.model",
    "Stopped": "attrformer.training.trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'attrformer.recommender' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
