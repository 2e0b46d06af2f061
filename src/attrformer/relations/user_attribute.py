"""User attributes as relations: an attribute value to items, by smoothed lift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute
from attrformer.data.sequences import Sequences
from attrformer.relations import wording
from attrformer.relations.array_checks import INTEGERS, require_array
from attrformer.relations.attribute_encoder import STORED_AS, AttributeEncoder, value_weights
from attrformer.relations.base import Arrays, NewItems, Relation, Sources, Update, chosen
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.folds import fold_tables, without_each_fold
from attrformer.relations.naming import relation_name
from attrformer.relations.row_table import RowRelation

SMOOTHING = 10.0
"""Interactions of the whole population that are mixed into each (value, item) count."""


@dataclass(frozen=True, slots=True, eq=False)
class UserAttributeRelation(Relation):
    """A user attribute: the code of every user, and the lift of every value over the catalogue.

    Args:
        codes: int64 `[users]`; `len(labels) - 1` means missing.
        labels: external values, the last one for missing.
        lift: rows keyed by value; its name is that of the column.
        encoder: how users that come later are read; None where a model was saved without it.
    """

    kind: ClassVar[str] = "user_attribute"

    codes: NDArray[np.int64]
    labels: tuple[str, ...]
    lift: RowRelation
    encoder: AttributeEncoder | None = None

    @property
    def column(self) -> str:
        """The column of the users' table."""
        return self.lift.name

    @property
    def name(self) -> str:
        """The kind and the column, such as "user_country"."""
        return relation_name("user", self.column)

    @property
    def source(self) -> str:
        """The column."""
        return self.column

    @property
    def value_labels(self) -> tuple[str, ...]:
        """The values as people read them, the last one for missing; times, which are kept as seconds, as dates."""
        return self.labels if self.encoder is None else (*self.encoder.spoken(self.labels[:-1]), "")

    @property
    def exact_labels(self) -> tuple[str, ...]:
        """The values in full precision, by which those of two models are matched; none for a missing one."""
        known = self.labels[:-1]
        return known if self.encoder is None else self.encoder.exact(known)

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One for each column that the options name."""
        found: list[Relation] = []
        for name in chosen(options.user_attributes, sources.user_attributes, "relations.user_attributes"):
            codes, labels, encoder = user_values(sources.user_attributes[name], options.buckets)
            if encoder.clusters is not None and not len(encoder.clusters):
                continue
            lift = lift_relation(name, sources.train, sources.n_items, sources.folds, codes, len(labels))
            found.append(cls(codes, labels, lift, encoder))
        return found

    def for_inference(self) -> UserAttributeRelation:
        """See `Relation.for_inference`."""
        return replace(self, lift=self.lift.for_inference())

    def with_items(self, new: NewItems) -> UserAttributeRelation:
        """Everybody likes new items as much as anybody does."""
        return replace(self, lift=self.lift.with_neutral_columns(len(new)))

    def updated(self, update: Update) -> UserAttributeRelation:
        """Counted anew, with the values of new users."""
        codes = update.user_codes[self.column]
        histories, items, values = update.histories, update.n_items, len(self.labels)
        lift = lift_relation(self.column, histories, items, update.everyone, codes, values)
        return replace(self, codes=codes, lift=lift.for_inference())

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `Relation.to_arrays`."""
        rows, lift = self.lift.to_arrays()
        arrays, encoder = AttributeEncoder.to_arrays(self.encoder)
        arrays |= {"codes": self.codes, **{f"lift/{name}": array for name, array in rows.items()}}
        return arrays, {"column": self.column, "labels": list(self.labels), "lift": lift, STORED_AS: encoder}

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> UserAttributeRelation:
        """See `Relation.from_arrays`."""
        rows = {part.removeprefix("lift/"): array for part, array in arrays.items() if part.startswith("lift/")}
        lift = RowRelation.from_arrays(described["column"], rows, described["lift"])
        encoder = AttributeEncoder.from_arrays(arrays, described.get(STORED_AS))
        return cls(arrays["codes"], tuple(described["labels"]), lift, encoder)

    def check(self, items: int, users: int) -> None:
        """See `Relation.check`."""
        codes, most = f"codes of '{self.column}'", len(self.labels) - 1
        require_array(codes, self.codes, INTEGERS, (users,), least=0, most=most)
        self.lift.check_rows(len(self.labels), items)
        if self.encoder is not None:
            self.encoder.check(self.column)

    def attributions(self, question: Question) -> list[Attribution]:
        """The user's value, and how many other users of the same value had the item."""
        codes, labels = question.values[self.column], self.value_labels
        holders = question.counts().holders(question.items, question.users, (self.codes, codes))
        taken = question.counts().holders(question.items, question.users) > 0
        reasons = [
            wording.preferred(self.column, labels[code], lift) if known else wording.untaken()
            for code, lift, known in zip(codes, self.lift.values_at(codes, question.items), taken, strict=True)
        ]
        return [
            Attribution(-1, labels[code], count, reason)
            for code, count, reason in zip(codes.tolist(), holders.tolist(), reasons, strict=True)
        ]


