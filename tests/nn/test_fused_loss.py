from __future__ import annotations

import gc
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.builders import example_of, network_of
from tests.nn import plain
from tests.nn.objective_settings import ITEMS, NAMES, Leaves, Setting, leaves_of, shared_setting, target_of
from tests.relations.builders import relations_of, shop
from torch import Tensor

from attrformer.nn.batch import NeighbourBatch
from attrformer.nn.contributions import DenseBlock, EntryBlock, UnionBlock
from attrformer.nn.copies import LowCopies
from attrformer.nn.fused_loss import PosteriorTarget, fused_cross_entropy, score_catalogue
from attrformer.training.config import TargetConfig

SETTINGS = {"dense": {}, "sparse": {"dense_items": 0, "top_k": 7}}


@pytest.fixture(scope="module", params=list(SETTINGS))
def setting(request: pytest.FixtureRequest) -> Setting:
    data = shop()
    relations = relations_of(data, **SETTINGS[request.param])
    assert (relations.rows["cooccurrence_near"].dense is None) == (request.param == "sparse")
    example = example_of(data, relations, target=TargetConfig(window=3))
    return Setting(relations, network_of(relations), example)


def plain_loss(setting: Setting, leaves: Leaves, target: PosteriorTarget, mask: Tensor) -> Tensor:
    batch = setting.example.batch
    spoken = [
        (gate, plain.evidence(setting.relations, name, batch, weights))
        for name, weights, gate in zip(leaves.names, leaves.weights, leaves.gates, strict=True)
    ]
    relation = None if target.relation is None else spoken[target.relation][1].detach()
    values = plain.logits(leaves.hidden, leaves.table, spoken)
    return plain.cross_entropy(values, plain.posterior(target, ITEMS, relation), mask)


def compare(setting: Setting, leaves: Leaves, target: PosteriorTarget, mask: Tensor, elements: int) -> None:
    expected = plain_loss(setting, leaves, target, mask)
    found = fused_cross_entropy(leaves.hidden, leaves.table, leaves.pairs(), target, mask, block_elements=elements)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    right = leaves.gradients(expected)
    for name, gradient in leaves.gradients(found).items():
        assert gradient.shape == right[name].shape
        # A place without weight (padding, no neighbour) stands for no item, so its gradient goes nowhere.
        here = leaves.all()[name] != 0 if name.startswith("weights") else torch.ones_like(gradient, dtype=torch.bool)
        difference = (gradient - right[name])[here].abs().max()
        assert difference <= 1e-5 * right[name].abs().max() + 1e-7, name


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True], ids=["each", "shared"])
@pytest.mark.parametrize("name", NAMES)
def test_one_part_fused_equals_plain(name: str, shared: bool, setting: Setting) -> None:
    leaves = leaves_of(setting, [name], shared)
    compare(setting, leaves, target_of(setting, None, (0.0, 0.5, 0.5), 0.3), setting.example.mask, 2000)


def at_one_place(setting: Setting) -> Setting:
    """The same histories, each asked about once: as every answer does it."""
    example, batch = setting.example, setting.example.batch
    found = batch.similar_users
    assert found is not None
    neighbours = NeighbourBatch(*(part[:, -1:] for part in (found.users, found.similarity, found.following)))
    batch = replace(batch, target_positions=batch.target_positions[:, -1:], similar_users=neighbours)
    rest = {name: getattr(example, name)[:, -1:] for name in ("items", "counts", "mask")}
    return replace(setting, example=replace(example, batch=batch, **rest))


@pytest.mark.parametrize("relation", [None, 0])
@pytest.mark.parametrize("name", NAMES)
def test_one_part_at_a_single_place_equals_plain(name: str, relation: int | None, setting: Setting) -> None:
    single = at_one_place(setting)
    leaves = leaves_of(single, [name], False)
    target = target_of(single, relation, (0.4, 0.3, 0.3), 0.3)
    compare(single, leaves, target, torch.ones_like(single.example.mask), 2000)


@pytest.mark.parametrize("elements", [1, 500, 3000, 1 << 20])
def test_all_parts_fused_equal_plain_at_every_block_size(elements: int, setting: Setting) -> None:
    leaves = leaves_of(setting, NAMES, False)
    compare(setting, leaves, target_of(setting, 0, (0.6, 0.3, 0.1), 0.3), setting.example.mask, elements)


@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_without_parts_fused_equals_plain(strength: float, setting: Setting) -> None:
    leaves = leaves_of(setting, [], False)
    mask = setting.example.mask.clone()
    mask[:, 1::3] = 0.0
    compare(setting, leaves, target_of(setting, None, (0.0, 0.5, 0.5), strength), mask, 500)


