"""Every part of the model can be switched off, and what is left still trains."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.relations.builders import (
    NONE,
    OFF,
    SMALL,
    categorical,
    dataset,
    edges,
    multi,
    relations_of,
    sequences,
    shop,
    walks,
)
from tests.training.builders import Notes, trained

from attrformer.data.dataset import Dataset
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.training.config import TargetConfig

MODEL: dict[str, dict[str, Any]] = {
    "everything": {},
    "no relation heads": {"relation_heads": False},
    "no catalogue evidence": {"catalogue_evidence": False},
    "no neighbour states": {"similar_user_states": False},
    "no attribute embeddings": {"attribute_embeddings": False},
    "fixed recency": {"learned_recency": False},
    "diagonal only": {"low_rank": 0},
    "content only": {
        "relation_heads": False,
        "catalogue_evidence": False,
        "similar_user_states": False,
        "attribute_embeddings": False,
    },
    "dropout": {"dropout": 0.3},
    "mixed head": {"mixed_head": True},
}
RELATIONS: dict[str, dict[str, Any]] = {
    "no identity": {"repeat": False},
    "no neighbours": {"similar_users": False},
    "no behaviours": {"behaviours": False},
    "no near": {"cooccurrence_near": OFF},
    "no wide": {"cooccurrence_wide": OFF},
    "no next": {"cooccurrence_next": OFF},
    "no indirect": {"indirect": False},
    "no co-occurrence": {"cooccurrence_near": OFF, "cooccurrence_wide": OFF, "cooccurrence_next": OFF},
    "no rows at all": {"cooccurrence_near": OFF, "cooccurrence_wide": OFF, "cooccurrence_next": OFF, "edges": ()},
    "no item attributes": {"item_attributes": ()},
    "no user attributes": {"user_attributes": ()},
    "top k": {"dense_items": 0, "top_k": 5},
    "one fold": {"folds": 1},
}


def assert_learns(notes: Notes) -> None:
    losses = [float(line["loss"]) for line in notes.lines]
    assert len(losses) == 3 and all(math.isfinite(loss) for loss in notes.losses)
    assert losses[-1] < losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("switch", list(MODEL))
def test_model_switch(switch: str) -> None:
    data = shop()
    assert_learns(trained(data, relations_of(data), **MODEL[switch])[1])


@pytest.mark.slow
@pytest.mark.parametrize("switch", list(RELATIONS))
def test_relations_switch(switch: str) -> None:
    data = shop()
    assert_learns(trained(data, relations_of(data, **RELATIONS[switch]))[1])


def test_everything_off_is_a_plain_transformer() -> None:
    data = shop()
    trainer, notes = trained(data, relations_of(data, NONE), attribute_embeddings=False)
    assert not trainer.network.relations and not trainer.network.head_names
    assert_learns(notes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "only",
    ["repeat", "similar_users", "item_attributes", "user_attributes", "edges", "cooccurrence_near", "behaviours"],
)
def test_each_relation_trains_alone(only: str) -> None:
    data = shop()
    assert_learns(trained(data, relations_of(data, replace(NONE, **{only: getattr(SMALL, only)})))[1])


def test_a_dataset_without_attributes_and_times_trains() -> None:
    data = dataset(sequences(walks(40, 30, 0)), 30)
    assert_learns(trained(data, relations_of(data))[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "target",
    [
        TargetConfig(strength=0.0),
        TargetConfig(window=3, strength=0.5, relation=0.4, popularity=0.3, uniform=0.3),
        TargetConfig(relation=0.0),
    ],
    ids=["plain", "mixture", "no component"],
)
def test_posterior_options(target: TargetConfig) -> None:
    data = shop()
    assert_learns(trained(data, relations_of(data), target=target)[1])


def network_after(**options: Any) -> AttrFormerNetwork:
    data = shop()
    return trained(data, relations_of(data), **options)[0].network


@pytest.mark.slow
def test_switched_off_parts_have_no_say() -> None:
    assert network_after(relation_heads=False).head_names == []
    assert not dict(network_after(attribute_embeddings=False).table.attribute)
    diagonal = network_after(low_rank=0).relations["item_brand"]
    assert diagonal.left is None and diagonal.right is None


@pytest.mark.slow
def test_a_fixed_recency_profile_stays_where_it_started() -> None:
    profiles = [
        network_after(learned_recency=learned).relations["cooccurrence_near"].recency for learned in (False, True)
    ]
    decay = 0.8 ** np.arange(12)
    np.testing.assert_allclose(profiles[0].by_distance.detach().exp().numpy(), decay, rtol=1e-5)
    assert not np.allclose(profiles[1].by_distance.detach().exp().numpy(), decay, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["type", "items", "keys", "price.usd", "cooccurrence_near", "time_gap"])
def test_columns_may_have_any_name(name: str) -> None:
    # Names reach the network's modules, whose own attributes they must not meet.
    base = shop()
    values = [f"v{item % 4}" for item in range(base.item_count)]
    users = [f"v{user % 3}" for user in range(base.user_count)]
    data: Dataset = replace(
        base,
        sequences=replace(base.sequences, behaviours={name: base.sequences.behaviours["rating"]}),
        item_attributes={name: categorical(name, values), "tags": multi("tags", [["a", "b"], ["a"]] * 15)},
        user_attributes={name: categorical(name, users)},
    )
    assert_learns(trained(data, relations_of(data))[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["keys", "also.bought", "cooccurrence_near", "similar_users", "repeat"])
def test_edge_tables_may_have_any_name(name: str) -> None:
    base = shop()
    data = replace(base, item_relations={name: edges([(item, (item + 1) % 30, 1.0) for item in range(30)])})
    relations = relations_of(data)
    trainer, notes = trained(data, relations)
    assert_learns(notes)
    # None takes another one's place.
    assert len(trainer.network.relations) == 12
