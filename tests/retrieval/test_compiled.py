"""Each part of a score, item by item, against what the network's own parts add to the catalogue."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.retrieval.builders import model_of

from attrformer.recommender.parts import part_scores
from attrformer.retrieval.compiled import CompiledEntries, compiled_contributions
from attrformer.retrieval.finding import best, catalogue_scores


@pytest.mark.parametrize("sparse", [True, False])
def test_every_voice_says_what_its_part_adds(sparse: bool) -> None:
    fitted = model_of(sparse=sparse).fitted
    users = np.arange(12)
    _, outputs = fitted.outputs(users, fitted.knowledge.histories.rows(users))
    items = np.arange(fitted.relations.n_items)
    parts = dict(part_scores(outputs, torch.float32))

    for row in users:
        voices = compiled_contributions(outputs.parts, row)
        for name, voice in zip(outputs.names, voices, strict=True):
            right = parts[name][row].numpy()
            assert np.allclose(voice.at(items), right, atol=1e-5), name
            total = np.full(len(items), 0.5, dtype=np.float32)
            voice.add_to(total, np.empty_like(total))
            assert np.allclose(total - 0.5, right, atol=1e-5), name


def test_the_catalogue_is_scored_without_a_copy_of_the_vectors() -> None:
    fitted = model_of().fitted
    users = np.arange(12)
    _, outputs = fitted.outputs(users, fitted.knowledge.histories.rows(users))
    assert torch.allclose(catalogue_scores(outputs), fitted.scores_of(outputs), atol=1e-4)


def test_entries_of_one_item_are_added_up() -> None:
    voice = CompiledEntries.of(np.array([4, 2, 4, 7]), np.array([1.0, 3.0, 0.5, 0.0], dtype=np.float32), 2.0)

    assert voice.items.tolist() == [2, 4] and voice.evidence.tolist() == [3.0, 1.5]
    assert np.allclose(voice.at(np.array([1, 2, 4, 7, 9])), [0.0, 2 * np.log(4), 2 * np.log(2.5), 0.0, 0.0])


def test_equal_scores_come_in_the_order_of_the_catalogue() -> None:
    items, scores = best(np.array([3, 5, 8, 9]), np.array([1.0, 2.0, 1.0, 1.0], dtype=np.float32), 2)
    assert items.tolist() == [5, 3] and scores.tolist() == [2.0, 1.0]
