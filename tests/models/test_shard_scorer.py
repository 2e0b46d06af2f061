"""Scores of the own items of several ranks against those of the whole catalogue, for every kind of relation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.builders import maker_of
from tests.nn.test_candidates import setting_data
from tests.support.ranks import start, words
from torch import Tensor

from attrformer.models.baselines.sasrec import SASRecConfig, SASRecNetwork
from attrformer.models.scorer import CatalogueScorer
from attrformer.models.shard_scorer import ShardScorer
from attrformer.ranks import ALONE

pytestmark = pytest.mark.slow

SCRIPT = """
import numpy as np
import torch
from tests.models.builders import maker_of, network_of, shake
from tests.nn.test_candidates import ALL, setting_data
from tests.relations.builders import shop

from attrformer.models import shard_scorer
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.models.baselines.sasrec import SASRecConfig, SASRecNetwork
from attrformer.models.scorer import CatalogueScorer
from attrformer.models.shard_scorer import ShardScorer
from attrformer.ranks import joined
from attrformer.training.sharded_weights import ShardedWeights


class Projecting(SASRecNetwork):
    # A network from outside: its table has to be asked for by forward.
    def item_rows(self, items):
        return None


def networks():
    for name in ALL:
        data, relations = setting_data(name)
        yield name, data, relations, lambda: network_of(relations)
    for kind in (SASRecNetwork, Projecting):
        torch.manual_seed(0)
        made = shake(kind(relations, SASRecConfig(loss="full", width=16, max_length=12), 0.0))
        yield kind.__name__, data, relations, lambda: made


with joined() as ranks:
    # Some of the own items at a time.
    shard_scorer.AT_ONCE = 4
    for name, data, relations, make in networks():
        contexts = data.sequences.rows(np.flatnonzero(data.sequences.lengths > 1)[:40])
        users = np.arange(40)
        network = make()
        expected = CatalogueScorer(network, relations, maker_of(relations)).score(users, contexts)
        whole = network.get_parameter(network.ITEM_PARAMETERS[0]).shape
        ShardedWeights(network, relations.n_items, ranks, network.ITEM_PARAMETERS)
        own = ranks.rows(relations.n_items)
        assert len(network.get_parameter(network.ITEM_PARAMETERS[0])) == own.stop - own.start < whole[0]
        scores = ShardScorer(network.train(), relations, maker_of(relations), ranks).score(users, contexts)
        torch.testing.assert_close(scores, expected[:, own], rtol=1e-5, atol=1e-5, msg=lambda text: f"{name} {text}")
        assert network.training and expected.std() > 0.1
        print(name)
"""


class Whole(SASRecNetwork):
    """A network from outside that every rank holds whole."""

    ITEM_PARAMETERS = ()

    def item_rows(self, items: Tensor) -> None:  # type: ignore[override]
        return None


def test_a_network_without_rows_of_items_is_scored_as_it_is() -> None:
    data, relations = setting_data("whole rows")
    network = Whole(relations, SASRecConfig(loss="full", width=16, max_length=12), 0.0)
    contexts = data.sequences.rows(np.flatnonzero(data.sequences.lengths > 1)[:20])
    found = ShardScorer(network, relations, maker_of(relations), ALONE).score(np.arange(20), contexts)
    expected = CatalogueScorer(network, relations, maker_of(relations)).score(np.arange(20), contexts)
    torch.testing.assert_close(found, expected)


def test_each_rank_scores_its_own_items(tmp_path: Path) -> None:
    names = "whole rows, top k, few values, few buckets, changing, vectors, kept pairs, SASRecNetwork, Projecting"
    assert [words(process).splitlines() for process in start(SCRIPT, 2, tmp_path)] == [names.split(", ")] * 2
