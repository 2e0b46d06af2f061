from __future__ import annotations

from dataclasses import replace

import torch
from tests.models.builders import network_of
from tests.relations.builders import relations_of, shop

from attrformer.nn.batch import Batch
from attrformer.nn.relations.base import RelationModule

BATCH = Batch(
    torch.zeros(2, 3, dtype=torch.long),
    torch.zeros(2, 1, dtype=torch.long),
    torch.zeros(2, dtype=torch.long),
    levels={"rating": torch.tensor([[0, 2, 1], [1, 1, 1]])},
)


def relation(name: str) -> RelationModule:
    """The relation of a behaviour as a network of a dataset with times and ratings has it."""
    module = network_of(relations_of(shop())).position_relations[name]
    assert isinstance(module, RelationModule)
    with torch.no_grad():
        module.get_parameter("value")[:3] = torch.tensor([1.0, 2.0, 3.0])
    return module


def test_a_level_counts_by_the_earlier_position() -> None:
    found = relation("behaviour_rating").attention_values(BATCH, None, None)
    torch.testing.assert_close(found[0], torch.tensor([[1.0, 3.0, 2.0]]).expand(3, 3))
    torch.testing.assert_close(found[1], torch.full((3, 3), 2.0))


def test_a_time_gap_counts_by_its_bucket() -> None:
    gaps = torch.tensor([[[0, 1, 2], [2, 1, 0], [1, 1, 1]]] * 2)
    torch.testing.assert_close(relation("time_gap").attention_values(BATCH, None, gaps)[0], gaps[0] + 1.0)


def test_without_times_all_positions_are_alike() -> None:
    assert not relation("time_gap").attention_values(BATCH, None, None).any()


def test_without_levels_all_positions_are_alike() -> None:
    assert not relation("behaviour_rating").attention_values(replace(BATCH, levels={}), None, None).any()
