"""The models: AttrFormer, one file for each baseline, and the base classes for a model of your own."""

from __future__ import annotations

from attrformer.models.baselines.sasrec import padded_embedding
from attrformer.models.config import EncoderConfig, ModelConfig, only
from attrformer.models.leak_check import check_network
from attrformer.models.network import Network
from attrformer.models.registry import register
from attrformer.models.relation_leak_check import check_relations
from attrformer.nn.batch import Batch, Example
from attrformer.nn.losses import Objective, Outputs
from attrformer.plugins import load_plugins as load_models
from attrformer.relations.config import RelationsConfig
from attrformer.relations.relation_set import RelationSet

__all__ = [
    "Batch",
    "EncoderConfig",
    "Example",
    "ModelConfig",
    "Network",
    "Objective",
    "Outputs",
    "RelationSet",
    "RelationsConfig",
    "check_network",
    "check_relations",
    "load_models",
    "only",
    "padded_embedding",
    "register",
]
