"""Small networks and their batches, for the tests of network and training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.models.attrformer import AttrFormerConfig, AttrFormerNetwork
from attrformer.models.inputs import InputMaker
from attrformer.models.scorer import CatalogueScorer
from attrformer.nn.batch import Batch, Example
from attrformer.nn.contributions import Contribution, ContributionInputs
from attrformer.nn.fused_loss import score_catalogue
from attrformer.nn.relations.base import ContributingModule
from attrformer.relations.relation_set import RelationSet
from attrformer.relations.user_index import latest_anchors
from attrformer.training.batches import Examples
from attrformer.training.config import TargetConfig, TrainingConfig

CPU = torch.device("cpu")
LENGTH = 12
SMALL = AttrFormerConfig(width=16, layers=2, heads=2, max_length=LENGTH, dropout=0.0, low_rank=2)


def network_of(relations: RelationSet, *, shaken: bool = True, **options: Any) -> AttrFormerNetwork:
    """A network, its parameters moved off their start so that every path carries something."""
    torch.manual_seed(0)
    config = replace(SMALL, **options)
    network = AttrFormerNetwork(relations, config, config.dropout or 0.0)
    return shake(network) if shaken else network


def shake(network: AttrFormerNetwork) -> AttrFormerNetwork:
    """Adds noise to every parameter."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return network


def maker_of(relations: RelationSet, length: int = LENGTH) -> InputMaker:
    return InputMaker(relations, length, CPU)


def scorer_of(network: AttrFormerNetwork, relations: RelationSet) -> CatalogueScorer:
    return CatalogueScorer(network, relations, maker_of(relations))


def everywhere(relations: RelationSet, contexts: Sequences, users: list[int]) -> Batch:
    """A batch as inference makes it, asking about every position of each history."""
    lengths = contexts.lengths
    places = np.minimum(np.arange(lengths.max()), lengths[:, None] - 1)
    rows = np.repeat(np.arange(len(contexts)), places.shape[1])
    owners = np.array(users, dtype=np.int64)
    index, maker = relations.similar_users, maker_of(relations, int(lengths.max()))
    found = None
    if index is not None and maker.similar is not None:
        anchors = latest_anchors(contexts, rows, places.ravel() + 1, index.anchors)
        found = maker.similar.read(maker.similar.align(anchors, owners[rows]), places.shape)
    codes = {name: user.codes[owners] for name, user in relations.users.items()}
    folds = np.full(len(contexts), relations.folds, dtype=np.int64)
    return maker.pad(contexts, places, folds, codes, found)


def examples_of(
    data: Dataset,
    relations: RelationSet,
    *,
    train: Sequences | None = None,
    length: int = LENGTH,
    seed: int = 0,
    training: TrainingConfig | None = None,
    target: TargetConfig | None = None,
) -> Examples:
    return Examples(
        data.sequences if train is None else train,
        relations,
        maker_of(relations, length),
        length,
        training or TrainingConfig(batch_targets=128),
        target or TargetConfig(),
        seed,
    )


def example_of(data: Dataset, relations: RelationSet, **options: Any) -> Example:
    """The first batch of training."""
    return next(iter(examples_of(data, relations, **options).epoch(0)))[2]


def read_of(network: AttrFormerNetwork, batch: Batch) -> dict[str, Tensor | None]:
    """What each relation looks up of a batch."""
    return {name: module.lookup(batch) for name, module in network.contributing().items()}


def part_of(network: AttrFormerNetwork, name: str, batch: Batch) -> tuple[Contribution, Tensor]:
    """A relation's path to the catalogue and its weights, made of this relation alone."""
    module = network.relations[name]
    assert isinstance(module, ContributingModule)
    weights = module.gate.inverse_epsilon()
    if module.recency is not None:
        weights = weights * module.weights(batch, network.gaps(batch, batch.target_positions))
    return module.contribution(batch, module.lookup(batch), weights)


def head_values(network: AttrFormerNetwork, name: str, batch: Batch) -> Tensor:
    """What one relation head reads, `[b, l, l]`."""
    values = network.relation_values(batch, read_of(network, batch))
    assert values is not None
    return values[:, network.head_names.index(name)]


def contribution(part: Contribution, inputs: ContributionInputs, items: int) -> Tensor:
    """What one relation adds to the logits, `[b, t, items]`."""
    return score_catalogue(torch.zeros(*inputs.gate.shape, 1), torch.zeros(items, 1), [(part, inputs)])


def contributions(network: AttrFormerNetwork, batch: Batch) -> dict[str, Tensor]:
    """What each relation adds to the logits, by name."""
    outputs = network(batch)
    pairs = zip(outputs.names, outputs.parts, strict=True)
    return {name: contribution(part, inputs, network.items) for name, (part, inputs) in pairs}


def touched(module: nn.Module, value: Tensor) -> set[str]:
    """Names of the parameters that get a gradient from a value."""
    named = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    generator = torch.Generator().manual_seed(2)
    # Random weights, since a plain sum of a softmax has no gradient.
    total = (value * torch.rand(value.shape, generator=generator)).sum()
    grads = torch.autograd.grad(total, list(named.values()), allow_unused=True, retain_graph=True)
    return {name for name, grad in zip(named, grads, strict=True) if grad is not None and bool(grad.abs().sum() > 0)}
