from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.relations.builders import edges, relations_of, shop
from tests.support.baselines import (
    check_batching,
    check_causality,
    check_gradients,
    check_round_trip,
    example_of,
    network_of,
    objective_of,
    read_by,
    small,
)
from torch import Tensor

from attrformer.errors import ConfigurationError
from attrformer.models.baselines.layers.related import KnownPairs, SharedValues
from attrformer.models.baselines.mt4sr import MT4SRConfig, MT4SRNetwork
from attrformer.nn.batch import Batch
from attrformer.relations.config import RelationsConfig
from attrformer.relations.relation_set import RelationSet

CONFIG = small(MT4SRConfig, across_pairs=20)
DATA = shop()


def with_edges(dense_items: int = 6000) -> RelationSet:
    return relations_of(DATA, CONFIG.reads(RelationsConfig(folds=3, edges=("also",), dense_items=dense_items, top_k=9)))


def plain(network: MT4SRNetwork, items: list[int]) -> Tensor:
    """Hidden state of one history at every position, pair by pair."""
    assert network.maps is not None
    hidden = network.norm(network.item[items] + network.position[: len(items)])
    for scores, layer in zip(network.scores, network.layers, strict=True):
        query, key, values, rows = scores.query(hidden), scores.key(hidden), layer.value(hidden), []
        omega = scores.omega.exp() / scores.omega.exp().sum()
        for here in range(len(items)):
            heads = []
            for head in (slice(0, 8), slice(8, 16)):
                fits = []
                for there in range(here + 1):
                    fit = query[here, head] @ key[there, head]
                    for weight, mapping in zip(omega, network.maps, strict=True):
                        fit = fit + weight * ((hidden[here] @ mapping)[head] @ (hidden[there] @ mapping)[head])
                    fits.append(fit / math.sqrt(8))
                heads.append(torch.stack(fits).softmax(0) @ values[: here + 1, head])
            rows.append(layer.output(torch.cat(heads)))
        kept = layer.add.norm(hidden + torch.stack(rows))
        hidden = layer.feed.add.norm(kept + layer.feed.outer(F.gelu(layer.feed.inner(kept))))
    return hidden


def batch_of(items: list[int]) -> Batch:
    return Batch(torch.tensor([items]), torch.arange(len(items)).unsqueeze(0), torch.zeros(1, dtype=torch.int64))


def test_attention_has_a_weighted_term_for_each_relation() -> None:
    network = network_of(CONFIG)
    assert len(network.related) == 3
    items = [3, 1, 4, 1, 5]
    outputs = network(batch_of(items))
    torch.testing.assert_close(outputs.hidden[0], plain(network, items), rtol=1e-4, atol=1e-5)
    assert outputs.table is network.item and not outputs.parts


def test_it_keeps_the_rules() -> None:
    check_causality(CONFIG)
    check_batching(CONFIG)
    check_gradients(CONFIG)


def test_edge_tables_are_read_only_where_they_are_named() -> None:
    assert {type(relation) for relation in network_of(CONFIG).related} == {SharedValues}
    assert list(with_edges().rows) == ["edge_also"]
    for dense_items in (6000, 0):
        network = network_of(CONFIG, with_edges(dense_items))
        assert [type(relation) for relation in network.related] == [SharedValues] * 3 + [KnownPairs]


def test_an_edge_table_without_edges_between_items_is_no_relation() -> None:
    data = replace(DATA, item_relations={"self": edges([(3, 3, 1.0), (4, 4, 1.0)])})
    relations = relations_of(data, CONFIG.reads(RelationsConfig(folds=3, edges=("self",))))
    assert len(network_of(CONFIG, relations).related) == 3


def cosine(relations: RelationSet, name: str, first: int, second: int) -> float:
    """Cosine of the values of two items, weighted by the start of M_a."""
    feature = relations.features[name]
    phi = feature.dense() * np.sqrt(feature.diagonal)
    norms = np.linalg.norm(phi[first]) * np.linalg.norm(phi[second])
    return float(phi[first] @ phi[second] / norms) if norms > 0 else 0.0


