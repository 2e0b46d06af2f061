"""Explicit relations as tables, one file for each kind, and cross-fitting (`folds.py`)."""

from attrformer.relations.build import RelationSet, UserRelation, build_relations
from attrformer.relations.config import CooccurrenceConfig, RelationsConfig
from attrformer.relations.item_attribute import FeatureRelation
from attrformer.relations.neighbours import NeighbourIndex, Neighbours, latest_anchors
from attrformer.relations.rows import Relation, RowRelation

__all__ = [
    "CooccurrenceConfig",
    "FeatureRelation",
    "NeighbourIndex",
    "Neighbours",
    "Relation",
    "RelationSet",
    "RelationsConfig",
    "RowRelation",
    "UserRelation",
    "build_relations",
    "latest_anchors",
]
