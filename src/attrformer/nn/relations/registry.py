"""Which module belongs to which relation."""

from __future__ import annotations

from typing import Final

from attrformer.nn.relations.base import ModuleOptions, RelationModule
from attrformer.nn.relations.changing_attribute import ChangingAttributeModule
from attrformer.nn.relations.item_attribute import ItemAttributeModule
from attrformer.nn.relations.item_vector import VectorModule
from attrformer.nn.relations.newness import NewnessModule
from attrformer.nn.relations.positions import BehaviourModule, CategoryModule, TimeGapModule
from attrformer.nn.relations.repeat import RepeatModule
from attrformer.nn.relations.row_table import RowModule
from attrformer.nn.relations.selected_positions import BehaviourRowsModule, NegativeModule
from attrformer.nn.relations.similar_users import SimilarUsersModule
from attrformer.nn.relations.time_bucket import TimeBucketModule
from attrformer.nn.relations.user_attribute import UserAttributeModule
from attrformer.relations.base import Relation
from attrformer.relations.behaviour_rows import BehaviourRowsRelation
from attrformer.relations.changing_attribute import ChangingAttributeRelation
from attrformer.relations.item_attribute import ItemAttributeRelation
from attrformer.relations.item_vector import VectorRelation
from attrformer.relations.negative import NegativeRelation
from attrformer.relations.newness import NewnessRelation
from attrformer.relations.positions import BehaviourRelation, CategoryRelation, TimeGapRelation
from attrformer.relations.registry import registered
from attrformer.relations.relation_set import RelationSet
from attrformer.relations.repeat import RepeatRelation
from attrformer.relations.row_table import RowRelation
from attrformer.relations.similar_users import SimilarUsersRelation
from attrformer.relations.time_bucket import TimeBucketRelation
from attrformer.relations.user_attribute import UserAttributeRelation

MODULES: Final[dict[type[Relation], type[RelationModule]]] = {
    RowRelation: RowModule,
    ItemAttributeRelation: ItemAttributeModule,
    VectorRelation: VectorModule,
    ChangingAttributeRelation: ChangingAttributeModule,
    UserAttributeRelation: UserAttributeModule,
    TimeBucketRelation: TimeBucketModule,
    RepeatRelation: RepeatModule,
    SimilarUsersRelation: SimilarUsersModule,
    TimeGapRelation: TimeGapModule,
    BehaviourRelation: BehaviourModule,
    CategoryRelation: CategoryModule,
    BehaviourRowsRelation: BehaviourRowsModule,
    NegativeRelation: NegativeModule,
    NewnessRelation: NewnessModule,
}


def module_of(relation: Relation, options: ModuleOptions) -> RelationModule:
    """A new module for a relation: the one that was registered with it, or that of the class it is derived from.

    Args:
        relation: its table.
        options: what modules are made with.

    Raises:
        LookupError: no module is known for relations of this class.
    """
    own = registered(relation.kind)
    if own is not None and own.module is not None:
        made: RelationModule = own.module.make(relation, options)
        return made
    for base in type(relation).__mro__:
        if base in MODULES:
            return MODULES[base].make(relation, options)
    raise LookupError(f"no module is registered for {type(relation).__name__}")


def modules_of(relations: RelationSet, options: ModuleOptions) -> dict[str, RelationModule]:
    """A new module for each relation, by name, in their order.

    Args:
        relations: of the model.
        options: what modules are made with.
    """
    return {name: module_of(relation, options) for name, relation in relations.items()}
