"""What every relation is: a named table that training, answers, saving and growing handle alike.

A relation has two halves that share a name. This one is made of arrays and needs no torch; the other one, a module
with what is learned, is in `attrformer.nn.relations`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute
from attrformer.data.changing_attributes import ChangingAttribute
from attrformer.data.dataset import Edges
from attrformer.data.id_map import IdMap
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.relations import wording
from attrformer.relations.array_checks import Arrays as Arrays
from attrformer.relations.explaining import Attribution, Question

if TYPE_CHECKING:
    from typing_extensions import Self

    from attrformer.relations.attribute_encoder import AttributeEncoder

Labels = tuple[str, ...] | None
"""What the places along one axis of a parameter stand for; None where they stand for the same in every model."""


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """What relations are made of. Held-out interactions are not among it, so no relation can read them.

    Args:
        item_ids: external ids of the catalogue.
        titles: text of each item, or None.
        item_attributes: columns of the items' table, by name.
        user_attributes: columns of the users' table, by name.
        edges: edge tables, by name.
        train: training interactions, one row for each user.
        folds: int64 `[users]`, the fold of each user. What a user is taught by must be counted without the user's fold.
        top_k: entries that rows between items keep; None where the catalogue is small enough for whole rows.
        check_numbering: raises a `ConfigurationError` where the order of item ids tells whose an item is.
        item_changes: attributes of items that change in time, by name.
    """

    item_ids: IdMap
    titles: tuple[str, ...] | None
    item_attributes: Mapping[str, Attribute]
    user_attributes: Mapping[str, Attribute]
    edges: Mapping[str, Edges]
    train: Sequences
    folds: NDArray[np.int64]
    top_k: int | None
    check_numbering: Callable[[], object] = field(default=lambda: None)
    item_changes: Mapping[str, ChangingAttribute] = field(default_factory=dict)

    @property
    def n_items(self) -> int:
        """Size of the catalogue."""
        return len(self.item_ids)


@dataclass(frozen=True, slots=True, eq=False)
class NewItems:
    """Items that join a catalogue after training, behind those that are there.

    Args:
        known: ids of the items that are there.
        new: ids of the new items, in the order of their codes.
        attributes: of the new items, one for each column that `Relation.item_columns` of any relation names.
        titles: text of each new item, or None.
    """

    known: IdMap
    new: IdMap
    attributes: Mapping[str, Attribute]
    titles: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.new)


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """What users did until now, where interactions came in after training.

    Args:
        histories: everything that every user did, known and new.
        n_items: size of the catalogue.
        options: all options of relations, `RelationsConfig`.
        user_codes: int64 `[users]` by user attribute, the value of each user.
        counted: relations that were counted anew already, by name: those that stand earlier in the registry.
    """

    histories: Sequences
    n_items: int
    options: Any
    user_codes: Mapping[str, NDArray[np.int64]]
    counted: Mapping[str, Relation]

    @property
    def everyone(self) -> NDArray[np.int64]:
        """A single fold, int64 `[users]`."""
        return np.zeros(len(self.histories), dtype=np.int64)


class Relation:
    """One explicit relation: what is stored of it, and what becomes of it.

    A kind of relation is a subclass with a `kind` and `build`. What a relation says about earlier positions and about
    the catalogue is computed by its module (`attrformer.nn.relations`).
    """

    __slots__ = ()

    kind: ClassVar[str] = ""
    """Name of the kind in saved models; unique."""

    relates_items: ClassVar[bool] = False
    """Whether `row` tells how much an item is related to every item."""

    reads_times: ClassVar[bool] = False
    """Whether the times of a history are read."""

    reads_ids: ClassVar[bool] = False
    """Whether it is made of the order of item ids."""

    @property
    def name(self) -> str:
        """Unique among the relations of a model; strengths and explanations are reported under it."""
        raise NotImplementedError

    @property
    def source(self) -> str:
        """What it is made of, for people: a column, an edge table, or "interactions"."""
        return "interactions"

    @property
    def item_columns(self) -> Mapping[str, AttributeEncoder | None]:
        """Columns of the items' table that new items must bring, and how each is read; None where that is not known."""
        return {}

    @property
    def changing_columns(self) -> Mapping[str, AttributeEncoder]:
        """Columns of the table of changes that it is made of, and how the values of each are read."""
        return {}

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> Iterable[Relation]:
        """Makes the relations of this kind that the options ask for.

        Args:
            sources: tables and training interactions.
            options: `RelationsConfig`; for a relation that was registered, its own options.
            built: relations of earlier kinds, by name.

        Raises:
            ConfigurationError: the options name what the sources do not have.
        """
        raise NotImplementedError

    def for_inference(self) -> Self:
        """The same relation without what only cross-fitting needs."""
        return self

    def with_items(self, new: NewItems) -> Self:
        """The same relation for a larger catalogue; what it says about the other items stays as it is."""
        return self

    def updated(self, update: Update) -> Self:
        """The same relation with all that is counted in what users did counted anew, for inference."""
        return self

    def with_changes(self, changes: Mapping[str, ChangingAttribute]) -> Self:
        """The same relation with further changes of items; one at the time of a known one takes its place.

        Args:
            changes: by column, for the whole catalogue.
        """
        return self

    def row(self, key: int) -> NDArray[np.float32]:
        """R(key, j) for every item j as inference sees it before any learning, float32 `[items]`."""
        raise NotImplementedError

    def likeness(self, key: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
        """How alike an item is to others by this relation, from 0 to 1, `[n]`: R(key, j) over the largest one.

        Args:
            key: item code.
            others: int64 `[n]`, item codes.
        """
        row = self.row(key)
        largest = float(np.delete(row, key).max(initial=0.0))
        if largest <= 0:
            return np.zeros(len(others))
        return np.minimum(row[others].astype(np.float64) / largest, 1.0)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Arrays by name, and a description that JSON can hold; names that users gave stand in the description only."""
        return {}, {}

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> Relation:
        """The inverse of `to_arrays`.

        Raises:
            KeyError: an array or a part of the description is missing.
        """
        raise NotImplementedError

    def check(self, items: int, users: int) -> None:
        """Looks through a relation that was read from files.

        Args:
            items: size of the catalogue.
            users: stored users.

        Raises:
            ValueError: it cannot be that of a fitted model; the message names what is wrong.
        """

    def parameter_axes(self, relations: Mapping[str, Relation]) -> dict[str, list[Labels]]:
        """What the places along the axes of its module's parameters stand for, by parameter; for going on from a model.

        Args:
            relations: all of the model.
        """
        return {}

    def attributions(self, question: Question) -> list[Attribution]:
        """What in the history, or among other users, stands behind what this relation adds to some answers.

        Args:
            question: the answers.
        """
        return [Attribution(reason=wording.FOLLOWS)] * len(question.items)


def chosen(names: tuple[str, ...] | None, available: Mapping[str, object], option: str) -> list[str]:
    """Which columns or tables an option asks for.

    Args:
        names: what the option says; None means all.
        available: what there is.
        option: its name, for the error.

    Raises:
        ConfigurationError: it names what is not there.
    """
    if names is None:
        return list(available)
    unknown = [name for name in names if name not in available]
    if unknown:
        raise ConfigurationError(
            f"{option} names '{unknown[0]}', which the dataset does not have. It has: {', '.join(available) or 'none'}."
        )
    return list(names)
