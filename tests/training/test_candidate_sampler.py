from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.models.builders import example_of, network_of
from tests.relations.builders import relations_of, shop

from attrformer.errors import ConfigurationError
from attrformer.models.attrformer import AttrFormerConfig
from attrformer.models.baselines.gru4rec import GRU4RecConfig
from attrformer.models.baselines.sasrec import SASRecConfig
from attrformer.nn.candidates import candidates_of
from attrformer.training.candidate_sampler import FULL_SOFTMAX, CandidateSampler, samples
from attrformer.training.config import TrainingConfig

DATA = shop()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_estimate_of_the_sum_over_the_catalogue_is_unbiased(share: float) -> None:
    torch.manual_seed(0)
    items = 40
    popularity = torch.arange(1.0, items + 1)
    sampler = CandidateSampler(popularity, TrainingConfig(negatives=12, popular_negatives=share))
    scores = torch.randn(items)
    certain, nothing = torch.tensor([3, 17]), torch.empty(0, dtype=torch.int64)
    estimates = []
    for _ in range(4000):
        drawn = sampler._drawn(items)
        places = torch.full((items + 1,), items + 1, dtype=torch.int32)
        found = candidates_of(certain, drawn, sampler._log_chance[drawn], nothing, places)
        estimates.append(float((scores[found.items] + found.correction).exp().sum()))
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - float(scores.exp().sum())) < 4 * error
    assert np.std(estimates) > 0


def test_candidates_hold_targets_histories_and_what_relations_name() -> None:
    relations = relations_of(DATA, dense_items=0, top_k=3)
    network, example = network_of(relations), example_of(DATA, relations)
    example = example.map(lambda tensor: tensor[:2] if len(tensor) == len(example.mask) else tensor)
    sampler = CandidateSampler(torch.from_numpy(relations.popularity), TrainingConfig(negatives=5))
    for _ in range(3):
        found = sampler(network, example)
        chosen = set(found.items.tolist())
        history = set(example.batch.items.flatten().tolist()) - {DATA.item_count}
        certain = {
            item for item, value in zip(found.items.tolist(), found.correction.tolist(), strict=True) if not value
        }
        assert history | set(example.items.flatten().tolist()) <= certain <= chosen
        assert chosen < set(found.read.tolist()) or len(chosen) == len(found.read)
        # Relations name five more items, the strongest of all.
        total = np.zeros(DATA.item_count)
        for items, strength in network.named(example.batch):
            np.add.at(total, items.numpy(), strength.numpy())
        total[sorted(history | set(example.items.flatten().tolist()))] = 0
        assert set(np.argsort(-total)[: min(5, int((total > 0).sum()))].tolist()) <= certain


def test_who_samples() -> None:
    large, auto = FULL_SOFTMAX + 1, TrainingConfig()
    full = SASRecConfig(loss="full")
    assert samples(auto, AttrFormerConfig(), large) and samples(auto, full, large)
    assert not samples(auto, AttrFormerConfig(), FULL_SOFTMAX)
    assert not samples(TrainingConfig(loss="full"), AttrFormerConfig(), large)
    assert not samples(auto, SASRecConfig(), large) and not samples(auto, GRU4RecConfig(), large)
    assert samples(TrainingConfig(loss="sampled"), full, 10)
    with pytest.raises(ConfigurationError, match=r"training\.loss is sampled, and model\.name is 'gru4rec'"):
        samples(TrainingConfig(loss="sampled"), GRU4RecConfig(), large)
