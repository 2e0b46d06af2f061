"""A model with vectors of items: nothing leaks, sources stay apart, the graph and the index say what the model says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.models.builders import example_of, network_of, part_of, touched
from tests.onnx.test_graph import assert_parity
from tests.relations.builders import SMALL, relations_of, shop
from tests.retrieval.builders import assert_same_answers, histories_of, model_of
from tests.support.vector_shop import with_vectors

from attrformer.data.dataset import Dataset
from attrformer.models.relation_leak_check import _Subject
from attrformer.nn.contributions import ContributionInputs
from attrformer.nn.relations.item_vector import VectorModule
from attrformer.recommender import Recommender
from attrformer.recommender.parts import part_scores
from attrformer.relations.build import relations_from, sources_of
from attrformer.retrieval import Index, IndexOptions
from attrformer.retrieval.compiled import compiled_contributions

NAME = "item_picture"


def pictured(users: int = 40, items: int = 30) -> Dataset:
    """The shop with vectors of 6 numbers, one item without any and two that are the same."""
    vectors = np.random.default_rng(0).normal(size=(items, 6)).astype(np.float32)
    vectors[4] = np.nan
    vectors[7] = vectors[8]
    return with_vectors(shop(users=users, items=items), vectors)


@pytest.fixture(scope="module", params=[True, False], ids=["kept", "dense"])
def model(request: pytest.FixtureRequest) -> Recommender:
    return model_of(pictured(60, 80), sparse=request.param)


@pytest.mark.parametrize("options", [{}, {"dense_items": 0, "top_k": 5}], ids=["dense", "kept"])
def test_it_passes_the_check_that_relations_from_outside_pass(options: dict[str, Any]) -> None:
    data, config = pictured(), replace(SMALL, similar_users=False, **options)
    sources = sources_of(data, data.sequences, config, 0)
    relations = relations_from(sources, config)
    subject = _Subject(NAME, relations, sources)
    subject.check_values()
    subject.check_future()
    subject.check_parameters()
    subject.check_saving()
    subject.check_own_user(relations_from(sources, config), 0)


def test_what_is_learned_gets_gradients_from_its_own_path_alone() -> None:
    data = pictured()
    relations = relations_of(data)
    network, batch = network_of(relations), example_of(data, relations).batch
    part, weights = part_of(network, NAME, batch)
    own = {f"relations.{NAME}.{name}" for name in ("log_diagonal", "threshold", "left", "right")}
    found = touched(network, weights)
    assert own <= found and all(name.startswith(f"relations.{NAME}.") for name in found)
    gate = torch.ones(batch.target_positions.shape)
    evidence = part.block(slice(None), ContributionInputs(weights, gate)).spoken()[1]
    assert (evidence >= 0).all() and evidence.max() > 0


def test_what_is_said_between_items_adds_up_to_what_is_said_of_the_catalogue(model: Recommender) -> None:
    fitted = model.fitted
    batch, outputs = fitted.outputs(np.arange(9), fitted.knowledge.histories.rows(np.arange(9)))
    module = fitted.network.contributing()[NAME]  # type: ignore[operator]
    assert isinstance(module, VectorModule)
    every = torch.arange(fitted.relations.n_items).expand(9, -1)
    with torch.no_grad():
        gaps = fitted.network.gaps(batch, batch.target_positions)  # type: ignore[operator]
        between = module.values_between(batch, every)
        evidence = torch.bmm(module.weights(batch, gaps) * module.gate.inverse_epsilon(), between).squeeze(1)
        related = module.related(batch.items[:, 0])
    inputs = outputs.parts[outputs.names.index(NAME)][1]
    added = torch.log1p(evidence) * inputs.gate
    torch.testing.assert_close(added, dict(part_scores(outputs, torch.float32))[NAME], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(between[:, 0], related, rtol=1e-4, atol=1e-5)
    # Nothing is related to itself, and what has no vector to nothing.
    assert not between.gather(2, batch.items.clamp_max(79).unsqueeze(2)).any()
    assert not between[:, :, 4].any()


def test_before_learning_it_is_the_row_of_the_table(model: Recommender) -> None:
    relation = model.fitted.relations[NAME]
    network = network_of(model.fitted.relations, shaken=False)
    related = network.contributing()[NAME].related(torch.arange(80))
    assert related is not None
    found = np.stack([relation.row(item) for item in range(80)])
    np.testing.assert_allclose(related.detach().numpy(), found, atol=1e-5)


def test_the_graph_scores_as_the_network_does(model: Recommender) -> None:
    assert_parity(model.fitted, [0, 5, 9, 30])
    assert_parity(model.fitted, [17])


def test_the_index_finds_what_the_model_finds(model: Recommender) -> None:
    pytest.importorskip("usearch")
    index = Index.build(model, IndexOptions(method="approximate", content=80))
    assert_same_answers(index.search(k=7), model.recommend(k=7))
    new = histories_of(model, 9)
    assert_same_answers(index.search(histories=new, k=5), model.recommend(histories=new, k=5))
    chosen = [f"i{n}" for n in range(3, 30)]
    assert_same_answers(index.search(k=5, candidates=chosen), model.recommend(k=5, candidates=chosen))


def test_other_histories_of_a_batch_change_nothing(model: Recommender) -> None:
    fitted = model.fitted
    rows = np.arange(12)
    together = fitted.score(rows, fitted.knowledge.histories.rows(rows))
    for row in (0, 7, 11):
        alone = fitted.score(rows[row : row + 1], fitted.knowledge.histories.rows(rows[row : row + 1]))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-4, atol=1e-4)


def test_compiled_contributions_add_what_the_network_adds(model: Recommender) -> None:
    fitted, users = model.fitted, np.arange(12)
    _, outputs = fitted.outputs(users, fitted.knowledge.histories.rows(users))
    right, place = dict(part_scores(outputs, torch.float32))[NAME].numpy(), outputs.names.index(NAME)
    for row in users:
        compiled = compiled_contributions(outputs.parts, row)[place]
        np.testing.assert_allclose(compiled.at(np.arange(80)), right[row], atol=1e-5)
        total = np.full(80, 0.5, dtype=np.float32)
        compiled.add_to(total, np.empty_like(total))
        np.testing.assert_allclose(total - 0.5, right[row], atol=1e-5)
