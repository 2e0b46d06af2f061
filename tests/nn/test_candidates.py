from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from tests.models.builders import example_of, network_of
from tests.relations.builders import relations_of, shop
from tests.relations.changing import changing_shop
from tests.support.vector_shop import with_vectors
from torch import Tensor

from attrformer.data.dataset import Dataset
from attrformer.errors import ConfigurationError
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.nn.batch import Example
from attrformer.nn.candidates import Candidates, candidates_of, every_item, forget
from attrformer.nn.fused_loss import PosteriorTarget, fused_cross_entropy
from attrformer.nn.losses import Objective
from attrformer.nn.restricted import restricted
from attrformer.relations.relation_set import RelationSet
from attrformer.training.config import TargetConfig

ITEMS = 30
SETTINGS = {
    "whole rows": {},
    "top k": {"dense_items": 0, "top_k": 7},
    "few values": {"max_values": 3},
    "few buckets": {"time_buckets": 2},
}


def vectors() -> Dataset:
    return with_vectors(shop(), torch.randn(ITEMS, 8, generator=torch.Generator().manual_seed(3)).numpy())


def setting_data(name: str) -> tuple[Dataset, RelationSet]:
    made = {"changing": changing_shop, "vectors": vectors, "kept pairs": vectors}
    data = made.get(name, shop)()
    options = {"dense_items": 0, "top_k": 7} if name == "kept pairs" else SETTINGS.get(name, {})
    return data, relations_of(data, **options)


@cache
def setting(name: str) -> tuple[AttrFormerNetwork, Example]:
    data, relations = setting_data(name)
    return network_of(relations), example_of(data, relations, target=TargetConfig(window=2))


ALL = [*SETTINGS, "changing", "vectors", "kept pairs"]


def some_candidates(network: AttrFormerNetwork, example: Example) -> Candidates:
    """The certain items and half of the others, with corrections that differ."""
    batch = example.batch
    certain = torch.unique(torch.cat([batch.items[batch.items < ITEMS][:9], example.items.flatten()]))
    history = torch.unique(batch.items[batch.items < ITEMS])
    certain = torch.unique(torch.cat([certain, history]))
    drawn = torch.arange(1, ITEMS, 3)
    places = torch.full((ITEMS + 1,), ITEMS + 1, dtype=torch.int32)
    return candidates_of(certain, drawn, -torch.rand(len(drawn)), network.items_read(batch), places)


def few_histories(example: Example) -> Example:
    """The first histories alone, so that they do not hold the whole catalogue."""
    whole = len(example.mask)
    return example.map(lambda tensor: tensor[:3] if len(tensor) == whole else tensor)


def objective(strength: float = 0.0, mixture: tuple[float, float, float] = (1.0, 0.0, 0.0)) -> Objective:
    popularity = torch.arange(1.0, ITEMS + 1)
    return Objective(popularity / popularity.sum(), strength, mixture, 1 << 12, torch.float32)


def gradients(network: AttrFormerNetwork, loss: Tensor) -> dict[str, Tensor]:
    """Gradients of all parameters, sparse ones filled up."""
    network.zero_grad(set_to_none=True)
    loss.backward()
    found = {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}
    return {name: value.to_dense() if value.is_sparse else value for name, value in found.items()}


def assert_same(network: AttrFormerNetwork, first: Tensor, second: Tensor) -> None:
    torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)
    expected, found = gradients(network, first), gradients(network, second)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, rtol=2e-4, atol=2e-6, msg=lambda text, name=name: f"{name} {text}"
        )


@pytest.mark.parametrize("strength", [0.0, 0.4])
@pytest.mark.parametrize("name", ALL)
def test_the_whole_catalogue_as_candidates_is_the_full_softmax(name: str, strength: float) -> None:
    network, example = setting(name)
    loss = objective(strength, (0.5, 0.3, 0.2))
    sampled = replace(example, candidates=every_item(ITEMS))
    assert_same(network, network.loss(example, loss), network.loss(sampled, loss))


@pytest.mark.parametrize("name", ALL)
def test_candidates_give_what_the_catalogue_gives_without_the_others(name: str) -> None:
    network, whole = setting(name)
    example = few_histories(whole)
    candidates = some_candidates(network, example)
    assert candidates.count < ITEMS and (candidates.correction > 0).any()
    outputs = network(example.batch)
    correction = torch.full((ITEMS,), -torch.inf)
    correction[candidates.items] = candidates.correction
    target = PosteriorTarget(example.items, example.counts, 0.0, torch.ones(ITEMS), (1.0, 0.0, 0.0), None)
    expected = fused_cross_entropy(
        outputs.hidden, outputs.table, outputs.parts, target, example.mask, block_elements=500, correction=correction
    )
    assert_same(network, expected, network.loss(replace(example, candidates=candidates), objective()))


def test_rows_of_many_named_items_are_the_same_as_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    network, whole = setting("top k")
    example = few_histories(whole)
    example = replace(example, candidates=some_candidates(network, example))
    losses = []
    for share in (0.0, 2.0):
        monkeypatch.setattr("attrformer.nn.candidate_rows.FEW", share)
        losses.append(network.loss(example, objective()))
    assert_same(network, *losses)


def test_the_gradient_of_item_embeddings_has_the_rows_that_are_read() -> None:
    network, whole = setting("top k")
    example = few_histories(whole)
    candidates = some_candidates(network, example)
    network.zero_grad(set_to_none=True)
    network.loss(replace(example, candidates=candidates), objective()).backward()
    gradient = network.table.item.grad
    assert gradient is not None and gradient.is_sparse
    assert gradient.coalesce().indices()[0].tolist() == sorted(candidates.read.tolist())


def test_candidates_are_distinct_and_certain_ones_have_no_correction() -> None:
    places = torch.full((11,), 11, dtype=torch.int32)
    chance = torch.log(torch.tensor([0.5, 0.5, 0.25, 0.1, 0.25]))
    found = candidates_of(torch.tensor([2, 5]), torch.tensor([7, 7, 1, 5, 1]), chance, torch.tensor([5, 9, 9]), places)
    assert found.items.tolist() == [1, 2, 5, 7] and found.read.tolist() == [1, 2, 5, 7, 9]
    torch.testing.assert_close(found.correction.exp(), torch.tensor([4.0, 1.0, 1.0, 2.0]))
    assert found.rows(torch.tensor([9, 5, 10, 0])).tolist() == [4, 2, 5, 5]
    places_among, inside = found.among(torch.tensor([7, 9, 10]))
    assert places_among.tolist() == [3, 0, 0] and inside.tolist() == [True, False, False]
    forget(found)
    assert places.tolist() == [11] * 11


def test_a_contribution_that_cannot_be_restricted_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"object cannot be computed .* training\.loss=full"):
        restricted(object(), every_item(3))


def test_a_contribution_from_outside_restricts_itself() -> None:
    class Own:
        def restricted(self, candidates: Candidates) -> int:
            return candidates.count

    assert restricted(Own(), every_item(3)) == 3
