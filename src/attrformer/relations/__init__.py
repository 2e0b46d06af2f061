"""Explicit relations: one file a kind, cross-fitting in `folds`, kinds from outside by `register`."""

from attrformer.relations.base import NewItems, Relation, Sources, Update
from attrformer.relations.build import build_relations
from attrformer.relations.config import CooccurrenceConfig, RelationOptions, RelationsConfig
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.folds import fold_count, without_each_fold
from attrformer.relations.item_attribute import ItemAttributeRelation
from attrformer.relations.registry import register
from attrformer.relations.relation_set import RelationSet
from attrformer.relations.row_table import RowRelation
from attrformer.relations.user_attribute import UserAttributeRelation
from attrformer.relations.user_index import Neighbours, UserIndex, latest_anchors

__all__ = [
    "Attribution",
    "CooccurrenceConfig",
    "ItemAttributeRelation",
    "Neighbours",
    "NewItems",
    "Question",
    "Relation",
    "RelationOptions",
    "RelationSet",
    "RelationsConfig",
    "RowRelation",
    "Sources",
    "Update",
    "UserAttributeRelation",
    "UserIndex",
    "build_relations",
    "fold_count",
    "latest_anchors",
    "register",
    "without_each_fold",
]
