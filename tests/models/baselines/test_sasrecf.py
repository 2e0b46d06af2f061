from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.relations.builders import categorical, dataset, multi, relations_of, sequences, shop
from tests.support.baselines import (
    check_batching,
    check_causality,
    check_gradients,
    check_round_trip,
    network_of,
    read_by,
    small,
)
from torch import Tensor

from attrformer.models.baselines.sasrec import SASRecConfig, SASRecNetwork
from attrformer.models.baselines.sasrecf import SASRecFConfig, SASRecFNetwork
from attrformer.nn.batch import Batch
from attrformer.relations.config import RelationsConfig

CONFIGS = [small(SASRecFConfig, fusion=fusion) for fusion in ("concat", "sum", "gate")]
TINY = dataset(
    sequences([[0, 1, 2, 3]]),
    4,
    item_attributes={
        "brand": categorical("brand", ["a", "a", None, "b"]),
        "tags": multi("tags", [["x", "y"], ["x"], ["y"], []]),
    },
)


def batch_of(*items: int) -> Batch:
    row = torch.tensor([items])
    return Batch(row, torch.arange(len(items)).unsqueeze(0), torch.zeros(1, dtype=torch.int64))


def plain_input(network: SASRecFNetwork, fusion: str) -> Tensor:
    """The vectors of the four items of `TINY`, value by value: brand b and missing brands have no shared value."""
    brand, tags = (attribute.values for attribute in network.attributes)
    nothing = torch.zeros(16)
    embedded = [
        [network.item[0], brand[0], (tags[0] + tags[1]) / 2],
        [network.item[1], brand[0], tags[0]],
        [network.item[2], nothing, tags[1]],
        [network.item[3], nothing, nothing],
    ]
    known = [[0, 1, 2], [0, 1, 2], [0, 2], [0]]
    if fusion == "sum":
        return torch.stack([sum(parts, nothing) for parts in embedded])
    assert network.fusion is not None
    if fusion == "concat":
        project = network.fusion.project
        return torch.stack([project.weight @ torch.cat(parts) + project.bias for parts in embedded])
    mixed = []
    for parts, there in zip(embedded, known, strict=True):
        scores = torch.cat([network.fusion.score(torch.relu(network.fusion.inner(parts[k]))) for k in there])
        weights = scores.exp() / scores.exp().sum()
        mixed.append(sum((w * parts[k] for w, k in zip(weights, there, strict=True)), nothing))
    return torch.stack(mixed)


@pytest.mark.parametrize("config", CONFIGS)
def test_items_and_mean_attribute_embeddings_are_fused(config: SASRecFConfig) -> None:
    network = network_of(config, relations_of(TINY, config.reads(RelationsConfig())))
    batch = batch_of(0, 1, 2, 3)
    outputs = network(batch)
    expected = network.encoder(plain_input(network, config.fusion).unsqueeze(0), batch.target_positions)
    torch.testing.assert_close(outputs.hidden, expected)
    # Items are ranked by what they are, and not by their attributes.
    assert outputs.table is network.item and not outputs.parts


@pytest.mark.parametrize("config", CONFIGS)
def test_without_attributes_it_is_sasrec(config: SASRecFConfig) -> None:
    relations = relations_of(replace(shop(), item_attributes={}), config.reads(RelationsConfig()))
    assert relations.features == {}
    network = network_of(config, relations)
    other = SASRecNetwork(relations, small(SASRecConfig), 0.0).eval()
    other.load_state_dict(network.state_dict())
    batch = batch_of(3, 1, 4, 1, 5)
    assert torch.equal(network(batch).hidden, other(batch).hidden)


def test_an_attribute_is_read_where_the_item_has_it() -> None:
    network = network_of(CONFIGS[0], relations_of(TINY, CONFIGS[0].reads(RelationsConfig())))
    with_brand, without = network(batch_of(0, 1)).hidden, network(batch_of(2, 3)).hidden
    with torch.no_grad():
        network.attributes[0].values.add_(1.0)
    assert not torch.allclose(network(batch_of(0, 1)).hidden, with_brand, atol=1e-2)
    torch.testing.assert_close(network(batch_of(2, 3)).hidden, without)


@pytest.mark.parametrize("config", CONFIGS)
def test_every_fusion_keeps_the_rules(config: SASRecFConfig) -> None:
    check_causality(config)
    check_batching(config)
    check_gradients(config)


def test_only_item_attributes_are_read() -> None:
    relations = read_by(CONFIGS[0])
    assert set(relations.features) == {"brand", "tags", "price"}
    assert not (relations.rows or relations.users or relations.repeat or relations.similar_users or relations.levels)


@pytest.mark.slow
def test_round_trip(tmp_path: Path) -> None:
    check_round_trip("sasrecf", tmp_path, "model.max_length=20")