def user_values(attribute: Attribute, buckets: int) -> tuple[NDArray[np.int64], tuple[str, ...], AttributeEncoder]:
    """One value code for each user; missing is the last code.

    Of several values it is the first, of a hierarchy the deepest level, and of tags the one with the highest score.

    Args:
        attribute: one row for each user.
        buckets: most buckets of a number.

    Returns:
        int64 `[users]` codes, their labels, the last one standing for a missing value, and how users that come later
        are read.
    """
    encoder, attribute = AttributeEncoder.of(attribute, buckets)
    values = len(attribute.vocabulary)
    owner = np.repeat(np.arange(len(attribute)), np.diff(attribute.offsets))
    codes, strength = attribute.codes.astype(np.int64), value_weights(attribute)
    if strength is not None:
        codes = codes[np.lexsort((-strength, owner))]
    codes = first_values(owner, codes, len(attribute), values)
    return codes, (*attribute.vocabulary, ""), encoder.keeping(np.arange(values))


def first_values(owner: NDArray[np.int64], codes: NDArray[np.int64], count: int, missing: int) -> NDArray[np.int64]:
    """The first value code of each user, int64 `[count]`; `missing` where there is none.

    Args:
        owner: int64 `[n]`, the user that has each value, ascending.
        codes: int64 `[n]`, the values.
        count: how many users there are.
        missing: the code of a missing value.
    """
    users, first = np.unique(owner, return_index=True)
    out = np.full(count, missing, dtype=np.int64)
    out[users] = codes[first]
    return out


def lift_relation(
    name: str, train: Sequences, items: int, folds: NDArray[np.int64], codes: NDArray[np.int64], values: int
) -> RowRelation:
    """How much more often people with a value act on an item than everybody does.

    R(value, j) = (m(value, j) + s q(j)) / ((m(value) + s) q(j)), where m counts one interaction of the whole population
    with every item besides the real ones, and q(j) is the share of item j of them; 1 means "like everybody", and is
    what an item without interactions gets from every value. A missing value relates to nothing: its row is 0.

    Args:
        name: of the relation.
        train: training sequences.
        items: catalogue size.
        folds: fold of each user.
        codes: value of each user, the last code (`values - 1`) meaning missing.
        values: number of codes, missing included.
    """
    counts = fold_tables(folds, train, lambda part: part.each(codes), (values, items))

    def finish(count: NDArray[np.float32]) -> NDArray[np.float32]:
        total = count.sum()
        share = (count.sum(0) + 1.0) / (total + items)
        # The one interaction that each share holds for an item nobody has touched is parted among the values as all
        # interactions are. Were it in the share alone, such an item would be far below the share of every value.
        seen = count + count.sum(1, keepdims=True) / max(total, 1.0)
        strength = SMOOTHING * items * 0.01
        smoothed = (seen + strength * share) / (seen.sum(1, keepdims=True) + strength)
        lift: NDArray[np.float32] = (smoothed / share).astype(np.float32)
        lift[-1] = 0.0
        return lift

    tables = [finish(count) for count in without_each_fold(counts)]
    return RowRelation(name, values, len(counts), items, dense=np.concatenate(tables))
