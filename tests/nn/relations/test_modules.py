"""Catalogue evidence against its formula: g * log(1 + sum over s <= t of beta(t, s) R(i_s, j) / eps)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.models.builders import contributions, everywhere, network_of
from tests.relations.builders import multi, relations_of, shop
from torch.nn.functional import softplus

from attrformer.data.attributes import AttributeKind
from attrformer.models.attrformer import AttrFormerConfig
from attrformer.nn.relations.base import RECENCY_DECAY, ContributingModule, Gate
from attrformer.nn.relations.item_attribute import MANY_VALUES, ItemAttributeModule, _group, _slots
from attrformer.nn.relations.row_table import OWN_RECENCY_DECAY
from attrformer.nn.tables import FeatureGroups
from attrformer.relations.item_attribute import item_attribute_relation
from attrformer.relations.relation_set import RelationSet

DATA = shop()
EPSILON = AttrFormerConfig().epsilon
USERS = list(range(6))
START_GATE = 1.0
DECAYS = {"cooccurrence_near": RECENCY_DECAY, **OWN_RECENCY_DECAY, "edge_also": RECENCY_DECAY}
DECAYS |= {name: RECENCY_DECAY for name in ("item_brand", "item_tags", "item_price")}


def row(relations: RelationSet, name: str, item: int) -> NDArray[np.float32]:
    if name in relations.rows:
        return relations.rows[name].row(item)
    return relations.features[name.removeprefix("item_")].row(item)


@pytest.mark.parametrize("name", sorted(DECAYS))
def test_before_learning_evidence_is_the_decayed_sum_of_relation_rows(name: str) -> None:
    relations = relations_of(DATA)
    network = network_of(relations, shaken=False).eval()
    contexts = DATA.sequences.rows(np.array(USERS))
    found = contributions(network, everywhere(relations, contexts, USERS))[name]
    for user in USERS:
        history = contexts.row(user).tolist()
        for place in range(len(history)):
            rows = [row(relations, name, item).astype(np.float64) for item in history[: place + 1]]
            evidence = sum(DECAYS[name] ** (place - s) * rows[s] for s in range(place + 1))
            expected = START_GATE * np.log1p(evidence / EPSILON)
            np.testing.assert_allclose(found[user, place], expected, rtol=1e-3, atol=1e-4)


def test_user_evidence_is_the_log_lift_of_the_users_value() -> None:
    relations = relations_of(DATA)
    network = network_of(relations, shaken=False).eval()
    found = contributions(network, everywhere(relations, DATA.sequences.rows(np.arange(8)), list(range(8))))[
        "user_region"
    ]
    region = relations.users["region"]
    for user in range(8):
        expected = np.log1p(region.lift.row(int(region.codes[user])))
        np.testing.assert_allclose(found[user], np.broadcast_to(expected, found[user].shape), rtol=1e-5, atol=1e-6)
    # User 6 has no region.
    assert not found[6].any() and found[0].any()


def test_training_reads_the_rows_of_the_given_fold() -> None:
    relations = relations_of(DATA)
    network = network_of(relations, shaken=False).eval()
    batch = everywhere(relations, DATA.sequences.rows(np.arange(3)), [0, 1, 2])
    batch.folds[:] = torch.tensor([0, 1, 2])
    found = contributions(network, batch)
    for user in range(3):
        first = int(batch.items[user, 0])
        expected = np.log1p(relations.rows["cooccurrence_near"].row(first, user) / EPSILON)
        np.testing.assert_allclose(found["cooccurrence_near"][user, 0], expected, rtol=1e-4, atol=1e-5)
        code = int(relations.users["region"].codes[user])
        lift = np.log1p(relations.users["region"].lift.row(code, user))
        np.testing.assert_allclose(found["user_region"][user, 0], lift, rtol=1e-4, atol=1e-5)


def test_identity_speaks_about_the_items_of_the_history_and_no_others() -> None:
    relations = relations_of(DATA)
    network = network_of(relations).eval()
    contexts = DATA.sequences.rows(np.array(USERS))
    found = contributions(network, everywhere(relations, contexts, USERS))["repeat"]
    for user in USERS:
        history = contexts.row(user).tolist()
        for place in range(len(history)):
            assert set(np.flatnonzero(found[user, place].numpy())) == set(history[: place + 1])


def test_low_rank_part_relates_different_values() -> None:
    relations = relations_of(DATA)
    network = network_of(relations, shaken=False)
    module = network.relations["item_brand"]
    assert isinstance(module, ItemAttributeModule) and module.left is not None and module.right is not None
    with torch.no_grad():
        module.left.zero_()
        module.right.zero_()
        module.left[0, 0], module.right[1, 0] = 2.0, 0.5
    brand = relations.features["brand"]
    first = int(np.flatnonzero((brand.codes[:, 0] == 0) & (brand.weights[:, 0] > 0))[0])
    batch = everywhere(relations, DATA.sequences.rows(np.arange(1)), [0])
    batch.items[0, 0] = first
    found = contributions(network, batch)["item_brand"][0, 0]
    strength = np.where(brand.codes[:, 0] == 0, brand.diagonal[0], np.where(brand.codes[:, 0] == 1, 1.0, 0.0))
    expected = np.log1p(strength * brand.weights[:, 0] / EPSILON)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_negative_products_relate_nothing() -> None:
    relations = relations_of(DATA)
    network = network_of(relations, shaken=False)
    module = network.relations["item_tags"]
    assert isinstance(module, ItemAttributeModule) and module.left is not None and module.right is not None
    with torch.no_grad():
        module.left.fill_(-3.0)
        module.right.fill_(3.0)
    assert (module.matrix() >= 0).all()
    batch = everywhere(relations, DATA.sequences.rows(np.arange(4)), list(range(4)))
    values = contributions(network, batch)["item_tags"]
    assert values.isfinite().all() and not values.any()
    assert not module.attention_values(batch, module.lookup(batch), None).any()


@pytest.mark.parametrize("name", ["item_brand", "item_tags", "item_price"])
def test_pairs_of_an_attribute_before_learning(name: str) -> None:
    relations = relations_of(DATA)
    network = network_of(relations, shaken=False)
    batch = everywhere(relations, DATA.sequences.rows(np.arange(4)), list(range(4)))
    module = network.relations[name]
    assert isinstance(module, ItemAttributeModule)
    found = module.attention_values(batch, module.lookup(batch), None)
    for user in range(4):
        history = DATA.sequences.row(user).tolist()
        expected = np.log1p(np.stack([row(relations, name, item)[history] for item in history]) / EPSILON)
        np.testing.assert_allclose(found[user, : len(history), : len(history)].detach(), expected, rtol=1e-4, atol=1e-5)


def test_padding_and_later_positions_weigh_nothing() -> None:
    relations = relations_of(DATA)
    network = network_of(relations)
    batch = everywhere(relations, DATA.sequences.rows(np.arange(8)), list(range(8)))
    later = torch.arange(batch.items.shape[1]) > batch.target_positions.unsqueeze(2)
    nothing = later | (batch.items == DATA.item_count).unsqueeze(1)
    for name in ("cooccurrence_near", "repeat"):
        module = network.relations[name]
        assert isinstance(module, ContributingModule)
        weights = module.weights(batch, network.gaps(batch, batch.target_positions))
        assert not weights[nothing].any() and (weights[~nothing] > 0).all()


def test_gates() -> None:
    hidden = torch.randn(3, 2, 4)
    gate = Gate(4, 0.05)
    torch.testing.assert_close(gate(hidden), torch.full((3, 2), START_GATE))
    assert float(gate.inverse_epsilon().detach()) == pytest.approx(20.0)
    signed = Gate(4, 0.05, signed=True)
    assert not signed(hidden).any()
    with torch.no_grad():
        for one in (gate, signed):
            one.weight.copy_(torch.tensor([5.0, -5.0, 1.0, 0.0]))
            one.bias.fill_(-1.0)
    raw = 5 * hidden[..., 0] - 5 * hidden[..., 1] + hidden[..., 2] - 1
    torch.testing.assert_close(signed(hidden), raw, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gate(hidden), softplus(raw), rtol=1e-5, atol=1e-5)
    assert (gate(hidden) >= 0).all() and (signed(hidden) < 0).any()


@given(st.integers(2, 40), st.integers(1, 3), st.integers(0, 5))
def test_values_read_slot_by_slot_are_those_of_the_whole_product(values: int, most: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.zeros(values, 17)
    for group in range(17):
        chosen = torch.randperm(values, generator=generator)[: int(torch.randint(most + 1, (), generator=generator))]
        features[chosen, group] = torch.rand(len(chosen), generator=generator) + 0.1
    few = torch.cat([features, torch.zeros(MANY_VALUES * most, 17)])
    slots, shares = _slots(few, most)
    assert slots is not None and shares is not None and slots.shape == shares.shape == (most, 17)
    assert _slots(torch.zeros(MANY_VALUES * most - 1, 17), most) == (None, None) == _slots(None, most)
    of_item = torch.zeros(1, dtype=torch.int64)
    plain = FeatureGroups(of_item, few, len(few))
    fast = FeatureGroups(of_item, few, len(few), slots, shares)
    profile, gradient = torch.rand(2, 3, len(few), generator=generator), torch.rand(2, 3, 17, generator=generator)
    torch.testing.assert_close(fast.from_values(profile), plain.from_values(profile))
    torch.testing.assert_close(fast.to_values(gradient), plain.to_values(gradient))
    listed, again = plain.listed(), plain.listed()
    assert listed is not None and again is not None and listed[0] is again[0]
    assert torch.equal(torch.zeros_like(few).scatter_add_(0, *listed), few)
    assert fast.listed() == (slots, shares) and FeatureGroups(of_item, None, len(few)).listed() is None


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from([0.5, 1.0, 4.0])), min_size=3, max_size=9))
def test_items_with_the_same_tags_and_other_scores_are_kept_apart(scores: list[dict[str, float]]) -> None:
    attribute = multi("tags", [sorted(row) for row in scores], AttributeKind.WEIGHTED)
    weights = np.array([row[tag] for row in scores for tag in sorted(row)], dtype=np.float32)
    relation = item_attribute_relation(replace(attribute, weights=weights), buckets=4, max_values=9)
    if relation is None:
        return
    of_item, features = _group(relation)
    if features is None:
        features = torch.cat([torch.eye(len(relation.labels)), torch.zeros(len(relation.labels), 1)], 1)
    np.testing.assert_array_equal(features[:, of_item].T.numpy(), relation.dense())
