"""Every kind of relation, and the door for kinds from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from attrformer.config import add_variant, name_of, open_family
from attrformer.errors import ConfigurationError
from attrformer.relations.base import Relation
from attrformer.relations.behaviour_rows import BehaviourRowsRelation
from attrformer.relations.changing_attribute import ChangingAttributeRelation
from attrformer.relations.config import ADVICE, RelationOptions
from attrformer.relations.cooccurrence import CooccurrenceRelation
from attrformer.relations.edges import EdgeRelation
from attrformer.relations.id_order import IdOrderRelation
from attrformer.relations.indirect import IndirectRelation
from attrformer.relations.item_attribute import ItemAttributeRelation
from attrformer.relations.item_text import TextRelation
from attrformer.relations.item_vector import VectorRelation
from attrformer.relations.location import LocationRelation
from attrformer.relations.naming import KINDS
from attrformer.relations.negative import NegativeRelation
from attrformer.relations.newness import NewnessRelation
from attrformer.relations.positions import BehaviourRelation, CategoryRelation, TimeGapRelation
from attrformer.relations.repeat import RepeatRelation
from attrformer.relations.similar_users import SimilarUsersRelation
from attrformer.relations.time_bucket import TimeBucketRelation
from attrformer.relations.user_attribute import UserAttributeRelation

BUILT_IN: Final[tuple[type[Relation], ...]] = (
    CooccurrenceRelation,
    IndirectRelation,
    EdgeRelation,
    ItemAttributeRelation,
    VectorRelation,
    TextRelation,
    LocationRelation,
    ChangingAttributeRelation,
    IdOrderRelation,
    UserAttributeRelation,
    TimeBucketRelation,
    RepeatRelation,
    SimilarUsersRelation,
    TimeGapRelation,
    BehaviourRelation,
    CategoryRelation,
    BehaviourRowsRelation,
    NegativeRelation,
    NewnessRelation,
)
"""In the order in which they are built, and in which their modules draw random numbers."""

_NAMES: Final = frozenset(
    {
        "cooccurrence_near",
        "cooccurrence_wide",
        "cooccurrence_next",
        "indirect",
        "time_bucket",
        "repeat",
        "similar_users",
        "time_gap",
        "negative",
        "newness",
        "content",
        "popularity",
    }
)
"""Names of relations, and of what stands beside them in explanations, that none from outside may have."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A relation from outside.

    Args:
        options: its dataclass of options.
        relation: its table.
        module: what is learned; None for that of the class which the table is derived from.
    """

    options: type[RelationOptions]
    relation: type[Relation]
    module: type[Any] | None


_registered: Final[dict[str, Registered]] = {}

open_family(RelationOptions, ADVICE)


def register(options: type[RelationOptions], relation: type[Relation], module: type[Any] | None = None) -> None:
    """Makes a relation of your own known under the name that its options have.

    From then on `relations.own` takes it, in Python, in YAML and with `--set`, and it is trained, saved, explained,
    exported and grown like any other. Before it is trained for the first time it is tested for leakage. Registering a
    name again replaces the relation, as running a notebook's cell again does.

    Args:
        options: a frozen dataclass derived from `RelationOptions` with `name: Literal["..."] = "..."`.
        relation: derived from `Relation`, most easily from `RowRelation`. Its `kind` is the same name, and the names
            of the relations that it builds are that name, or begin with it and "_".
        module: derived from `attrformer.nn.relations.RelationModule`; None for the module of the class that `relation`
            is derived from.

    Raises:
        ConfigurationError: the options are no such dataclass, the kind differs from the name, or the name is taken.
    """
    name = name_of(options)
    if name is None or not issubclass(options, RelationOptions):
        raise ConfigurationError(
            f"{getattr(options, '__name__', options)} cannot be registered. Derive it from RelationOptions, decorate "
            'it with @dataclass(frozen=True), and give it a name: name: Literal["..."] = "...".'
        )
    if getattr(relation, "kind", None) != name:
        raise ConfigurationError(
            f"The relation of '{name}' is no class derived from Relation with kind: ClassVar[str] = \"{name}\"."
        )
    _require_free(name)
    add_variant(RelationOptions, options)
    _registered[name] = Registered(options, relation, module)


def _require_free(name: str) -> None:
    kinds = {kind.kind for kind in BUILT_IN}
    others = [known for known in _registered if known != name]
    if name in kinds or name in _NAMES or any(_clash(name, known) for known in (*KINDS, *others)):
        raise ConfigurationError(
            f"The name '{name}' is taken: relations of the library or another registered one are called so, or begin "
            "with it. Give yours another one."
        )


def _clash(first: str, second: str) -> bool:
    """Whether one name begins with the other, so that names made of them might fall together."""
    return f"{first}_".startswith(f"{second}_") or f"{second}_".startswith(f"{first}_")


def registered(name: str) -> Registered | None:
    """The relation from outside that was registered under a name; None where there is none."""
    return _registered.get(name)


def kinds() -> Iterator[type[Relation]]:
    """Every kind of relation, those of the library first."""
    yield from BUILT_IN
    for each in _registered.values():
        yield each.relation


def kind_of(name: str) -> type[Relation]:
    """The class of a kind of relation.

    Args:
        name: of the kind.

    Raises:
        ConfigurationError: there is none of that name.
    """
    for kind in kinds():
        if kind.kind == name:
            return kind
    raise ConfigurationError(f"There is no relation of the kind '{name}'. {ADVICE}")
