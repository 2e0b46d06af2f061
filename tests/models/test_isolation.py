"""What is learned for one relation gets gradients from that relation alone (docs/paper.md, part 2)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.models.builders import everywhere, example_of, head_values, network_of, part_of, read_of, touched
from tests.relations.builders import relations_of, shop

from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.nn.attention import EncoderLayer
from attrformer.nn.batch import Batch
from attrformer.nn.contributions import ContributionInputs
from attrformer.nn.fused_loss import PosteriorTarget, fused_cross_entropy
from attrformer.nn.relations.base import ContributingModule

NAMES = [
    "cooccurrence_near",
    "cooccurrence_wide",
    "cooccurrence_next",
    "indirect",
    "edge_also",
    "item_brand",
    "item_tags",
    "item_price",
    "user_region",
    "time_bucket",
    "repeat",
    "similar_users",
]
HEADS = [
    "cooccurrence_near",
    "cooccurrence_wide",
    "cooccurrence_next",
    "indirect",
    "edge_also",
    "item_brand",
    "item_tags",
    "item_price",
    "repeat",
    "time_gap",
    "behaviour_rating",
]


@pytest.fixture(scope="module")
def setting() -> tuple[AttrFormerNetwork, Batch]:
    data = shop()
    relations = relations_of(data)
    return network_of(relations), everywhere(relations, data.sequences.rows(np.arange(8)), list(range(8)))


def module_of(network: AttrFormerNetwork, name: str) -> ContributingModule:
    module = network.relations[name]
    assert isinstance(module, ContributingModule)
    return module


def test_the_names_are_complete(setting: tuple[AttrFormerNetwork, Batch]) -> None:
    network, _ = setting
    assert sorted(network.relations) == sorted(NAMES)
    assert sorted(network.head_names) == sorted(HEADS)


@pytest.mark.parametrize("name", NAMES)
def test_catalogue_evidence_reaches_its_own_parameters_only(
    name: str, setting: tuple[AttrFormerNetwork, Batch]
) -> None:
    network, batch = setting
    outputs = network(batch)
    reached = touched(network, dict(zip(outputs.names, outputs.parts, strict=True))[name][1].weights)
    if name == "user_region":
        # Its lift is counted; all it learns is its gate.
        assert reached == {"relations.user_region.gate.log_inverse_epsilon"}
    assert reached and all(parameter.startswith(f"relations.{name}.") for parameter in reached)


@pytest.mark.parametrize("name", NAMES)
def test_the_gate_reaches_its_own_parameters_only(name: str, setting: tuple[AttrFormerNetwork, Batch]) -> None:
    network, _ = setting
    gate = module_of(network, name).gate
    hidden = torch.randn(3, 2, network.config.width)
    assert touched(network, gate(hidden)) == {f"relations.{name}.gate.weight", f"relations.{name}.gate.bias"}
    stacked = network.stacked().evidence
    assert stacked is not None
    assert touched(network, stacked.gates(hidden)[..., list(network.relations).index(name)]) == touched(
        network, gate(hidden)
    )
    assert touched(network, gate.inverse_epsilon()) == {f"relations.{name}.gate.log_inverse_epsilon"}


@pytest.mark.parametrize("name", HEADS)
def test_attention_weights_of_a_relation_head_reach_its_own_parameters_only(
    name: str, setting: tuple[AttrFormerNetwork, Batch]
) -> None:
    network, batch = setting
    values = head_values(network, name, batch)
    own = (f"relations.{name}.", f"position_relations.{name}.")
    if values.requires_grad:
        assert all(parameter.startswith(own) for parameter in touched(network, values))
    for number, layer in enumerate(network.layers):
        assert isinstance(layer, EncoderLayer)
        stacked = layer.attention.stacked()
        every = network.relation_values(batch, read_of(network, batch))
        assert stacked is not None and every is not None
        logits = stacked.logits(every, network.look_back(None, batch.items.shape[1]))
        weights = torch.softmax(logits[:, network.head_names.index(name)], -1)
        heads = {f"layers.{number}.attention.{kind}.{name}" for kind in ("temperature", "position_bias")}
        reached = touched(network, weights)
        assert heads <= reached
        assert all(parameter in heads or parameter.startswith(own) for parameter in reached)


@pytest.mark.parametrize("name", ["item_brand", "item_tags", "item_price"])
def test_attribute_parameters_are_reached_by_their_own_head(
    name: str, setting: tuple[AttrFormerNetwork, Batch]
) -> None:
    network, batch = setting
    reached = touched(network, head_values(network, name, batch))
    assert {f"relations.{name}.{part}" for part in ("log_diagonal", "left", "right")} <= reached


def test_without_the_content_part_the_loss_of_one_relation_moves_that_relation_alone() -> None:
    data = shop()
    relations = relations_of(data)
    network = network_of(relations)
    example = example_of(data, relations)
    outputs = network(example.batch)
    hidden, table = outputs.hidden.detach(), outputs.table.detach()
    popularity = torch.full((30,), 1 / 30)
    target = PosteriorTarget(example.items, example.counts, 0.1, popularity, (0.0, 1.0, 0.0), None)
    for name, module in network.relations.items():
        assert isinstance(module, ContributingModule)
        part, weights = part_of(network, name, example.batch)
        inputs = ContributionInputs(weights, module.gate(hidden))
        loss = fused_cross_entropy(hidden, table, [(part, inputs)], target, example.mask)
        reached = touched(network, loss)
        assert reached and all(parameter.startswith(f"relations.{name}.") for parameter in reached), name
