"""A network made ready to answer says what the plain network says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.models.builders import everywhere, maker_of, network_of
from tests.relations.builders import relations_of, shop

from attrformer.models.scorer import InferenceNetwork, evaluating, prepared
from attrformer.nn.batch import Batch
from attrformer.nn.fused_loss import score_catalogue

DATA = shop()
VARIANTS: list[dict[str, Any]] = [
    {},
    {"mixed_head": True},
    {"relation_heads": False},
    {"catalogue_evidence": False},
    {"similar_user_states": False, "attribute_embeddings": False},
    {"low_rank": 0, "layers": 1},
]


def latest(relations: Any, users: list[int]) -> Batch:
    """One place in each history, as an answer asks for it."""
    rows = np.array(users)
    codes = {name: user.codes[rows] for name, user in relations.users.items()}
    return maker_of(relations).latest(DATA.sequences.rows(rows), codes, rows)


@pytest.mark.slow
@pytest.mark.parametrize("dense_items", [6000, 0])
@pytest.mark.parametrize("options", VARIANTS, ids=lambda options: ",".join(options))
@torch.no_grad()
def test_answers_are_those_of_the_plain_network(options: dict[str, Any], dense_items: int) -> None:
    relations = relations_of(DATA, dense_items=dense_items, top_k=10)
    network = network_of(relations, **options).eval()
    ready = prepared(network)
    assert isinstance(ready, InferenceNetwork)
    everyone = everywhere(relations, DATA.sequences.rows(np.arange(6)), list(range(6)))
    for batch in (everyone, latest(relations, [0, 5, 7]), latest(relations, [3])):
        found, expected = ready(batch), network(batch)
        assert found.names == expected.names
        torch.testing.assert_close(found.hidden, expected.hidden, rtol=1e-5, atol=1e-6)
        scores = [score_catalogue(outputs.hidden, outputs.table, outputs.parts) for outputs in (found, expected)]
        torch.testing.assert_close(scores[0], scores[1], rtol=1e-5, atol=1e-5)


def test_a_network_is_evaluating_within_the_block_and_as_it_was_after_it() -> None:
    network = network_of(relations_of(DATA)).eval()
    network.drop.train()
    with evaluating(network):
        assert not any(module.training for module in network.modules())
    network.train()
    with evaluating(network), evaluating(network):
        assert not any(module.training for module in network.modules())
    assert all(module.training for module in network.modules())
