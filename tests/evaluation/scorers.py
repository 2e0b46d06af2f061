"""Scorers without a network, targets for them, and their evaluation."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.sequences import Sequences
from attrformer.data.splits import Targets
from attrformer.evaluation import Evaluation, EvaluationConfig, evaluate

ITEMS = 30


class HistoryScorer:
    """Scores that depend on the user and on every item of the context, so that a mix-up of rows shows."""

    def __init__(self, items: int = ITEMS, dtype: torch.dtype = torch.float32) -> None:
        random = torch.Generator().manual_seed(0)
        self.users = torch.randn(500, items, generator=random)
        self.items = torch.randn(items, items, generator=random)
        self.dtype = dtype
        self.batches: list[NDArray[np.int64]] = []

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        self.batches.append(contexts.lengths)
        rows = torch.from_numpy(contexts.row_of_position())
        summed = torch.zeros(len(users), self.items.shape[1]).index_add(0, rows, self.items[contexts.items])
        return (self.users[users] + summed).to(self.dtype)


class FixedScorer:
    """The same block of scores for every batch."""

    def __init__(self, scores: Tensor) -> None:
        self.scores = scores

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        return self.scores[: len(users)]


def make_targets(
    count: int = 100, items: int = ITEMS, seed: int = 0, longest: int = 12, times: bool = False
) -> Targets:
    random = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(random.integers(0, longest, count))])
    contexts = Sequences(
        offsets=offsets,
        items=random.integers(0, items, offsets[-1]).astype(np.int32),
        times=np.zeros(offsets[-1], dtype=np.int64) if times else None,
    )
    return Targets(
        times=np.arange(count) % 3 if times else None,
        users=random.permutation(count).astype(np.int64),
        contexts=contexts,
        items=random.integers(0, items, count).astype(np.int32),
    )


def run(targets: Targets | None = None, **options) -> Evaluation:
    """Evaluates a scorer; options are those of `evaluate` and of `EvaluationConfig`."""
    measuring = {name: options.pop(name) for name in list(options) if name in EvaluationConfig.__dataclass_fields__}
    config = EvaluationConfig(**{"resamples": 30} | measuring)
    settings = {"item_count": ITEMS, "dataset": "tiny", "popularity": np.arange(ITEMS), "config": config} | options
    scorer = settings.pop("scorer", None) or HistoryScorer()
    return evaluate(scorer, make_targets() if targets is None else targets, **settings)
