"""Newness, fitted after training: against plain formulas, and in everything that a model can do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.recommenders import small_config

from attrformer.columns import COMPONENT, CONTRIBUTION, ITEM, REASON, SCORE, USER
from attrformer.data.dataset import Dataset
from attrformer.data.sample import make_sample
from attrformer.errors import ConfigurationError
from attrformer.nn.relations.newness import DECAY, weight_by_distance
from attrformer.onnx.graph import GraphNetwork
from attrformer.recommender import AttrFormer, Config, Recommender
from attrformer.recommender.newness import (
    GroupSums,
    affordable,
    group_sums,
    history_profile,
    most_likely,
    trade_off,
    with_newness,
)
from attrformer.relations.config import RelationsConfig
from attrformer.relations.newness import GROUPS, NAME, UNTOUCHED, NewnessRelation
from attrformer.retrieval.compiled import compiled_contributions

OPTIONS = ("data.split=time", "training.epochs=1", "relations.similar_users=false")
NEW_OF = f"relations.{NAME}."


@pytest.fixture(scope="module")
def data() -> Dataset:
    """A shop in which every fifth item came in a little before the validation window of a time split."""
    sample = make_sample(0, users=150, items=120)
    rows = sample.interactions
    launch = rows["timestamp"].quantile(0.78)
    late = rows[ITEM].str.slice(-1).is_in(["0", "5"]) & (rows["timestamp"] < launch)
    return Dataset.from_frames(rows.filter(~late), sample.items, sample.users, name="shop", catalogue="all")


@pytest.fixture(scope="module")
def plain(data: Dataset) -> AttrFormer:
    return AttrFormer(small_config(*OPTIONS)).fit(data, progress=False)


@pytest.fixture(scope="module")
def fitted(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = small_config(*OPTIONS, "relations.newness=true")
    folder = tmp_path_factory.mktemp("newness")
    AttrFormer(config).fit(data, progress=False).save(folder / "model")
    return folder / "model"


@pytest.fixture
def model(fitted: Path) -> AttrFormer:
    return AttrFormer.load(fitted)


def relation_of(model: AttrFormer) -> NewnessRelation:
    found = model.fitted.relations[NAME]
    assert isinstance(found, NewnessRelation)
    return found


def parameter(model: AttrFormer, name: str) -> torch.Tensor:
    return dict(model.fitted.network.named_parameters())[f"{NEW_OF}{name}"].detach()


def test_scores_are_those_of_the_plain_model_and_an_offset(model: AttrFormer, plain: AttrFormer, data: Dataset) -> None:
    users = np.arange(20)
    contexts = data.sequences.rows(users)
    groups, pairs, bias = relation_of(model).groups, parameter(model, "pairs").numpy(), parameter(model, "bias").numpy()
    assert np.abs(bias).max() > 0.05 and np.abs(pairs).max() > 0.01
    found = model.fitted.score(users, contexts) - plain.fitted.score(users, contexts)
    longest = model.fitted.config.max_length
    for user in users:
        history = contexts.row(user)[-longest:]
        weights = weight_by_distance(longest).numpy()[: len(history)][::-1]
        offsets = bias + (weights / weights.sum()) @ pairs[groups[history]]
        np.testing.assert_allclose(found[user].numpy(), offsets[groups], atol=1e-4)
    profile = history_profile(contexts, groups, longest)
    expected = torch.from_numpy((bias + profile @ pairs)[:, groups]).float()
    assert torch.allclose(found, expected, atol=1e-4)


def test_an_interaction_counts_less_for_each_step_back() -> None:
    weights = weight_by_distance(50).numpy()
    np.testing.assert_allclose(weights[:12], DECAY ** np.arange(12), rtol=1e-4)
    assert (np.diff(weights) <= 0).all()


def test_what_is_fitted_makes_validation_targets_more_likely(
    model: AttrFormer, plain: AttrFormer, data: Dataset
) -> None:
    targets = small_config(*OPTIONS).data.split_of(data).validation

    def likelihood(one: AttrFormer) -> float:
        scores = one.fitted.score(targets.users.astype(np.int64), targets.contexts)
        return float(torch.log_softmax(scores, 1)[np.arange(len(targets)), targets.items].mean())

    assert likelihood(model) > likelihood(plain) + 0.01
    assert f"newness fitted on {len(targets):,} validation targets" in model.evaluate(data).protocol.line()


def test_sums_of_groups_are_those_of_the_scores(plain: AttrFormer, model: AttrFormer, data: Dataset) -> None:
    targets = small_config(*OPTIONS).data.split_of(data).validation.rows(np.arange(9))
    relation = relation_of(model)
    found = group_sums(plain.fitted, relation, targets)
    scores = plain.fitted.score(targets.users.astype(np.int64), targets.contexts)
    for group in range(GROUPS):
        items = np.flatnonzero(relation.groups == group)
        expected = scores[:, items].exp().sum(1).log() if len(items) else torch.full((9,), -torch.inf)
        np.testing.assert_allclose(found.sums[:, group], expected, rtol=1e-4)
    np.testing.assert_allclose(found.own, scores[np.arange(9), targets.items], rtol=1e-5)


@settings(max_examples=5, deadline=None)
@given(st.floats(-2.0, 2.0))
def test_a_planted_offset_is_recovered(planted: float) -> None:
    draw = np.random.default_rng(0)
    many, sums = 4000, np.full((4000, GROUPS), -np.inf)
    sums[:, [0, 10, 20]] = draw.normal(size=(many, 3))
    profile = np.zeros((many, GROUPS))
    profile[:, 10] = 1.0
    chance = np.exp(sums[:, [0, 10, 20]] + [planted, 0.0, 0.0])
    chance /= chance.sum(1, keepdims=True)
    which = (draw.random(many)[:, None] > chance.cumsum(1)).sum(1)
    group = np.array([0, 10, 20])[which]
    # As if each group were a single item.
    bias, pairs = most_likely(GroupSums(sums, sums[np.arange(many), group], group, profile))
    offsets = bias + pairs[10]
    assert offsets[0] - offsets[[10, 20]].mean() == pytest.approx(planted, abs=0.15)
    untold = np.setdiff1d(np.arange(GROUPS), [0, 10, 20])
    assert np.abs(bias[untold]).max() < 1e-6 and np.abs(pairs[untold]).max() < 1e-6


def test_the_cost_bounds_what_new_items_are_given(plain: AttrFormer, model: AttrFormer, data: Dataset) -> None:
    targets = small_config(*OPTIONS).data.split_of(data).validation
    groups = relation_of(model).groups.copy()
    groups[:30] = 0
    relation = NewnessRelation(groups, np.zeros(len(groups), dtype=np.uint8))
    offsets = np.zeros((len(targets), GROUPS))
    figures = trade_off(plain.fitted, relation, targets, offsets, (1.0, 3.0))
    for added, figure in zip((0.0, 1.0, 3.0), figures, strict=True):
        scores = plain.fitted.score(targets.users.astype(np.int64), targets.contexts)
        scores[:, groups < UNTOUCHED] += added
        rank = (scores >= scores[np.arange(len(targets)), targets.items].unsqueeze(1)).sum(1).numpy()
        gains = np.where(rank <= 20, 1 / np.log2(rank + 1), 0)
        assert figure == pytest.approx(gains.mean(), abs=1e-6)
    rises = [affordable(plain.fitted, relation, targets, offsets, cost) for cost in (0.02, 0.2, 0.9)]
    assert rises == sorted(rises) and rises[0] < rises[2]


def test_a_longer_horizon_raises_items_without_interactions_alone(plain: AttrFormer, data: Dataset) -> None:
    split = small_config(*OPTIONS).data.split_of(data)
    biases = []
    for horizon in (1.0, 3.0):
        options = RelationsConfig(newness=True, newness_horizon=horizon)
        found = with_newness(plain.fitted, data, split, options, 0)
        biases.append(dict(found.network.named_parameters())[f"{NEW_OF}bias"].detach())
        assert ("new items expected 3 times as often" in found.knowledge.selection) == (horizon == 3)
    expected = torch.zeros(GROUPS)
    expected[:UNTOUCHED] = np.log(3.0)
    assert torch.allclose(biases[1] - biases[0], expected, atol=1e-5)


def test_components_sum_to_the_score_and_say_what_is_new(model: AttrFormer, data: Dataset) -> None:
    users = data.user_ids.to_list()[:4]
    model.add_items(_like_known_ones(data))
    told = model.explain(users, items=["new-0", data.item_ids.to_list()[0]])
    sums = told.group_by(USER, ITEM).agg(pl.col(CONTRIBUTION).sum(), pl.col(SCORE).first())
    np.testing.assert_allclose(sums[CONTRIBUTION], sums[SCORE], atol=1e-4)
    of_new = told.filter((pl.col(COMPONENT) == NAME) & (pl.col(ITEM) == "new-0"))
    assert all(reason.startswith("New in the catalogue") for reason in of_new[REASON])
    of_known = told.filter((pl.col(COMPONENT) == NAME) & (pl.col(ITEM) != "new-0"))
    assert all("ong in the catalogue" in reason for reason in of_known[REASON])


def _like_known_ones(data: Dataset) -> pl.DataFrame:
    table = make_sample(0, users=150, items=data.item_count).items.head(2)
    return table.with_columns(pl.Series(ITEM, ["new-0", "new-1"]))


def test_added_items_are_new_until_an_update(model: AttrFormer, data: Dataset) -> None:
    known = relation_of(model).groups
    model.add_items(_like_known_ones(data))
    assert relation_of(model).groups.tolist() == [*known, 0, 0]
    latest = int(data.sequences.times.max())  # type: ignore[union-attr]
    rows = {USER: data.user_ids.to_list()[:4], ITEM: ["new-0"] * 4, "timestamp": [latest + 1] * 4}
    model.update(pl.DataFrame(rows))
    groups = relation_of(model).groups
    assert groups[-2] >= UNTOUCHED and groups[-1] == 0
    assert len(model.recommend(data.user_ids.to_list()[:3], k=5)) == 15


def test_search_and_graph_add_the_same(model: AttrFormer, data: Dataset) -> None:
    users = np.arange(5)
    batch, outputs = model.fitted.outputs(users, data.sequences.rows(users))
    place = outputs.names.index(NAME)
    part, inputs = outputs.parts[place]
    added = torch.zeros(5, 1, data.item_count)
    part.block(slice(None), inputs).add_to(added)
    assert added.abs().max() > 0.05
    items = np.arange(data.item_count)
    for row in users:
        compiled = compiled_contributions(outputs.parts, row)[place]
        np.testing.assert_allclose(compiled.at(items), added[row, 0], atol=1e-5)
        total = np.zeros(data.item_count, dtype=np.float32)
        compiled.add_to(total, np.empty_like(total))
        np.testing.assert_allclose(total, added[row, 0], atol=1e-5)
    module = model.fitted.network.contributing()[NAME]  # type: ignore[operator]
    gaps = model.fitted.network.gaps(batch, batch.target_positions)  # type: ignore[operator]
    weights = module.weights(batch, gaps)
    np.testing.assert_allclose(module.onnx_contribution(batch, None, weights).numpy(), added[:, 0], atol=1e-5)
    graph = GraphNetwork(model.fitted.network)  # type: ignore[arg-type]
    with torch.no_grad():
        _, scores = graph.scores(batch)
    assert torch.allclose(scores, model.fitted.scores_of(outputs), atol=1e-4)


def test_leave_one_out_and_other_models_stay_as_they_are(plain: AttrFormer, data: Dataset) -> None:
    assert NAME not in plain.fitted.relations
    config = Config(model={"name": "popularity"}, relations={"newness": True})
    assert NAME not in Recommender(config).fit(data, progress=False).fitted.relations


def test_held_out_items_are_refused(plain: AttrFormer, data: Dataset) -> None:
    config = small_config("data.split=held-out-items")
    with pytest.raises(ConfigurationError, match=r"relations\.newness"):
        with_newness(plain.fitted, data, config.data.split_of(data), config.relations, 0)
