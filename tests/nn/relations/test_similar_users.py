from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.models.builders import contributions, everywhere, network_of
from tests.relations.builders import relations_of, shop

from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.nn.batch import Batch, NeighbourBatch
from attrformer.nn.relations.similar_users import SimilarUsersModule

DATA = shop()


@pytest.fixture(scope="module")
def setting() -> tuple[AttrFormerNetwork, SimilarUsersModule, Batch]:
    relations = relations_of(DATA)
    network = network_of(relations).eval()
    module = network.relations["similar_users"]
    assert isinstance(module, SimilarUsersModule)
    return network, module, everywhere(relations, DATA.sequences.rows(np.arange(8)), list(range(8)))


def without_neighbours(batch: Batch, row: int) -> Batch:
    assert batch.similar_users is not None
    users, similarity = batch.similar_users.users.clone(), batch.similar_users.similarity.clone()
    following = batch.similar_users.following.clone()
    users[row], similarity[row], following[row] = -1, 0.0, -1
    return replace(batch, similar_users=NeighbourBatch(users, similarity, following))


def test_weights_are_a_softmax_over_similarity_and_user_relation(
    setting: tuple[AttrFormerNetwork, SimilarUsersModule, Batch],
) -> None:
    _, module, batch = setting
    found = batch.similar_users
    assert found is not None
    weights = module.neighbour_weights(batch, found)
    codes = relations_of(DATA).users["region"].codes
    (table,) = module.user_relation.values()
    for user in range(8):
        for place in range(found.users.shape[1]):
            others = [int(other) for other in found.users[user, place] if other >= 0]
            logits = [
                module.power * found.similarity[user, place, k].log() + table[codes[user], codes[other]]
                for k, other in enumerate(others)
            ]
            expected = torch.softmax(torch.stack(logits), 0) if logits else torch.zeros(0)
            torch.testing.assert_close(weights[user, place, : len(others)], expected)
            assert not weights[user, place, len(others) :].any()


def test_evidence_is_about_what_neighbours_did_next(
    setting: tuple[AttrFormerNetwork, SimilarUsersModule, Batch],
) -> None:
    network, _, batch = setting
    values = contributions(network, batch)["similar_users"]
    assert batch.similar_users is not None
    for user in range(8):
        for place in range(values.shape[1]):
            following = batch.similar_users.following[user, place].flatten()
            assert set(np.flatnonzero(values[user, place].numpy())) == {int(item) for item in following if item >= 0}


def test_without_neighbours_nothing_is_said(setting: tuple[AttrFormerNetwork, SimilarUsersModule, Batch]) -> None:
    network, module, batch = setting
    alone = without_neighbours(batch, 3)
    table = network.table()
    assert not contributions(network, alone)["similar_users"][3].any()
    assert alone.similar_users is not None and not module.neighbour_weights(alone, alone.similar_users)[3].any()
    assert not module.refinement(alone, module.lookup(alone), table)[3].any()
    assert module.refinement(batch, module.lookup(batch), table)[3].any()
    torch.testing.assert_close(
        module.refinement(alone, module.lookup(alone), table)[4],
        module.refinement(batch, module.lookup(batch), table)[4],
    )
    assert network(alone).hidden.isfinite().all()


def test_the_hidden_state_is_refined_by_the_mean_of_what_followed(
    setting: tuple[AttrFormerNetwork, SimilarUsersModule, Batch],
) -> None:
    network, module, batch = setting
    assert batch.similar_users is not None
    table = network.table()
    weights = module.neighbour_weights(batch, batch.similar_users)
    found = module.refinement(batch, module.lookup(batch), table)
    for user, place in [(0, 1), (2, 2), (5, 0)]:
        mean = torch.zeros(table.shape[1])
        for weight, item in zip(
            weights[user, place], batch.similar_users.following[user, place, :, 0].tolist(), strict=True
        ):
            if item >= 0:
                mean = mean + weight * table[item]
        torch.testing.assert_close(found[user, place], module.project(module.norm(mean)), rtol=1e-4, atol=1e-5)


def test_refinement_starts_at_nothing() -> None:
    relations = relations_of(DATA)
    network = network_of(relations, shaken=False)
    module = network.relations["similar_users"]
    assert isinstance(module, SimilarUsersModule)
    batch = everywhere(relations, DATA.sequences.rows(np.arange(4)), list(range(4)))
    assert not module.refinement(batch, module.lookup(batch), network.table()).any()
