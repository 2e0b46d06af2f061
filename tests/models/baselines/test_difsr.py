from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.relations.builders import relations_of, shop
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
from attrformer.models.baselines.difsr import DIFSRConfig, DIFSRNetwork, FusedScores
from attrformer.models.baselines.layers.post_norm import ScoredLayer
from attrformer.nn.batch import Batch
from attrformer.relations.config import RelationsConfig

CONFIGS = [small(DIFSRConfig, fusion=fusion, attribute_width=6) for fusion in ("sum", "concat", "gate")]


def fused(scores: FusedScores, found: list[Tensor]) -> Tensor:
    """One score from those of the sources for one pair of positions and one head."""
    if scores.fusion == "sum":
        return torch.stack(found).sum()
    if scores.fusion == "concat":
        return (torch.stack(found) * scores.weights).sum()
    weights = (scores.gate.weight @ torch.stack(found) + scores.gate.bias).exp()
    return (weights / weights.sum() * torch.stack(found)).sum()


def plain_scores(scores: FusedScores, sources: list[Tensor], head: int) -> Tensor:
    """Scores of one history by one head, pair by pair, `[l, l]`; sources are `[l, width]`."""
    length = len(sources[0])
    out = torch.zeros(length, length)
    for here in range(length):
        for there in range(length):
            found = []
            for source, query, key in zip(sources, scores.query, scores.key, strict=True):
                share = source.shape[1] // 2
                of_head = slice(head * share, (head + 1) * share)
                product = query(source[here])[of_head] @ key(source[there])[of_head]
                found.append(product / math.sqrt(sources[0].shape[1] // 2))
            out[here, there] = fused(scores, found)
    return out


def plain_layer(layer: ScoredLayer, scores: FusedScores, hidden: Tensor, aside: list[Tensor]) -> Tensor:
    """One layer for one history: attention weights from all sources, values from the items."""
    fits = [plain_scores(scores, [hidden, *aside], head) for head in (0, 1)]
    values, rows = layer.value(hidden), []
    for here in range(len(hidden)):
        heads = []
        for head in (0, 1):
            weights = fits[head][here, : here + 1].softmax(0)
            heads.append(weights @ values[: here + 1, 8 * head : 8 * head + 8])
        rows.append(layer.output(torch.cat(heads)))
    kept = layer.add.norm(hidden + torch.stack(rows))
    return layer.feed.add.norm(kept + layer.feed.outer(F.gelu(layer.feed.inner(kept))))


def plain(network: DIFSRNetwork, items: list[int]) -> Tensor:
    """Hidden state of one history at every position."""
    hidden = network.norm(network.item[items])
    features = [attribute(torch.tensor([items]))[0] for attribute in network.attributes]
    aside = [*features, network.position[: len(items)]]
    for scores, layer in zip(network.scores, network.layers, strict=True):
        hidden = plain_layer(layer, scores, hidden, aside)  # type: ignore[arg-type]
    return hidden


def batch_of(items: list[int]) -> Batch:
    return Batch(torch.tensor([items]), torch.arange(len(items)).unsqueeze(0), torch.zeros(1, dtype=torch.int64))


@pytest.mark.parametrize("config", CONFIGS)
def test_scores_come_from_all_sources_and_values_from_items(config: DIFSRConfig) -> None:
    network = network_of(config)
    assert len(network.attributes) == 3 and network.attributes[0].values.shape[1] == 6
    items = [3, 1, 4, 1, 5]
    outputs = network(batch_of(items))
    torch.testing.assert_close(outputs.hidden[0], plain(network, items), rtol=1e-4, atol=1e-5)
    assert outputs.table is network.item and not outputs.parts


@pytest.mark.parametrize("config", CONFIGS)
def test_every_fusion_keeps_the_rules(config: DIFSRConfig) -> None:
    check_causality(config)
    check_batching(config)
    check_gradients(config)


def test_a_single_item_is_not_touched_by_its_attributes_or_position() -> None:
    # There is one position to look at, so that its weight is 1 whatever the scores are.
    network = network_of(CONFIGS[0])
    before = network(batch_of([3])).hidden
    with torch.no_grad():
        network.position.add_(1.0)
        for attribute in network.attributes:
            attribute.values.mul_(-2.0)
    torch.testing.assert_close(network(batch_of([3])).hidden, before)
    assert not torch.allclose(network(batch_of([3, 7, 9])).hidden[:, 2], before[:, 0], atol=1e-2)


def losses_of(**options: Any) -> tuple[Tensor, DIFSRNetwork]:
    config = small(DIFSRConfig, **options)
    relations = read_by(config)
    network = network_of(replace(config, predictors=2.0), relations)
    network.config = config
    return network.loss(example_of(config, relations), objective_of(relations)), network


def test_attribute_predictors_are_added_with_their_weight() -> None:
    # The same network each time; only the weight differs.
    (none, network), (one, _), (three, _) = (losses_of(predictors=weight) for weight in (1e-9, 1.0, 3.0))
    relations = read_by(network.config)
    example = example_of(network.config, relations)
    hidden, total, count = network(example.batch).hidden, 0.0, 0.0
    assert network.predictor is not None
    for row, place in (example.mask > 0).nonzero().tolist():
        item, start, count = int(example.items[row, place, 0]), 0, count + 1
        for relation in relations.features.values():
            values = len(relation.labels)
            logits = F.linear(hidden[row, place], network.predictor.weight, network.predictor.bias)
            has = torch.from_numpy(relation.dense()[item] > 0).float()
            total += F.binary_cross_entropy_with_logits(logits[start : start + values], has).item()
            start += values
    assert one.item() - none.item() == pytest.approx(total / count, rel=1e-4)
    assert three.item() - none.item() == pytest.approx(3 * total / count, rel=1e-4)


def test_without_attributes_or_weight_there_is_nothing_to_predict() -> None:
    relations = relations_of(replace(shop(), item_attributes={}), CONFIGS[0].reads(RelationsConfig(folds=3)))
    network = network_of(CONFIGS[0], relations)
    assert network.predictor is None and len(network.scores[0].query) == 2
    example = example_of(CONFIGS[0], relations)
    expected = objective_of(relations).next_item(network(example.batch), example.items[:, :, 0], example.mask)
    assert torch.equal(network.loss(example, objective_of(relations)), expected)
    assert network_of(small(DIFSRConfig, predictors=0.0)).predictor is None


def test_options_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="attribute_width"):
        small(DIFSRConfig, attribute_width=7)
    with pytest.raises(ConfigurationError, match="predictors"):
        small(DIFSRConfig, predictors=-1.0)


@pytest.mark.slow
def test_round_trip(tmp_path: Path) -> None:
    check_round_trip("difsr", tmp_path, "model.max_length=20")
