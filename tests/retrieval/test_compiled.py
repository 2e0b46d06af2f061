"""Each part of a score, item by item, against what the network's own parts add to the catalogue."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.relations.changing import changing_shop
from tests.retrieval.builders import model_of

from attrformer.nn.contributions import Block, Contribution, ContributionInputs
from attrformer.nn.copies import LowCopies
from attrformer.recommender.parts import part_scores
from attrformer.retrieval.compiled import CompiledEntries, compiled_contributions
from attrformer.retrieval.finding import best, catalogue_scores


@pytest.mark.parametrize("sparse", [True, False])
def test_every_compiled_contribution_adds_what_the_network_adds(sparse: bool) -> None:
    fitted = model_of(sparse=sparse).fitted
    users = np.arange(12)
    _, outputs = fitted.outputs(users, fitted.knowledge.histories.rows(users))
    items = np.arange(fitted.relations.n_items)
    parts = dict(part_scores(outputs, torch.float32))

    for row in users:
        compiled = compiled_contributions(outputs.parts, row)
        for name, one in zip(outputs.names, compiled, strict=True):
            right = parts[name][row].numpy()
            assert np.allclose(one.at(items), right, atol=1e-5), name
            total = np.full(len(items), 0.5, dtype=np.float32)
            one.add_to(total, np.empty_like(total))
            assert np.allclose(total - 0.5, right, atol=1e-5), name


class FromOutside:
    """A contribution of a class that the library does not have.

    Args:
        inner: what it adds.
    """

    def __init__(self, inner: Contribution) -> None:
        self._inner = inner

    def block(self, rows: slice, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        return self._inner.block(rows, inputs, copies)


@pytest.mark.parametrize("sparse", [True, False])
def test_contributions_of_classes_from_outside_are_compiled_too(sparse: bool) -> None:
    fitted = model_of(sparse=sparse).fitted
    users = np.arange(3)
    _, outputs = fitted.outputs(users, fitted.knowledge.histories.rows(users))
    items = np.arange(fitted.relations.n_items)
    outside = [(FromOutside(part), inputs) for part, inputs in outputs.parts]
    for row in users:
        found = compiled_contributions(outside, row)
        for one, other in zip(found, compiled_contributions(outputs.parts, row), strict=True):
            np.testing.assert_allclose(one.at(items), other.at(items), atol=1e-5)


def test_the_catalogue_is_scored_without_a_copy_of_the_vectors() -> None:
    fitted = model_of().fitted
    users = np.arange(12)
    _, outputs = fitted.outputs(users, fitted.knowledge.histories.rows(users))
    assert torch.allclose(catalogue_scores(outputs), fitted.scores_of(outputs), atol=1e-4)


def test_entries_of_one_item_are_added_up() -> None:
    one = CompiledEntries.of(np.array([4, 2, 4, 7]), np.array([1.0, 3.0, 0.5, 0.0], dtype=np.float32), 2.0)

    assert one.items.tolist() == [2, 4] and one.evidence.tolist() == [3.0, 1.5]
    assert np.allclose(one.at(np.array([1, 2, 4, 7, 9])), [0.0, 2 * np.log(4), 2 * np.log(2.5), 0.0, 0.0])


def test_equal_scores_come_in_the_order_of_the_catalogue() -> None:
    items, scores = best(np.array([3, 5, 8, 9]), np.array([1.0, 2.0, 1.0, 1.0], dtype=np.float32), 2)
    assert items.tolist() == [5, 3] and scores.tolist() == [2.0, 1.0]


def test_the_value_of_the_time_of_each_history_is_compiled() -> None:
    data = changing_shop()
    model = model_of(data)
    fitted = model.fitted
    users = np.array([5, 20, 39])
    contexts = fitted.knowledge.histories.rows(users)
    _, outputs = fitted.outputs(users, contexts)
    scores = {name: values.numpy() for name, values in part_scores(outputs, fitted.precision)}
    place, items = outputs.names.index("item_state"), np.array([3, 0, 17])
    seen = set()
    for row in range(len(users)):
        compiled = compiled_contributions(outputs.parts, row)[place]
        total, spare = np.zeros(data.item_count, np.float32), np.empty(data.item_count, np.float32)
        compiled.add_to(total, spare)
        np.testing.assert_allclose(total, scores["item_state"][row], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(compiled.at(items), total[items], rtol=1e-6)
        seen.add(total.tobytes())
    assert len(seen) == len(users)
