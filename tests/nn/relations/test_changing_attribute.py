"""Attributes that change in time against their formula, and against later changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.builders import contributions, everywhere, example_of, head_values, network_of, part_of, touched
from tests.nn import plain
from tests.relations.builders import NONE, categorical, relations_of
from tests.relations.changing import changing_shop, later, values_then, with_changes
from torch import Tensor

from attrformer.csr import offsets_of
from attrformer.data.attributes import AttributeKind
from attrformer.data.changing_attributes import ChangingAttribute
from attrformer.models.attrformer import AttrFormerConfig, AttrFormerNetwork
from attrformer.models.relation_leak_check import _other_items, _Subject
from attrformer.nn.batch import Batch, Example
from attrformer.nn.changing_values import ChangingContribution, states_of
from attrformer.nn.contributions import ContributionInputs
from attrformer.nn.fused_loss import PosteriorTarget, fused_cross_entropy
from attrformer.nn.losses import Objective
from attrformer.nn.relations.base import RECENCY_DECAY
from attrformer.nn.relations.changing_attribute import ChangingAttributeModule
from attrformer.relations.build import relations_from, sources_of
from attrformer.relations.changing_attribute import ChangingAttributeRelation
from attrformer.relations.relation_set import RelationSet

DATA = changing_shop()
RELATIONS = relations_of(DATA)
ALONE = relations_of(DATA, similar_users=False)
USERS = [6, 12, 18, 24, 30, 36]
CONTEXTS = DATA.sequences.rows(np.array(USERS))
EPSILON = AttrFormerConfig().epsilon
NAMES = ["item_state", "item_cost"]
times = st.integers(0, 12)
lists_of_changes = st.lists(st.tuples(st.integers(0, 3), times, st.integers(0, 2)), max_size=25)


def module_of(network: AttrFormerNetwork, name: str = "item_state") -> ChangingAttributeModule:
    module = network.relations[name]
    assert isinstance(module, ChangingAttributeModule)
    return module


def relation_of(name: str = "item_state", relations: RelationSet = RELATIONS) -> ChangingAttributeRelation:
    relation = relations[name]
    assert isinstance(relation, ChangingAttributeRelation)
    return relation


def code_then(relation: ChangingAttributeRelation, item: int, time: int) -> int:
    """The value code of an item at a time, by looking through its changes."""
    held = -1
    for change in range(int(relation.offsets[item]), int(relation.offsets[item + 1])):
        if relation.times[change] <= time:
            held = int(relation.codes[change])
    return held


@pytest.mark.parametrize("name", NAMES)
def test_before_learning_evidence_counts_items_that_have_now_what_those_of_the_history_had(name: str) -> None:
    relation = relation_of(name)
    assert CONTEXTS.times is not None
    network = network_of(RELATIONS, shaken=False).eval()
    found = contributions(network, everywhere(RELATIONS, CONTEXTS, USERS))[name].detach().numpy()
    some = 0
    for row in range(len(USERS)):
        start, end = CONTEXTS.offsets[row : row + 2]
        items, when = CONTEXTS.items[start:end].tolist(), CONTEXTS.times[start:end].tolist()
        for place in range(len(items)):
            now = [code_then(relation, item, when[place]) for item in range(DATA.item_count)]
            evidence = np.zeros(DATA.item_count)
            for s in range(place + 1):
                own = code_then(relation, items[s], when[s])
                same = np.array([code == own and own >= 0 for code in now])
                evidence += RECENCY_DECAY ** (place - s) * same * (relation.diagonal[own] if own >= 0 else 0)
            np.testing.assert_allclose(found[row, place], np.log1p(evidence / EPSILON), rtol=1e-3, atol=1e-4)
            some += int((evidence > 0).sum())
    assert some > 100


def test_codes_are_those_of_the_values_at_the_time() -> None:
    relation, attribute = relation_of(), DATA.item_changes["state"]
    for time in np.linspace(attribute.times.min() - 1, attribute.times.max() + 1, 9).astype(int).tolist():
        values = [values_then(attribute, item, time) for item in range(DATA.item_count)]
        wanted = [relation.labels.index(value) if value in relation.labels else -1 for value in values]
        assert relation.values_at(time).tolist() == wanted


@settings(max_examples=50)
@given(lists_of_changes, st.lists(times, min_size=1, max_size=6), st.integers(1, 40))
def test_following_changes_gives_what_searching_gives(
    changes: list[tuple[int, int, int]], asked: list[int], kept: int
) -> None:
    rows = sorted({(item, time): code for item, time, code in changes}.items())
    owner = np.array([item for (item, _), _ in rows], np.int64)
    offsets = offsets_of(np.bincount(owner, minlength=4))
    when, codes = np.array([t for (_, t), _ in rows], np.int64), np.array([code for _, code in rows], np.int64)
    relation = replace(relation_of(), offsets=offsets, times=when, codes=np.where(codes == 2, -1, codes))
    relation = replace(relation, labels=("a", "b"), diagonal=np.ones(2, np.float32))
    module = ChangingAttributeModule(relation, 0, module_of(network_of(RELATIONS)).gate, None)  # type: ignore[arg-type]
    searched = replace(module.table, states=None)
    followed = replace(module.table, states=states_of(offsets, when, codes, 2, kept))
    ranks = searched.ranks(torch.tensor(asked))
    wanted = [[2 if (code := code_then(relation, item, time)) < 0 else code for item in range(4)] for time in asked]
    assert searched.catalogue(ranks).tolist() == wanted
    assert followed.catalogue(ranks).tolist() == wanted


def test_an_attribute_that_never_changes_is_read_as_one_of_the_items_table() -> None:
    brands = [None if item % 6 == 5 else f"b{item % 4}" for item in range(DATA.item_count)]
    attribute = categorical("brand", brands)
    always = ChangingAttribute(
        "state",
        AttributeKind.CATEGORICAL,
        attribute.offsets,
        np.zeros(len(attribute.codes), np.int64),
        attribute.codes,
        attribute.vocabulary,
        np.empty(0),
    )
    data = with_changes(replace(DATA, item_attributes={"brand": attribute}), always)
    relations = relations_of(data, base=NONE, item_attributes=("brand",))
    network = network_of(relations)
    first, second = network.relations["item_brand"], network.relations["item_state"]
    second.load_state_dict(first.state_dict())
    batch = everywhere(relations, CONTEXTS, USERS)
    found = contributions(network, batch)
    np.testing.assert_allclose(relation_of(relations=relations).diagonal, relations.features["brand"].diagonal, 1e-6)
    gate, other = (module.gate(torch.ones(1, 1, 16)).detach() for module in (first, second))
    assert float(gate) == float(other)
    torch.testing.assert_close(found["item_brand"], found["item_state"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(head_values(network, "item_brand", batch), head_values(network, "item_state", batch))
    items = torch.arange(5)
    torch.testing.assert_close(first.related(items), second.related(items))
    torch.testing.assert_close(
        first.values_between(
            replace(batch, target_positions=batch.target_positions[:, -1:]), items.expand(len(USERS), -1)
        ),
        second.values_between(
            replace(batch, target_positions=batch.target_positions[:, -1:]), items.expand(len(USERS), -1)
        ),
    )


@pytest.mark.parametrize("elements", [1, 500, 1 << 20])
@pytest.mark.parametrize("relation", [None, 0])
@pytest.mark.parametrize("single", [False, True])
def test_gradients_by_hand_are_those_of_automatic_differentiation(
    elements: int, relation: int | None, single: bool
) -> None:
    network, example = network_of(RELATIONS), example_of(DATA, RELATIONS)
    batch = example.batch
    if single:
        batch = replace(batch, target_positions=batch.target_positions[:, -1:])
        example = replace(
            example, items=example.items[:, -1:], counts=example.counts[:, -1:], mask=example.mask[:, -1:]
        )
    torch.manual_seed(3)
    part, weights = part_of(network, "item_state", batch)
    assert isinstance(part, ChangingContribution)
    weights = weights.detach().requires_grad_()
    gate = torch.rand(*batch.target_positions.shape).requires_grad_()
    hidden = torch.randn(*batch.target_positions.shape, 3).requires_grad_()
    items = DATA.item_count
    table = torch.randn(items, 3).requires_grad_()
    target = PosteriorTarget(
        example.items, example.counts, 0.3, torch.full((items,), 1 / items), (0.4, 0.3, 0.3), relation
    )
    pairs = [(part, ContributionInputs(weights, gate))]
    found = fused_cross_entropy(hidden, table, pairs, target, example.mask, block_elements=elements)
    codes = part.codes(slice(0, len(batch.items)))
    evidence = torch.cat([weights, torch.zeros(*weights.shape[:2], 1)], 2).double().gather(2, codes)
    prior = None if relation is None else evidence.detach()
    values = plain.logits(hidden, table, [(gate, evidence)])
    expected = plain.cross_entropy(values, plain.posterior(target, items, prior), example.mask)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)
    leaves = [hidden, table, weights, gate]
    for mine, theirs in zip(torch.autograd.grad(found, leaves), torch.autograd.grad(expected, leaves), strict=True):
        torch.testing.assert_close(mine, theirs.float(), rtol=1e-4, atol=1e-7)


def gradients_of(network: AttrFormerNetwork, batch: Batch) -> dict[str, Tensor]:
    """The training loss of a batch, and its gradient by the name of each parameter."""
    popularity = torch.from_numpy(RELATIONS.popularity / RELATIONS.popularity.sum())
    objective = Objective(popularity, 0.2, (0.4, 0.3, 0.3), 1 << 20, torch.float32)
    shape = (*batch.target_positions.shape, 1)
    upcoming, counts, mask = torch.ones(shape, dtype=torch.long), torch.ones(shape), torch.ones(shape[:2])
    loss = network.loss(Example(batch, upcoming, counts, mask, torch.ones(1, dtype=torch.long)), objective)
    names = [name for name, _ in network.named_parameters()]
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return {"loss": loss.detach()} | {name: one for name, one in zip(names, found, strict=True) if one is not None}


@settings(max_examples=25)
@given(
    st.integers(0, 9),
    st.lists(st.tuples(st.integers(0, 29), times, st.sampled_from(["s0", "s1", "s3", None])), max_size=20),
)
def test_no_later_change_changes_a_score_or_a_gradient(place: int, changes: list[tuple[int, int, str | None]]) -> None:
    assert CONTEXTS.times is not None
    contexts = CONTEXTS.rows(np.array([3]))
    assert contexts.times is not None
    place = min(place, len(contexts.items) - 1)
    now = int(contexts.times[place])
    attribute = DATA.item_changes["state"]
    other = later(attribute, now, [(item, now + 1 + step, value) for item, step, value in changes])
    # What values there are is known from training; what they are at a later time is not.
    relation = relation_of()
    codes = [relation.labels.index(name) if name in relation.labels else -1 for name in other.vocabulary]
    renumbered = np.array([*codes, -1])[other.codes]
    changed = replace(relation, offsets=other.offsets, times=other.times, codes=renumbered)
    relations = ALONE.replaced([changed])
    batch = replace(everywhere(ALONE, contexts, [USERS[3]]), target_positions=torch.arange(place + 1).unsqueeze(0))
    first, second = (network_of(each).eval() for each in (ALONE, relations))
    before, after = (contributions(network, batch) for network in (first, second))
    for name, values in before.items():
        assert torch.equal(values, after[name]), name
    assert torch.equal(first(batch).hidden, second(batch).hidden)
    gradients, others = gradients_of(first, batch), gradients_of(second, batch)
    assert gradients.keys() == others.keys() and len(gradients) > 20
    for name, value in gradients.items():
        assert torch.equal(value, others[name]), name


def test_a_change_at_the_time_of_the_latest_interaction_is_known() -> None:
    relation = relation_of()
    for step, known in ((0, True), (1, False)):
        contexts = CONTEXTS.rows(np.array([0]))
        assert contexts.times is not None
        when = int(contexts.times[-1]) + step
        items = DATA.item_count
        moved = replace(
            relation,
            offsets=np.arange(items + 1),
            times=np.full(items, when),
            codes=np.zeros(items, np.int64),
        )
        relations = RELATIONS.replaced([moved])
        found = contributions(network_of(relations).eval(), everywhere(relations, contexts, [0]))["item_state"][0, -1]
        assert bool((found > 0).all()) == known


def test_a_history_without_times_sees_the_latest_values() -> None:
    module = module_of(network_of(RELATIONS))
    batch = replace(everywhere(RELATIONS, CONTEXTS, USERS), times=None)
    values = relation_of().values_at()
    wanted = np.append(np.where(values < 0, module.values, values), module.values)[batch.items.numpy()]
    assert module.history_values(batch).tolist() == wanted.tolist()


def test_what_is_learned_gets_its_gradient_from_its_own_relation() -> None:
    network, batch = network_of(RELATIONS), everywhere(RELATIONS, CONTEXTS, USERS)
    names = touched(network, part_of(network, "item_state", batch)[1])
    assert {name.split(".")[1] for name in names} == {"item_state"}
    assert {name.rpartition(".")[2] for name in names} >= {"log_diagonal", "left", "right"}


def test_attention_reads_what_each_item_had_when_it_was_taken() -> None:
    network, batch = network_of(RELATIONS, low_rank=0), everywhere(RELATIONS, CONTEXTS, USERS)
    relation, module = relation_of(), module_of(network)
    values = head_values(network, "item_state", batch)
    assert CONTEXTS.times is not None
    row, diagonal = 2, module.log_diagonal.exp().tolist()
    start, end = CONTEXTS.offsets[row : row + 2]
    own = [code_then(relation, int(CONTEXTS.items[at]), int(CONTEXTS.times[at])) for at in range(start, end)]
    for t, mine in enumerate(own):
        for s, other in enumerate(own):
            wanted = diagonal[mine] if mine == other and mine >= 0 else 0.0
            assert values[row, t, s].item() == pytest.approx(float(np.log1p(wanted / EPSILON)), rel=1e-4)


def test_it_passes_the_tests_of_relations_from_outside() -> None:
    options = replace(NONE, changing_attributes=None, folds=2)
    sources = sources_of(DATA, DATA.sequences, options, 0)
    relations = relations_from(sources, options)
    assert list(relations) == ["item_state", "item_cost"]
    for name in relations:
        subject = _Subject(name, relations, sources)
        subject.check_values()
        subject.check_future()
        subject.check_parameters()
        subject.check_saving()
        subject.check_own_user(relations_from(replace(sources, train=_other_items(sources, 0)), options), 0)
