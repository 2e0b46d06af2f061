"""Users with a similar history as a relation: what they did at the aligned positions (docs/paper.md, part 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from attrformer.data.sequences import Sequences
from attrformer.relations import wording
from attrformer.relations.array_checks import FLOATS, INTEGERS, is_count, require_array, require_sequences, require_that
from attrformer.relations.base import Arrays, Labels, NewItems, Relation, Sources, Update
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.naming import module_key
from attrformer.relations.user_attribute import UserAttributeRelation
from attrformer.relations.user_index import UserIndex

NAME = "similar_users"

MISSING = "\0"
"""Stands for a missing value among labels, none of which is so."""

_PARTS, _SIZES = ("positions", "starts", "idf"), ("count", "anchors", "horizon")


@dataclass(frozen=True, slots=True, eq=False)
class SimilarUsersRelation(Relation):
    """Training users whose histories are like a given one, and what they did next.

    A user is never among the users who are similar to the user's own history, so no folds are needed.

    Args:
        index: of the training users.
    """

    kind: ClassVar[str] = "similar_users"

    index: UserIndex

    @property
    def name(self) -> str:
        """See `Relation.name`."""
        return NAME

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One, where the options ask for it, or leave it open and histories are long."""
        if not options.wanted(options.similar_users, sources.train):
            return []
        index = UserIndex.build(
            sources.train,
            sources.n_items,
            count=options.similar_users_count,
            anchors=options.similar_users_anchors,
            horizon=options.similar_users_horizon,
            candidates=options.similar_users_candidates,
        )
        return [cls(index)]

    def for_inference(self) -> SimilarUsersRelation:
        """Times and behaviours of the training users are not read."""
        train = self.index.train
        return replace(self, index=replace(self.index, train=Sequences(train.offsets, train.items)))

    def with_items(self, new: NewItems) -> SimilarUsersRelation:
        """No training user has the new items."""
        index, count = self.index, len(new)
        idf = np.full(count, np.log1p(max(len(index.train), 1)), dtype=np.float32)
        starts = np.pad(index.starts, (0, count), mode="edge")
        return replace(self, index=replace(index, starts=starts, idf=np.concatenate([index.idf, idf])))

    def updated(self, update: Update) -> SimilarUsersRelation:
        """Indexed anew."""
        sizes = {name: getattr(self.index, name) for name in _SIZES}
        train = Sequences(update.histories.offsets, update.histories.items)
        candidates = update.options.similar_users_candidates
        return replace(self, index=UserIndex.build(train, update.n_items, candidates=candidates, **sizes))

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `Relation.to_arrays`."""
        arrays: Arrays = {part: getattr(self.index, part) for part in _PARTS}
        arrays |= {f"train/{name}": array for name, array in self.index.train.to_arrays().items()}
        return arrays, {name: getattr(self.index, name) for name in _SIZES}

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> SimilarUsersRelation:
        """See `Relation.from_arrays`."""
        own: dict[str, Any] = {part: arrays[part] for part in _PARTS} | {name: described[name] for name in _SIZES}
        return cls(UserIndex(Sequences.from_arrays(arrays, "train/"), **own))

    def attributions(self, question: Question) -> list[Attribution]:
        """What can be said where no network weighs the users."""
        return [Attribution(reason=wording.LIKE_MINDED)] * len(question.items)

    def check(self, items: int, users: int) -> None:
        """See `Relation.check`."""
        check_index(self.index, items)

    def parameter_axes(self, relations: Mapping[str, Relation]) -> dict[str, list[Labels]]:
        """See `Relation.parameter_axes`."""
        axes: dict[str, list[Labels]] = {}
        for user in relations.values():
            if isinstance(user, UserAttributeRelation):
                labels = (*user.exact_labels, MISSING)
                axes[f"user_relation.{module_key(user.name)}"] = [labels, labels]
        return axes


def check_index(index: UserIndex, items: int) -> None:
    """Looks through an index of training users that was read from files.

    Args:
        index: of the training users.
        items: size of the catalogue.

    Raises:
        ValueError: a position is out of range.
    """
    require_sequences("similar users", index.train, items)
    last, count = len(index.train.items) - 1, len(index.positions)
    require_array("positions of similar users", index.positions, INTEGERS, (-1,), least=0, most=last)
    require_array("starts of similar users", index.starts, INTEGERS, (items + 1,), least=0, most=count)
    spans = index.starts[0] == 0 and index.starts[-1] == count and (np.diff(index.starts) >= 0).all()
    require_that(bool(spans), "starts of similar users are not ascending")
    require_array("idf of similar users", index.idf, FLOATS, (items,))
    sizes = (index.count, index.anchors, index.horizon)
    require_that(all(map(is_count, sizes)), "count, anchors or horizon of similar users is no number")
