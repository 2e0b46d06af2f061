"""What the tests of all baselines have in common: their networks, and what must hold for each of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tests.models.builders import everywhere
from tests.relations.builders import SMALL, relations_of, sequences, shop
from torch import Tensor

from attrformer.configuration import override
from attrformer.dataset.dataset import Dataset
from attrformer.dataset.sample import make_sample
from attrformer.dataset.sequences import Sequences
from attrformer.models.config import ModelConfig
from attrformer.models.network import Network
from attrformer.models.registry import build_network
from attrformer.nn.batch import Batch, Example
from attrformer.nn.objective import Objective
from attrformer.nn.objectives import score_catalogue
from attrformer.recommender import Config, Recommender
from attrformer.relations.build import RelationSet

SHOP = shop()
TIGHT = {"rtol": 1e-4, "atol": 1e-5}


def read_by(config: ModelConfig, data: Dataset = SHOP, **options: Any) -> RelationSet:
    """The relations of a dataset that a model reads."""
    return relations_of(data, config.reads(replace(SMALL, **options)))


def shaken(relations: RelationSet, config: ModelConfig, dropout: float = 0.0) -> Network:
    """A network whose parameters are moved off their start, so that every path carries something; in evaluation mode."""
    torch.manual_seed(0)
    network = build_network(relations, config, dropout)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


def objective_of(items: int) -> Objective:
    """Losses in full precision, a few logits at a time."""
    return Objective(torch.full((items,), 1.0 / items), 0.0, (0.0, 0.0, 1.0), 100, torch.float32)


def scores_of(network: Network, batch: Batch) -> Tensor:
    """Scores of the catalogue at all places, `[b, t, items]`."""
    outputs = network(batch)
    return score_catalogue(outputs.hidden, outputs.table, outputs.parts)


def ending(relations: RelationSet, histories: Sequences, users: list[int]) -> Batch:
    """A batch as inference makes it, asking for what comes after each history."""
    batch = everywhere(relations, histories, users)
    return replace(batch, places=torch.from_numpy(histories.lengths - 1).unsqueeze(1))


def padded(batch: Batch, items: int, more: int) -> Batch:
    """The same batch with more padding columns."""
    return replace(
        batch,
        items=F.pad(batch.items, (0, more), value=items),
        times=None if batch.times is None else F.pad(batch.times, (0, more), value=0),
        levels={name: F.pad(value, (0, more), value=0) for name, value in batch.levels.items()},
    )


def assert_rows_stand_alone(network: Network, relations: RelationSet, data: Dataset = SHOP) -> None:
    """Neither other rows of the batch nor more padding change a score; the network reads up to 20 positions."""
    users = list(range(8))
    batch = ending(relations, data.sequences.rows(np.array(users)), users)
    assert int(data.sequences.lengths[:8].min()) < batch.items.shape[1] <= 15
    together = scores_of(network, batch)
    assert bool(together.isfinite().all())
    torch.testing.assert_close(scores_of(network, padded(batch, data.item_count, 5)), together, **TIGHT)
    for user in users:
        alone = ending(relations, data.sequences.rows(np.array([user])), [user])
        torch.testing.assert_close(scores_of(network, alone)[0], together[user], **TIGHT)


def assert_causal(network: Network, relations: RelationSet, data: Dataset = SHOP) -> None:
    """Another future changes no earlier score, and does change the later ones."""
    length, start = 9, 4
    rng = np.random.default_rng(5)
    items = rng.integers(0, data.item_count, (6, length))
    other = items.copy()
    other[:, start:] = (other[:, start:] + rng.integers(1, data.item_count, (6, length - start))) % data.item_count
    times = np.sort(rng.integers(0, 10_000_000, (6, length)), axis=1)
    later = times + 1_000_000 * (np.arange(length) >= start)
    users = list(range(6))
    first = scores_of(network, everywhere(relations, sequences(items.tolist(), times=times.ravel()), users))
    second = scores_of(network, everywhere(relations, sequences(other.tolist(), times=later.ravel()), users))
    torch.testing.assert_close(second[:, :start], first[:, :start], **TIGHT)
    assert not torch.allclose(second[:, start:], first[:, start:], atol=1e-3)


def assert_every_parameter_learns(network: Network, example: Example, items: int) -> None:
    """The loss has a gradient for every parameter."""
    network.zero_grad()
    network.loss(example, objective_of(items)).backward()  # type: ignore[no-untyped-call]
    silent = [n for n, p in network.named_parameters() if p.grad is None or not bool((p.grad != 0).any())]
    assert silent == []


def assert_fits(folder: Path, *options: str) -> Recommender:
    """A small dataset is fitted from start to end, the loss falls, and the saved model says the same."""
    sample = make_sample(0, users=120, items=90)
    data = Dataset.from_frames(sample.interactions, sample.items, sample.users, name="shop", catalogue="all")
    small = ("model.width=16", "model.layers=1", "model.max_length=20", "training.epochs=3", "training.threads=1")
    steps = ("training.batch_targets=128", "training.learning_rate=0.005", "training.precision=float32")
    config = override(Config(), [*small, *steps, "evaluation.resamples=10", *options])
    model = Recommender(config).fit(data, run=folder / "run", progress=False)
    losses = [float(line["loss"]) for line in model_losses(folder / "run")]
    assert losses[-1] < losses[0]
    model.save(folder / "model")
    loaded = Recommender.load(folder / "model", device="cpu")
    strangers = [["item-0003", "item-0010"], ["item-0050"]]
    assert loaded.config == model.config
    assert loaded.recommend(k=8).equals(model.recommend(k=8))
    assert loaded.recommend(histories=strangers).equals(model.recommend(histories=strangers))
    return model