@pytest.mark.parametrize(
    "relation",
    [
        "cooccurrence_near",
        "cooccurrence_wide",
        "edge_also",
        "user_region",
        "repeat",
        "similar_users",
        "item_brand",
        "item_tags",
    ],
)
def test_every_relation_can_give_the_prior(relation: str, setting: Setting) -> None:
    leaves = leaves_of(
        setting, ["cooccurrence_near", relation] if relation != "cooccurrence_near" else ["cooccurrence_near"], False
    )
    target = target_of(setting, leaves.names.index(relation), (1.0, 0.0, 0.0), 0.5)
    compare(setting, leaves, target, setting.example.mask, 2000)


@pytest.mark.slow
@given(
    st.sampled_from([(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.2, 0.3, 0.5)]),
    st.sampled_from([0.0, 0.15, 2.0]),
    st.integers(0, 99),
)
def test_any_mask_and_mixture_fused_equals_plain(
    mixture: tuple[float, float, float], strength: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    fixed = shared_setting()
    drawn = (torch.rand(fixed.example.mask.shape, generator=generator) < 0.5).float() * fixed.example.mask
    drawn[0, 0] = 1.0
    leaves = leaves_of(fixed, ["cooccurrence_near", "repeat"], False)
    compare(fixed, leaves, target_of(fixed, 0, mixture, strength), drawn, 700)


def test_masked_places_have_no_gradient(setting: Setting) -> None:
    leaves = leaves_of(setting, NAMES, False)
    mask = setting.example.mask.clone()
    mask[:, 1::2] = 0.0
    loss = fused_cross_entropy(
        leaves.hidden, leaves.table, leaves.pairs(), target_of(setting, 0, (1.0, 0.0, 0.0), 0.1), mask
    )
    gradients = leaves.gradients(loss)
    assert gradients["hidden"][mask == 1].abs().sum() > 0
    for name in ("hidden", *(f"gate {name}" for name in NAMES)):
        assert not gradients[name][mask == 0].any(), name


def test_the_gradient_scales_with_what_comes_from_above() -> None:
    leaves = leaves_of(shared_setting(), ["cooccurrence_near"], False)
    target = target_of(shared_setting(), 0, (1.0, 0.0, 0.0), 0.1)
    losses = [
        fused_cross_entropy(leaves.hidden, leaves.table, leaves.pairs(), target, shared_setting().example.mask)
        for _ in range(2)
    ]
    once, more = leaves.gradients(losses[0]), leaves.gradients(losses[1] * 2.5)
    for name, gradient in once.items():
        torch.testing.assert_close(more[name], gradient * 2.5)


@pytest.mark.parametrize("copies", [None, LowCopies(torch.bfloat16)], ids=["content", "content and tables"])
def test_bfloat16_products_equal_plain_up_to_rounding(copies: LowCopies | None, setting: Setting) -> None:
    leaves = leaves_of(setting, NAMES, False)
    target, mask = target_of(setting, 0, (1.0, 0.0, 0.0), 0.15), setting.example.mask
    expected = plain_loss(setting, leaves, target, mask)
    options = {"block_elements": 3000, "precision": torch.bfloat16, "copies": copies}
    found = fused_cross_entropy(leaves.hidden, leaves.table, leaves.pairs(), target, mask, **options)
    torch.testing.assert_close(found.double(), expected, rtol=1e-2, atol=0)
    right = leaves.gradients(expected)
    for name, gradient in leaves.gradients(found).items():
        here = leaves.all()[name] != 0 if name.startswith("weights") else torch.ones_like(gradient, dtype=torch.bool)
        error = (gradient - right[name])[here].norm() / right[name][here].norm()
        assert gradient.dtype == torch.float32
        assert error < 0.03, name


def test_catalogue_scores_equal_the_plain_logits(setting: Setting) -> None:
    leaves = leaves_of(setting, NAMES, False)
    batch = setting.example.batch
    spoken = [
        (gate, plain.evidence(setting.relations, name, batch, weights))
        for name, weights, gate in zip(NAMES, leaves.weights, leaves.gates, strict=True)
    ]
    expected = plain.logits(leaves.hidden, leaves.table, spoken)
    for elements in (1, 1000, 1 << 20):
        found = score_catalogue(leaves.hidden, leaves.table, leaves.pairs(), block_elements=elements)
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_step_leaves_nothing_to_the_garbage_collector(setting: Setting) -> None:
    outputs = setting.network(setting.example.batch)
    target = target_of(setting, 0, (1.0, 0.0, 0.0), 0.2)
    gc.collect()
    gc.disable()
    try:
        fused_cross_entropy(outputs.hidden, outputs.table, outputs.parts, target, setting.example.mask).backward()
        # What such an object holds, it would hold until some later step.
        assert not [kept for kept in gc.get_objects() if type(kept) in (DenseBlock, EntryBlock, UnionBlock)]
    finally:
        gc.enable()
