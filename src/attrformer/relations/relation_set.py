"""All relations of one model, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from attrformer.data.changing_attributes import ChangingAttribute
from attrformer.relations.attribute_encoder import AttributeEncoder
from attrformer.relations.base import NewItems, Relation, Update
from attrformer.relations.changing_attribute import ChangingAttributeRelation
from attrformer.relations.item_attribute import ItemAttributeRelation
from attrformer.relations.positions import BehaviourRelation, CategoryRelation, TimeGapRelation
from attrformer.relations.repeat import RepeatRelation
from attrformer.relations.row_table import RowRelation
from attrformer.relations.similar_users import SimilarUsersRelation
from attrformer.relations.time_bucket import TimeBucketRelation
from attrformer.relations.user_attribute import UserAttributeRelation
from attrformer.relations.user_index import UserIndex


@dataclass(frozen=True, eq=False)
class RelationSet(Mapping[str, Relation]):
    """Every relation of one fitted model; a mapping from name to relation.

    Baselines and the makers of batches read some kinds by themselves; `rows`, `features`, `users`, `levels`,
    `categories`, `similar_users` and `time_bucket` show those.

    Args:
        n_items: catalogue size.
        folds: number of cross-fitting folds; 0 for inference.
        fold_of_user: int64 `[users]`.
        popularity: float32 `[items]`, training interactions of each item.
        relations: in the order of the registry; no two have one name.
    """

    n_items: int
    folds: int
    fold_of_user: NDArray[np.int64]
    popularity: NDArray[np.float32]
    relations: tuple[Relation, ...] = ()

    def __post_init__(self) -> None:
        if len(self._by_name) < len(self.relations):
            names = [relation.name for relation in self.relations]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"two relations have the name '{twice}'")

    def __getitem__(self, name: str) -> Relation:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self.relations)

    @cached_property
    def _by_name(self) -> dict[str, Relation]:
        return {relation.name: relation for relation in self.relations}

    @cached_property
    def rows(self) -> dict[str, RowRelation]:
        """Relations between items that are counted or supplied as rows (co-occurrence, edges), by name."""
        return {each.name: each for each in self.relations if isinstance(each, RowRelation)}

    @cached_property
    def features(self) -> dict[str, ItemAttributeRelation]:
        """Item attributes, by column."""
        return {each.column: each for each in self.relations if isinstance(each, ItemAttributeRelation)}

    @cached_property
    def users(self) -> dict[str, UserAttributeRelation]:
        """User attributes, by column."""
        return {each.column: each for each in self.relations if isinstance(each, UserAttributeRelation)}

    @cached_property
    def levels(self) -> dict[str, NDArray[np.float32]]:
        """Where the levels of each behaviour attribute are cut, by column."""
        return {each.column: each.edges for each in self.relations if isinstance(each, BehaviourRelation)}

    @cached_property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """The values of each behaviour attribute that holds categories, by column."""
        return {each.column: each.labels for each in self.relations if isinstance(each, CategoryRelation)}

    @cached_property
    def similar_users(self) -> UserIndex | None:
        """Index of the training users, or None."""
        return next((each.index for each in self.relations if isinstance(each, SimilarUsersRelation)), None)

    @cached_property
    def time_bucket(self) -> TimeBucketRelation | None:
        """What people take at about the same time, or None."""
        return next((each for each in self.relations if isinstance(each, TimeBucketRelation)), None)

    @cached_property
    def repeat(self) -> bool:
        """Whether there is the relation of an item with itself."""
        return any(isinstance(each, RepeatRelation) for each in self.relations)

    @cached_property
    def time_gaps(self) -> bool:
        """Whether positions are related by the time between them."""
        return any(isinstance(each, TimeGapRelation) for each in self.relations)

    @cached_property
    def reads_times(self) -> bool:
        """Whether any relation reads the times of a history."""
        return any(relation.reads_times for relation in self.relations)

    @cached_property
    def item_columns(self) -> dict[str, AttributeEncoder | None]:
        """Columns of the items' table that new items must bring, and how each is read."""
        return {column: how for relation in self.relations for column, how in relation.item_columns.items()}

    def having(self, wanted: Callable[[Relation], bool]) -> RelationSet:
        """The relations for which a condition holds.

        Args:
            wanted: the condition.
        """
        return replace(self, relations=tuple(filter(wanted, self.relations)))

    def replaced(self, relations: Iterable[Relation]) -> RelationSet:
        """The same with other relations in place of those of the same names.

        Args:
            relations: each of a name that is there.
        """
        new = {relation.name: relation for relation in relations}
        return replace(self, relations=tuple(new.get(each.name, each) for each in self.relations))

    def for_inference(self) -> RelationSet:
        """The same relations without what only cross-fitting needs."""
        nobody = np.empty(0, dtype=np.int64)
        return replace(self, folds=0, fold_of_user=nobody, relations=tuple(r.for_inference() for r in self.relations))

    def with_items(self, new: NewItems) -> RelationSet:
        """Relations with items without interactions, behind those that are there.

        What is said about the other items stays as it is. The new ones are related by their attributes; no history
        goes with them yet, everybody likes them as much as anybody does, and edge tables do not name them.

        Args:
            new: the items, with the columns that `item_columns` names.
        """
        return replace(
            self,
            n_items=self.n_items + len(new),
            popularity=np.pad(self.popularity, (0, len(new))),
            relations=tuple(relation.with_items(new) for relation in self.relations),
        )

    @cached_property
    def item_attributes(self) -> list[str]:
        """Names of the relations that are made of a column of items."""
        return [each.name for each in self.relations if each.item_columns or each.changing_columns]

    @cached_property
    def changing(self) -> dict[str, ChangingAttributeRelation]:
        """Attributes that change in time, by column."""
        return {each.column: each for each in self.relations if isinstance(each, ChangingAttributeRelation)}

    @cached_property
    def changing_columns(self) -> dict[str, AttributeEncoder]:
        """Columns of tables of changes that are read, and how the values of each are."""
        return {column: how for relation in self.relations for column, how in relation.changing_columns.items()}

    def with_changes(self, changes: Mapping[str, ChangingAttribute]) -> RelationSet:
        """Relations with further changes of items.

        Args:
            changes: by column, for the whole catalogue.
        """
        return replace(self, relations=tuple(relation.with_changes(changes) for relation in self.relations))

    def updated(self, update: Update) -> RelationSet:
        """Relations for inference, with all that is counted in what users did counted anew.

        Attributes of items, edge tables and the levels of behaviour attributes stay as they are.

        Args:
            update: what users did, and how relations are counted.
        """
        counted: dict[str, Relation] = {}
        for relation in self.relations:
            counted[relation.name] = relation.updated(replace(update, counted=dict(counted)))
        popularity = update.histories.popularity(self.n_items)
        return replace(self, popularity=popularity, relations=tuple(counted.values()))
