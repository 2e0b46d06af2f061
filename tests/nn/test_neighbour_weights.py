"""Compiled passes over similar users beside the plain operations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.builders import everywhere, network_of
from tests.nn.both_ways import both_ways
from tests.relations.builders import categorical, relations_of, shop
from torch import Tensor, nn

from attrformer.data.dataset import Dataset
from attrformer.nn.batch import Batch, NeighbourBatch
from attrformer.nn.contributions import EntryContribution
from attrformer.nn.neighbour_weights import entries_of, weighed
from attrformer.nn.relations import similar_users
from attrformer.nn.relations.similar_users import SimilarUsersModule

pytest.importorskip("numba", reason="needs the extra `fast`")
pytestmark = pytest.mark.slow


def with_ages(data: Dataset) -> Dataset:
    """The same with one more attribute of users, of which some have no value."""
    ages = [None if user % 5 == 1 else f"a{user % 4}" for user in range(len(data.sequences))]
    return replace(data, user_attributes={**data.user_attributes, "age": categorical("age", ages)})


DATA = with_ages(shop())


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> tuple[SimilarUsersModule, Batch]:
    monkeypatch.setattr(similar_users, "MANY", 1)
    relations = relations_of(DATA)
    module = network_of(relations).relations["similar_users"]
    assert isinstance(module, SimilarUsersModule) and len(module.attributes) == 2
    return module, everywhere(relations, DATA.sequences.rows(np.arange(8)), list(range(8)))


def close(plain: list[Tensor], compiled: list[Tensor]) -> None:
    for own, other in zip(plain, compiled, strict=True):
        assert bool((own != 0).any())
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-6)


def test_weights_equal_plain(setting: tuple[SimilarUsersModule, Batch], monkeypatch: pytest.MonkeyPatch) -> None:
    module, batch = setting
    called: list[int] = []
    monkeypatch.setattr(similar_users, "weighed", lambda *given: called.append(1) or weighed(*given))
    parameters = [module.power, *module.user_relation.values()]
    close(*both_ways(parameters, lambda: module.lookup(batch)))
    assert called == [1]


def test_entries_equal_plain(setting: tuple[SimilarUsersModule, Batch], monkeypatch: pytest.MonkeyPatch) -> None:
    module, batch = setting
    called: list[int] = []
    monkeypatch.setattr(similar_users, "entries_of", lambda *given: called.append(1) or entries_of(*given))
    looked_up, scale = nn.Parameter(module.lookup(batch).detach()), nn.Parameter(torch.full((1, 1, 1), 2.0))
    items = []

    def make() -> Tensor:
        part, entries = module.contribution(batch, looked_up, scale)
        assert isinstance(part, EntryContribution)
        items.append(part.items)
        return entries

    close(*both_ways([looked_up, scale, module.step_weight], make))
    assert called == [1] and torch.equal(*items)


@given(st.integers(0, 1000), st.integers(1, 3), st.integers(0, 2))
def test_any_users_are_weighed_as_by_torch(seed: int, targets: int, attributes: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    users = torch.randint(-1, 3, (2, targets, 5), generator=rng, dtype=torch.int32)
    similarity = torch.rand(users.shape, generator=rng) * (users >= 0)
    codes = torch.randint(0, 4, (3, attributes), generator=rng, dtype=torch.int32)
    rows = torch.randn(2, 4, generator=rng).requires_grad_()
    power = torch.rand((), generator=rng).requires_grad_()
    found = weighed(NeighbourBatch(users, similarity, users[..., None]), codes, rows, power)
    said = [rows.gather(1, codes[:, a].long()[users.clamp_min(0)].flatten(1)).view_as(users) for a in range(attributes)]
    logit = power * similarity.clamp_min(1e-6).log() + sum(said)
    wanted = torch.softmax(logit.masked_fill(users < 0, -1e9), -1) * (users >= 0)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
    factor = torch.randn(found.shape, generator=rng)
    of_found = torch.autograd.grad((found * factor).sum(), [rows, power])
    of_wanted = torch.autograd.grad((wanted * factor).sum() + 0 * rows.sum(), [rows, power])
    for own, other in zip(of_found, of_wanted, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-5)