def test_the_relation_to_the_next_item_is_learned_within_a_sequence() -> None:
    relations = with_edges()
    network, example = network_of(CONFIG, relations), example_of(CONFIG, relations)
    batch, edge = example.batch, relations.rows["edge_also"]
    embedded = network.norm(
        torch.cat([network.item, torch.zeros(1, 16)])[batch.items] + network.position[: batch.items.shape[1]]
    )
    hidden, total, count = network(batch).hidden, 0.0, 0
    for row, place in (example.mask > 0).nonzero().tolist():
        after = int(example.items[row, place, 0])
        for there in range(int(batch.target_positions[row, place]) + 1):
            before = int(batch.items[row, there])
            known = [cosine(relations, name, before, after) for name in relations.features]
            known.append(float(before != after and edge.row(before)[after] > 0))
            for mapping, target in zip(network.maps, known, strict=True):
                logit = (embedded[row, there] @ mapping) @ (hidden[row, place] @ mapping) / 4
                total += F.binary_cross_entropy_with_logits(logit, torch.tensor(target)).item()
                count += 1
    found = network.within_loss(embedded, hidden, example)
    assert count > 400 and found.item() == pytest.approx(total / count, rel=1e-4)


def test_related_items_are_found_across_sequences() -> None:
    relations = with_edges()
    network = network_of(CONFIG, relations)
    torch.manual_seed(3)
    found = network.across_loss(objective_of(relations))
    torch.manual_seed(3)
    losses = []
    for relation, mapping in zip(network.related, network.maps, strict=True):
        for item, related in zip(*relation.draw(20), strict=True):
            logits = network.item @ (mapping @ mapping.t()) @ network.item[item]
            losses.append(-torch.log_softmax(logits, 0)[related].item())
    assert len(losses) == 80 and found.item() == pytest.approx(float(np.mean(losses)), rel=1e-4)


def test_the_loss_is_a_weighted_sum() -> None:
    relations = read_by(CONFIG)
    example, objective = example_of(CONFIG, relations), objective_of(relations)
    network = network_of(CONFIG, relations)

    def loss(within: float, across: float) -> float:
        network.config = replace(CONFIG, within=within, across=across)
        torch.manual_seed(0)
        return float(network.loss(example, objective).item())

    embedded = network.norm(
        torch.cat([network.item, torch.zeros(1, 16)])[example.batch.items]
        + network.position[: example.batch.items.shape[1]]
    )
    inner = network.within_loss(embedded, network(example.batch).hidden, example).item()
    torch.manual_seed(0)
    outer = network.across_loss(objective).item()
    plain_loss = objective.next_item(network(example.batch), example.items[:, :, 0], example.mask).item()
    assert loss(0.0, 0.0) == pytest.approx(plain_loss, rel=1e-5)
    assert loss(2.0, 0.0) == pytest.approx(plain_loss + 2 * inner, rel=1e-5)
    assert loss(2.0, 3.0) == pytest.approx(plain_loss + 2 * inner + 3 * outer, rel=1e-5)


def test_without_relations_it_is_plain_self_attention() -> None:
    relations = relations_of(replace(DATA, item_attributes={}), CONFIG.reads(RelationsConfig(folds=3)))
    network = network_of(CONFIG, relations)
    assert network.maps is None and not any("omega" in name for name, _ in network.named_parameters())
    example, objective = example_of(CONFIG, relations), objective_of(relations)
    expected = objective.next_item(network(example.batch), example.items[:, :, 0], example.mask)
    torch.testing.assert_close(network.loss(example, objective), expected)


def test_options_are_checked() -> None:
    for options in ({"within": -1.0}, {"across": -1.0}, {"across_pairs": 0}):
        with pytest.raises(ConfigurationError, match=next(iter(options))):
            small(MT4SRConfig, **options)


@pytest.mark.slow
def test_round_trip(tmp_path: Path) -> None:
    check_round_trip("mt4sr", tmp_path, "model.max_length=20", "model.across_pairs=8")
