"""What every network that only counts has to keep to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.models.builders import everywhere, maker_of, scorer_of
from tests.relations.builders import relations_of, sequences
from tests.support.baselines import DATA, TIGHT, wider
from tests.support.recommenders import small_dataset
from torch import Tensor

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.models.config import ModelConfig
from attrformer.models.network import Network
from attrformer.models.registry import build_network
from attrformer.nn.fused_loss import score_catalogue
from attrformer.nn.losses import Outputs
from attrformer.recommender import Config, Recommender
from attrformer.relations.config import RelationsConfig
from attrformer.relations.relation_set import RelationSet

COMMON = ("training.threads=1", "training.precision=float32", "evaluation.resamples=20")


def counted(config: ModelConfig, data: Dataset = DATA, **options: Any) -> tuple[RelationSet, Network]:
    """The relations that a network reads, and the network."""
    relations = relations_of(data, config.reads(RelationsConfig(**options)))
    return relations, build_network(relations, config, 0.0).eval()


def scores_of(outputs: Outputs) -> Tensor:
    return score_catalogue(outputs.hidden, outputs.table, outputs.parts)


def answers(config: ModelConfig, data: Dataset, histories: list[list[int]], **options: Any) -> Tensor:
    """What a network says after the histories of strangers, `[n, items]`."""
    relations, network = counted(config, data, **options)
    return scorer_of(network, relations).score(np.full(len(histories), -1), sequences(histories))  # type: ignore[arg-type]


def check_batching(config: ModelConfig) -> None:
    """Scores depend neither on who else is in a batch nor on how wide it is padded."""
    relations, network = counted(config)
    scorer, users = scorer_of(network, relations), np.arange(DATA.user_count)  # type: ignore[arg-type]
    together = scorer.score(users, DATA.sequences)
    assert together.shape == (DATA.user_count, DATA.item_count) and bool(together.isfinite().all())
    backwards = scorer.score(users[::-1].copy(), DATA.sequences.rows(users[::-1]))
    assert torch.equal(backwards.flip(0), together)
    for user in range(0, DATA.user_count, 5):
        alone = scorer.score(users[user : user + 1], DATA.sequences.rows(users[user : user + 1]))
        assert torch.equal(alone[0], together[user])
    batch = maker_of(relations).latest(DATA.sequences.rows(users[:8]).tail(5), {}, users[:8])
    first, second = network(batch), network(wider(batch, DATA.item_count, 7))
    torch.testing.assert_close(scores_of(second), scores_of(first), **TIGHT)


def check_causality(config: ModelConfig) -> None:
    """A place says what the end of the history up to it says, whatever comes later."""
    relations, network = counted(config)
    rng, length = np.random.default_rng(5), 7
    rows = rng.integers(0, DATA.item_count, (4, length))
    batch = everywhere(relations, sequences(rows.tolist()), [-1] * 4)
    scores = scores_of(network(batch))
    for place in range(length):
        cut = everywhere(relations, sequences(rows[:, : place + 1].tolist()), [-1] * 4)
        end = replace(cut, target_positions=cut.target_positions[:, -1:])
        torch.testing.assert_close(scores[:, place], scores_of(network(end))[:, 0], **TIGHT)
        assert place == 0 or not torch.equal(scores[:, place], scores[:, place - 1])


def check_round_trip(name: str, folder: Path, *options: str) -> Recommender:
    """Fitting looks at validation once, and what is saved and loaded recommends the same."""
    config = override(Config(), [f"model.name={name}", *COMMON, *options])
    model = Recommender(config).fit(small_dataset(), run=folder / "run", progress=False)
    lines = (folder / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 and json.loads(lines[0])["validation"]["seen=hidden"]["NDCG@20"] > 0
    assert not list(model.fitted.network.parameters())
    model.save(folder / "model")
    loaded = Recommender.load(folder / "model", device="cpu")
    assert loaded.config == model.config
    assert loaded.recommend(k=5).equals(model.recommend(k=5))
    strangers = [["item-0003", "item-0010"], ["item-0050"]]
    assert loaded.recommend(histories=strangers, k=5).equals(model.recommend(histories=strangers, k=5))
    return loaded
