"""The recommender: fit, evaluate, recommend, explain, save and load, in external ids throughout."""

from __future__ import annotations

from attrformer.recommender.config import Config, DataConfig
from attrformer.recommender.model import AttrFormer, Recommender
from attrformer.training.trainer import Stopped

__all__ = ["AttrFormer", "Config", "DataConfig", "Recommender", "Stopped"]
