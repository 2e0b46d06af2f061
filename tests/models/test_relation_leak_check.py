"""Relations from outside that make figures too good are refused before they are trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from scipy import sparse
from tests.relations.builders import SMALL, shop
from tests.support.recommenders import small_dataset
from torch import Tensor
from typing_extensions import Self

from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.models import check_relations
from attrformer.nn.batch import Batch
from attrformer.nn.candidates import Candidates
from attrformer.nn.contributions import Contribution
from attrformer.nn.relations import Gate, ModuleOptions
from attrformer.nn.relations.row_table import RowModule
from attrformer.recommender import AttrFormer, Config
from attrformer.relations import Relation, RelationOptions, RowRelation, Sources, register, registry
from attrformer.relations.base import Arrays
from attrformer.relations.config import RelationsConfig
from attrformer.relations.folds import without_each_fold

DATA = shop()


@dataclass(frozen=True)
class FollowsOptions(RelationOptions):
    name: Literal["follows"] = "follows"


@dataclass(frozen=True, slots=True, eq=False)
class Follows(RowRelation):
    """What comes right after an item, counted without the users of each fold."""

    kind: ClassVar[str] = "follows"

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        counts = [steps(sources.train, sources.folds == fold, sources.n_items) for fold in range(3)]
        return [cls.of_items("follows", without_each_fold(counts), sources.top_k)]


def steps(train: Sequences, users: Any, items: int) -> Any:
    owner = train.row_of_position()
    first = np.flatnonzero((owner[:-1] == owner[1:]) & users[owner[:-1]])
    pairs = (train.items[first], train.items[first + 1])
    return sparse.csr_array((np.ones(len(first)), pairs), shape=(items, items))


@pytest.fixture(autouse=True)
def registry_as_before() -> Iterator[None]:
    before = dict(registry._registered)
    yield
    registry._registered.clear()
    registry._registered.update(before)


def check(relation: type[Relation] = Follows, module: Any = None, *, sampled: bool = False) -> None:
    register(FollowsOptions, relation, module)
    own = replace(SMALL, folds=3, own=(FollowsOptions(),))
    check_relations(DATA, DATA.sequences, own, seed=0, sampled=sampled)


@pytest.mark.parametrize("sampled", [False, True])
def test_a_relation_that_keeps_to_the_rules_passes(sampled: bool) -> None:
    check(sampled=sampled)


class WholeCatalogue:
    """A contribution of a class from outside."""

    def __init__(self, inner: Contribution) -> None:
        self.block = inner.block


class AnyItems(WholeCatalogue):
    """Takes the first items for any."""

    def restricted(self, candidates: Candidates) -> Contribution:
        own = self.block

        class First:
            def block(self, rows: slice, inputs: Any, copies: Any = None) -> Any:
                found = own(rows, inputs)
                items, evidence = found.spoken()
                whole = torch.zeros(*evidence.shape[:2], DATA.item_count).scatter_add(2, items, evidence)
                found.spoken = lambda: (None, whole[:, :, : candidates.count])
                return found

        return First()


@pytest.mark.parametrize(
    ("kind", "said"),
    [(WholeCatalogue, "WholeCatalogue cannot be computed"), (AnyItems, "something else of some items")],
)
def test_what_candidates_get_is_looked_at_where_the_loss_is_sampled(kind: type[WholeCatalogue], said: str) -> None:
    class Module(RowModule):
        def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Any, Tensor]:
            part, weights = super().contribution(batch, looked_up, weights)
            return kind(part), weights

    check(module=Module)
    with pytest.raises(ConfigurationError, match=said):
        check(module=Module, sampled=True)


def test_relations_are_looked_at_before_they_are_counted_of_all_users() -> None:
    counted: list[int] = []

    class Negative(Follows):
        @classmethod
        def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
            counted.append(len(sources.train))
            return [replace(each, values=-each.values) for each in super().build(sources, options, built)]

    register(FollowsOptions, Negative)
    data = small_dataset(300)
    with pytest.raises(ConfigurationError, match="negative"):
        AttrFormer(Config(relations=RelationsConfig(own=(FollowsOptions(),), folds=3))).fit(data, progress=False)
    assert counted == [200]


def test_without_relations_from_outside_nothing_is_built() -> None:
    check_relations(DATA, DATA.sequences, SMALL, seed=0)


def test_counting_the_own_user_is_refused() -> None:
    class Leaky(Follows):
        @classmethod
        def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
            everyone = np.ones(len(sources.train), dtype=bool)
            return [cls.of_items("follows", [steps(sources.train, everyone, sources.n_items)], sources.top_k)]

    with pytest.raises(ConfigurationError, match=r"'follows' is counted with .* users who are taught by it\. Count"):
        check(Leaky)


def test_reading_the_inference_block_of_another_relation_is_refused() -> None:
    class Twice(Follows):
        @classmethod
        def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
            near = built["cooccurrence_near"]
            assert isinstance(near, RowRelation)
            whole = np.stack([near.row(item) for item in range(sources.n_items)])
            return [cls.of_items("follows", [sparse.csr_array(whole)], sources.top_k)]

    with pytest.raises(ConfigurationError, match="taught by it"):
        check(Twice)


class Ahead(RowModule):
    """Reads the item after each position."""

    def lookup(self, batch: Batch) -> Tensor:
        return super().lookup(replace(batch, items=batch.items.roll(-1, 1)))


class Backwards(RowModule):
    """Weighs positions without regard to what the place may know."""

    def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Contribution, Tensor]:
        return super().contribution(batch, looked_up, weights.flip(1))


@pytest.mark.parametrize("module", [Ahead, Backwards])
def test_sight_of_later_interactions_is_refused(module: type[RowModule]) -> None:
    with pytest.raises(ConfigurationError, match=r"something else about .* when later interactions change"):
        check(module=module)


def test_parameters_of_others_are_refused() -> None:
    shared: list[Gate] = []

    class Sharing(RowModule):
        @classmethod
        def make(cls, relation: RowRelation, options: ModuleOptions) -> Self:
            made = super().make(relation, options)
            shared.append(made.gate)
            made.gate = shared[-1] if len(shared) % 2 else shared[-2]
            return made

    class Two(Follows):
        @classmethod
        def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
            (one,) = Follows.build(sources, options, built)
            assert isinstance(one, RowRelation)
            return [replace(one, name=f"follows_{part}") for part in "ab"]

    register(FollowsOptions, Two, Sharing)
    Two.kind = "follows"
    with pytest.raises(ConfigurationError, match=r"shares parameters with another part|parameters of others change"):
        check(Two, Sharing)


def test_values_below_zero_are_refused() -> None:
    class Negative(Follows):
        @classmethod
        def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
            (one,) = Follows.build(sources, options, built)
            assert isinstance(one, RowRelation) and one.values is not None
            return [replace(one, values=-one.values)]

    with pytest.raises(ConfigurationError, match="not finite, or negative"):
        check(Negative)


def test_what_cannot_be_saved_is_refused() -> None:
    class Forgetful(Follows):
        @classmethod
        def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> Self:
            raise KeyError("pairs")

    class Changed(Follows):
        def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
            arrays, described = RowRelation.to_arrays(self)
            return {**arrays, "values": arrays["values"] * 2}, described

    with pytest.raises(ConfigurationError, match=r"cannot be saved \(KeyError: 'pairs'\)"):
        check(Forgetful)
    with pytest.raises(ConfigurationError, match="says something else after saving"):
        check(Changed)


def test_names_that_are_taken_are_refused() -> None:
    @dataclass(frozen=True)
    class Near(RelationOptions):
        name: Literal["cooccurrence_near"] = "cooccurrence_near"

    @dataclass(frozen=True)
    class Item(RelationOptions):
        name: Literal["item_brand"] = "item_brand"

    @dataclass(frozen=True)
    class Unnamed(RelationOptions):
        pass

    for options in (Near, Item):
        kind = type("Kind", (Follows,), {"kind": options().name})
        with pytest.raises(ConfigurationError, match="is taken"):
            register(options, kind)
    with pytest.raises(ConfigurationError, match="give it a name"):
        register(Unnamed, Follows)
    with pytest.raises(ConfigurationError, match="kind: ClassVar"):
        register(FollowsOptions, RowRelation)


def test_a_name_that_is_not_its_own_is_refused() -> None:
    class Elsewhere(Follows):
        @classmethod
        def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
            (one,) = Follows.build(sources, options, built)
            return [replace(one, name="item_brand")]  # type: ignore[call-arg]

    with pytest.raises(ConfigurationError, match="Call it 'follows', or begin its name with 'follows_'"):
        check(Elsewhere)
