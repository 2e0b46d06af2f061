"""What every baseline has to keep to, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tests.models.builders import everywhere, maker_of, scorer_of, shake
from tests.relations.builders import relations_of, shop
from tests.support.recommenders import small_config, small_dataset
from torch import Tensor

from attrformer.config import override
from attrformer.data.sequences import Sequences
from attrformer.models.config import EncoderConfig
from attrformer.models.network import Network
from attrformer.models.registry import build_network
from attrformer.nn.batch import Batch, Example
from attrformer.nn.losses import Objective, Outputs
from attrformer.recommender import Recommender
from attrformer.relations.config import RelationsConfig
from attrformer.relations.relation_set import RelationSet
from attrformer.training.batches import Examples
from attrformer.training.config import TargetConfig, TrainingConfig

DATA = shop()
LENGTH = 12
TIGHT = {"rtol": 1e-4, "atol": 1e-5}


def small(config: type[EncoderConfig], **options: Any) -> Any:
    """Options of a small network."""
    return config(**{"width": 16, "layers": 2, "heads": 2, "max_length": LENGTH, "dropout": 0.0, **options})


def read_by(config: EncoderConfig) -> RelationSet:
    """The relations of the small shop that a network reads."""
    return relations_of(DATA, config.reads(RelationsConfig(folds=3)))


def network_of(config: EncoderConfig, relations: RelationSet | None = None) -> Any:
    """A network in evaluation mode, its parameters moved off their start so that every path carries something."""
    torch.manual_seed(0)
    relations = read_by(config) if relations is None else relations
    network = build_network(relations, config, config.dropout or 0.0)
    return shake(network).eval()  # type: ignore[arg-type]


def example_of(config: EncoderConfig, relations: RelationSet, number: int = 0) -> Example:
    """A training batch as this network wants it."""
    examples = Examples(
        DATA.sequences,
        relations,
        maker_of(relations),
        LENGTH,
        TrainingConfig(batch_targets=64),
        TargetConfig(),
        0,
        prefixes=config.ENDS_BEFORE_TARGET,
        partners=config.CONTRASTS_SAME_TARGET,
    )
    return list(examples.epoch(0))[number][2]


def objective_of(relations: RelationSet) -> Objective:
    """Losses in single precision."""
    popularity = torch.from_numpy(relations.popularity / relations.popularity.sum())
    return Objective(popularity, 0.0, (0.0, 0.0, 1.0), 1 << 20, torch.float32)


def check_equations(network: Any, plain: Callable[[Any, list[int]], Tensor]) -> tuple[Batch, Outputs]:
    """The hidden state is that of the equations, for histories of several lengths.

    Args:
        network: with its item table as `item`.
        plain: the equations for one history, `[l, d]`.

    Returns:
        What the network was given, and its outputs.
    """
    histories = [[3, 1, 4, 1, 5, 9, 2], [6, 5, 3], [8]]
    padding = len(network.item)
    batch = Batch(
        torch.tensor([items + [padding] * (7 - len(items)) for items in histories]),
        torch.tensor([[6, 2], [2, 0], [0, 0]]),
        torch.zeros(3, dtype=torch.int64),
    )
    outputs: Outputs = network(batch)
    assert outputs.table is network.item
    for row, items in enumerate(histories):
        expected = plain(network, items)[batch.target_positions[row]]
        torch.testing.assert_close(outputs.hidden[row], expected, **TIGHT)
    return batch, outputs


def wider(batch: Batch, items: int, more: int) -> Batch:
    """The same batch with more padding columns."""
    return replace(
        batch,
        items=F.pad(batch.items, (0, more), value=items),
        times=None if batch.times is None else F.pad(batch.times, (0, more)),
        levels={name: F.pad(level, (0, more)) for name, level in batch.levels.items()},
    )


def check_batching(config: EncoderConfig) -> None:
    """Scores depend neither on who else is in a batch nor on how wide it is padded."""
    relations = read_by(config)
    network = network_of(config, relations)
    scorer, users = scorer_of(network, relations), np.arange(DATA.user_count)
    together = scorer.score(users, DATA.sequences)
    assert together.shape == (DATA.user_count, DATA.item_count) and bool(together.isfinite().all())
    assert float((together[0] - together[1]).abs().max()) > 1e-3
    backwards = scorer.score(users[::-1].copy(), DATA.sequences.rows(users[::-1]))
    torch.testing.assert_close(backwards.flip(0), together, **TIGHT)
    for user in range(0, DATA.user_count, 5):
        alone = scorer.score(users[user : user + 1], DATA.sequences.rows(users[user : user + 1]))
        torch.testing.assert_close(alone[0], together[user], **TIGHT)
    short = DATA.sequences.rows(users[:8]).tail(5)
    batch = maker_of(relations).latest(short, {}, users[:8])
    first, second = network(batch), network(wider(batch, DATA.item_count, LENGTH - 5))
    torch.testing.assert_close(second.hidden, first.hidden, **TIGHT)


def check_causality(config: EncoderConfig) -> None:
    """What comes later, items and times, changes nothing that is said before."""
    relations = read_by(config)
    network, length, users = network_of(config, relations), 9, list(range(6))
    rng = np.random.default_rng(5)
    count = length * len(users)
    items = rng.integers(0, DATA.item_count, count).astype(np.int32)
    times = np.cumsum(rng.integers(1000, 100_000, count))
    offsets = np.arange(0, count + 1, length)
    rating = {"rating": np.full(count, 3, dtype=np.float32)}
    mine = network(everywhere(relations, Sequences(offsets, items, times, rating), users))
    for start in (1, 4, length - 1):
        late = np.arange(count) % length >= start
        before = np.repeat(times[start - 1 :: length], length)
        changed = Sequences(
            offsets,
            np.where(late, (items + 7) % DATA.item_count, items).astype(np.int32),
            # Later steps are smaller than all before, so that the smallest of the whole history is another one.
            np.where(late, before + np.arange(count) % length, times),
            rating,
        )
        other = network(everywhere(relations, changed, users))
        torch.testing.assert_close(other.hidden[:, :start], mine.hidden[:, :start], **TIGHT)
        assert not torch.allclose(other.hidden[:, start:], mine.hidden[:, start:], atol=1e-2)


def check_gradients(config: EncoderConfig) -> None:
    """The loss is finite and reaches every parameter."""
    relations = read_by(config)
    network = network_of(config, relations).train()
    loss = network.loss(example_of(config, relations, -1), objective_of(relations))
    assert bool(loss.isfinite())
    loss.backward()
    untouched = [name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert not untouched


def check_round_trip(name: str, folder: Path, *options: str, steps: int = 20) -> None:
    """What is fitted recommends the same once it was saved and loaded; training brings the loss down."""
    dataset = small_dataset()
    config = override(small_config(), [f"model.name={name}", "model.width=16", "model.layers=2", *options])
    model = Recommender(config).fit(dataset, progress=False)
    model.save(folder / "model")
    loaded = Recommender.load(folder / "model", device="cpu")
    assert loaded.config == model.config
    assert loaded.recommend(k=5).equals(model.recommend(k=5))
    strangers = [["item-0003", "item-0010"], ["item-0050"]]
    assert loaded.recommend(histories=strangers, k=5).equals(model.recommend(histories=strangers, k=5))
    losses = training_losses(replace(config.model, max_length=LENGTH, dropout=0.0), steps)  # type: ignore[arg-type,call-arg]
    assert losses[-1] < 0.8 * losses[0]


def training_losses(config: EncoderConfig, steps: int = 20) -> list[float]:
    """The loss of one batch while a small network learns it by heart."""
    relations = read_by(config)
    torch.manual_seed(0)
    network: Network = build_network(relations, config, 0.0).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    example, objective, losses = example_of(config, relations), objective_of(relations), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = network.loss(example, objective)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    return losses
