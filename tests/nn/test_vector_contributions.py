"""The hand-written gradients of learned pairs are those of automatic differentiation of the formula."""

from __future__ import annotations

import pytest
import torch
from tests.models.builders import example_of, network_of
from tests.nn import plain
from tests.nn.objective_settings import Setting, target_of
from tests.relations.builders import relations_of, shop
from tests.support.vector_shop import with_vectors
from torch import Tensor

from attrformer.nn import vector_contributions
from attrformer.nn.contributions import ContributionInputs
from attrformer.nn.copies import LowCopies
from attrformer.nn.fused_loss import fused_cross_entropy, score_catalogue
from attrformer.nn.relations.item_vector import VectorModule
from attrformer.nn.vector_contributions import kept_products, packed, unpacked

NAME = "item_picture"
ITEMS = 30
SETTINGS = {"dense": {}, "kept": {"dense_items": 0, "top_k": 7}}


@pytest.fixture(params=list(SETTINGS))
def setting(request: pytest.FixtureRequest) -> Setting:
    vectors = torch.randn(ITEMS, 6, generator=torch.Generator().manual_seed(3)).numpy()
    vectors[4] = float("nan")
    data = with_vectors(shop(), vectors)
    relations = relations_of(data, item_attributes=("picture",), **SETTINGS[request.param])
    return Setting(relations, network_of(relations), example_of(data, relations))


def module_of(setting: Setting) -> VectorModule:
    module = setting.network.relations[NAME]
    assert isinstance(module, VectorModule)
    return module


def values_of(module: VectorModule, pairs: Tensor, items: Tensor) -> Tensor:
    """R(i_s, j) from what was packed, by plain operations in double precision, `[b, s, items]`."""
    if module.kept is None:
        values = (pairs.double() @ module.vectors.double().t()).clamp_min(0.0)
        return values * (items.unsqueeze(2) != torch.arange(ITEMS))
    kept = module.kept[items.clamp_max(ITEMS - 1)].long()
    one_hot = torch.nn.functional.one_hot(kept.clamp_min(0), ITEMS) * (kept >= 0).unsqueeze(3)
    return (one_hot.double() * pairs.double().unsqueeze(3)).sum(2)


@pytest.mark.parametrize("single", [False, True], ids=["all places", "one place"])
@pytest.mark.parametrize("relation", [None, 0], ids=["plain prior", "prior of the relation"])
@pytest.mark.parametrize("limit", [1, 200, 1 << 22])
def test_loss_and_gradients_equal_plain(
    setting: Setting, single: bool, relation: int | None, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_contributions, "_ELEMENTS", limit)
    monkeypatch.setattr(vector_contributions, "_SHARED", limit)
    outputs, example = setting.network(setting.example.batch), setting.example
    part, inputs = dict(zip(outputs.names, outputs.parts, strict=True))[NAME]
    items, module = example.batch.items, module_of(setting)
    weights, pairs = unpacked(inputs, items.shape[1])
    cut = slice(-1, None) if single else slice(None)
    leaves = [t.detach().clone().requires_grad_() for t in (weights[:, cut], pairs, inputs.gate[:, cut])]
    hidden, table = (outputs.hidden[:, cut] * 0.5).detach(), outputs.table.detach()
    target = target_of(setting, relation, (0.5, 0.2, 0.3), 0.4)
    target = type(target)(
        target.items[:, cut], target.counts[:, cut], 0.4, target.popularity, target.mixture, target.relation
    )
    mask = torch.ones_like(example.mask[:, cut])

    spoken = leaves[0].double() @ values_of(module, leaves[1], items)
    expected_logits = plain.logits(hidden, table, [(leaves[2], spoken)])
    prior = plain.posterior(target, ITEMS, spoken.detach() if relation == 0 else None)
    expected = plain.cross_entropy(expected_logits, prior, mask)
    right = torch.autograd.grad(expected, leaves)

    both = packed(leaves[0], leaves[1])
    found = fused_cross_entropy(
        hidden, table, [(part, ContributionInputs(both, leaves[2]))], target, mask, block_elements=900
    )
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    for name, mine, wanted in zip(("weights", "pairs", "gate"), torch.autograd.grad(found, leaves), right, strict=True):
        # What stands for no item (padding, a missing vector, an unused place) gets a gradient that goes nowhere.
        leaf = {"weights": leaves[0], "pairs": leaves[1]}.get(name, torch.ones_like(mine))
        here = leaf.detach() != 0
        torch.testing.assert_close(mine[here], wanted[here], rtol=1e-4, atol=1e-7, msg=name)

    scores = score_catalogue(hidden, table, [(part, ContributionInputs(both.detach(), leaves[2].detach()))])
    torch.testing.assert_close(scores.double(), expected_logits.detach(), rtol=1e-5, atol=1e-5)


def test_gradients_reach_every_parameter_of_the_metric(setting: Setting) -> None:
    outputs = setting.network(setting.example.batch)
    target = target_of(setting, None, (0.0, 0.5, 0.5), 0.0)
    loss = fused_cross_entropy(outputs.hidden, outputs.table, outputs.parts, target, setting.example.mask)
    loss.backward()
    for name, parameter in module_of(setting).named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_the_threshold_lowers_what_is_said(setting: Setting) -> None:
    module, batch = module_of(setting), setting.example.batch
    items = torch.arange(ITEMS)
    related = module.related(items)
    assert related is not None
    with torch.no_grad():
        module.threshold += 0.2
    higher = module.related(items)
    assert higher is not None and (higher <= related).all() and higher.sum() < related.sum()
    torch.testing.assert_close(higher[related > 0.2], related[related > 0.2] - 0.2, rtol=1e-4, atol=1e-5)
    assert (module.attention_values(batch, module.lookup(batch), None) >= 0).all()


def test_products_in_bfloat16_are_the_same_up_to_rounding(setting: Setting) -> None:
    outputs, mask = setting.network(setting.example.batch), setting.example.mask
    part, inputs = dict(zip(outputs.names, outputs.parts, strict=True))[NAME]
    leaves = [tensor.detach().clone().requires_grad_() for tensor in (inputs.weights, inputs.gate)]
    target = target_of(setting, None, (0.0, 0.5, 0.5), 0.0)
    fixed = outputs.hidden.detach(), outputs.table.detach()
    losses = [
        fused_cross_entropy(*fixed, [(part, ContributionInputs(*leaves))], target, mask, copies=copies)
        for copies in (None, LowCopies(torch.bfloat16))
    ]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=5e-3)
    exact, rough = (torch.autograd.grad(loss, leaves)[0] for loss in losses)
    assert torch.nn.functional.cosine_similarity(exact.flatten(), rough.flatten(), 0) > 0.99


@pytest.mark.parametrize("limit", [1, 1 << 20])
def test_kept_products_and_their_gradient(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_contributions, "_ELEMENTS", limit)
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(5, 3, generator=generator, requires_grad=True)
    table, kept = torch.randn(8, 3, generator=generator), torch.randint(8, (5, 4), generator=generator)
    found, plainly = kept_products(queries, table, kept), (table[kept] @ queries.unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(found, plainly)
    upstream = torch.randn(5, 4, generator=generator)
    mine, wanted = (torch.autograd.grad(each, queries, upstream)[0] for each in (found, plainly))
    torch.testing.assert_close(mine, wanted)


def test_packing_is_undone() -> None:
    weights, pairs = torch.randn(2, 3, 4), torch.randn(2, 4, 5)
    again = unpacked(ContributionInputs(packed(weights, pairs), torch.zeros(2, 3)), 4)
    assert torch.equal(again[0], weights) and torch.equal(again[1], pairs)
