"""The step of several ranks against that of one process, and how batches are dealt out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.models.builders import examples_of
from tests.relations.builders import relations_of, shop
from tests.training.builders import FAST, trainer_of
from torch import nn

from attrformer.nn.batch import Example
from attrformer.ranks import Ranks
from attrformer.training.batches import part_of
from attrformer.training.candidate_sampler import CandidateSampler
from attrformer.training.checkpoint import parameters_of
from attrformer.training.config import TargetConfig, TrainingConfig
from attrformer.training.joint_step import step_seed
from attrformer.training.sharded_weights import ShardedWeights
from attrformer.training.trainer import Trainer

DATA = shop()


class One(Ranks):
    """A single rank that takes the way of several; its exchanges have nothing to add."""


class Middle(Ranks):
    rank, size = 1, 3


class AlikeDrawing(Trainer):
    """A trainer of one process that draws what the ranks of a joint step draw alike."""

    def step(self, example: Example) -> float:
        torch.manual_seed(step_seed(0, self.progress.step, 0))
        return super().step(example)


@pytest.mark.parametrize("loss", ["full", "sampled"])
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_the_joint_step_of_one_rank_is_that_of_one_process(loss: str, average: float) -> None:
    relations = relations_of(DATA)
    training = replace(FAST, loss=loss, negatives=3, average=average, weight_decay=0.1, clip=0.5)
    trainers = []
    for kind, ranks in ((AlikeDrawing, {}), (Trainer, {"ranks": One()})):
        torch.manual_seed(0)
        base = trainer_of(DATA, relations, training=training)
        popularity = torch.from_numpy(relations.popularity)
        trainer = kind(
            base.network,
            base.examples,
            base.validate,
            popularity,
            training,
            TargetConfig(),
            torch.float32,
            None,
            base.watcher,
            sampler=CandidateSampler(popularity, training) if loss == "sampled" else None,
            **ranks,
        )
        trainer.fit()
        trainers.append(trainer)
    first, second = (parameters_of(trainer.network) for trainer in trainers)
    assert trainers[0].progress.step == trainers[1].progress.step > 10
    for name, value in first.items():
        # A bias that is the same for all keys changes no attention: its gradient is rounding, which AdamW scales up.
        if not name.endswith("query_key.bias"):
            torch.testing.assert_close(second[name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_the_parts_of_all_ranks_are_the_batch() -> None:
    relations = relations_of(DATA)
    examples = examples_of(DATA, relations, training=TrainingConfig(batch_targets=96))
    sizes = []
    for number, windows in enumerate(examples.batches(0)):
        whole = examples.make(0, number, windows)
        parts = []
        for rank in range(3):
            ranks = Middle()
            ranks.rank = rank
            parts.append(examples.make(0, number, windows, ranks))
        asked = [np.sort(np.concatenate([_targets(part) for part in each])) for each in ([whole], parts)]
        assert np.array_equal(*asked)
        sizes.append([len(part.mask) for part in parts])
    assert all(max(each) - min(each) <= 1 for each in sizes) and len(sizes) > 2


def _targets(example: Example) -> np.ndarray:
    """A number for each target that counts: its history up to it, and what came next."""
    rows, places = example.mask.nonzero(as_tuple=True)
    history = example.batch.items.clone()
    history[:] = torch.cumsum((history + 1) * (torch.arange(history.shape[1]) + 1), 1)
    position = example.batch.target_positions[rows, places]
    found: np.ndarray = (history[rows, position] * 1000 + example.items[rows, places, 0]).numpy()
    return found


def test_a_rank_without_rows_gets_one_that_does_not_count() -> None:
    rows, mask = part_of(np.ones((1, 4), dtype=np.float32), Middle())
    assert rows.tolist() == [0] and mask.tolist() == [[0.0]]
    # Columns that no row of the part asks about are cut off, and no others.
    rows, mask = part_of(np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1]], dtype=np.float32), Middle())
    assert rows.tolist() == [1] and mask.tolist() == [[1.0, 1.0]]


class Table(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.item = nn.Parameter(torch.arange(14.0).view(7, 2))
        self.other = nn.Parameter(torch.zeros(3, 2))


def test_a_rank_keeps_its_rows_alone_and_fetches_what_a_step_reads() -> None:
    network = Table()
    weights = ShardedWeights(network, 7, Middle(), ("item",))
    # Of seven rows three ranks own 3, 3 and 1.
    assert network.item.tolist() == [[6, 7], [8, 9], [10, 11]] and weights.own()["item"] is not None
    items = torch.tensor([5, 0, 3, 6])
    places, numbers = weights.owned(items)
    assert (places.tolist(), numbers.tolist()) == ([0, 2], [2, 0])
    weights.fetch(items)
    leaves = dict(weights.leaves())
    assert leaves["other"] is network.other and leaves["item"].tolist() == [[10, 11], [0, 0], [6, 7], [0, 0]]
    weights.set_gradients({"item": torch.ones(4, 2), "other": None}, items)
    gradient = network.item.grad
    assert gradient is not None and gradient.to_dense().tolist() == [[1, 1], [0, 0], [1, 1]]
    network.item.grad = None
    weights.complete()
    assert network.item.tolist() == [[0, 0]] * 3 + [[6, 7], [8, 9], [10, 11]] + [[0, 0]]


def test_tables_that_every_step_reads_whole_share_memory_with_their_rows() -> None:
    network = Table()
    weights = ShardedWeights(network, 7, Middle())
    rows = weights.trained("item", network.item)
    assert len(network.item) == 7 and rows.tolist() == [[6, 7], [8, 9], [10, 11]]
    with torch.no_grad():
        rows += 1
    assert network.item[3].tolist() == [7, 8] and weights.trained("other", network.other) is network.other
