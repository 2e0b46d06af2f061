"""Each part of a score, item by item, against what the network's own parts add to the catalogue."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.index.builders import model_of

from attrformer.index.finding import best, catalogue_scores
from attrformer.index.voices import EntryVoice, Memory, Postings
from attrformer.nn.tables import FeatureGroups
from attrformer.recommender.parts import part_scores


@pytest.mark.parametrize("sparse", [True, False])
def test_every_voice_says_what_its_part_adds(sparse: bool) -> None:
    fitted = model_of(sparse=sparse).fitted
    users = np.arange(12)
    _, outputs = fitted.outputs(users, fitted.knowledge.histories.rows(users))
    memory, items = Memory(fitted.relations.popularity), np.arange(fitted.relations.items)
    parts = dict(part_scores(outputs, torch.float32))

    for row in users:
        voices = memory.voices(outputs.names, outputs.parts, row)
        for name, voice in zip(outputs.names, voices, strict=True):
            right = parts[name][row].numpy()
            assert np.allclose(voice.at(items), right, atol=1e-5), name
            named = voice.strongest(10)
            assert len(named) == len(np.unique(named)) <= 10
            if name not in ("item_brand", "item_tags", "item_price", "user_region"):
                rest = np.setdiff1d(items, named)
                assert right[named].min(initial=np.inf) >= right[rest].max() - 1e-5, name


def test_the_catalogue_is_scored_without_a_copy_of_the_vectors() -> None:
    fitted = model_of().fitted
    users = np.arange(12)
    _, outputs = fitted.outputs(users, fitted.knowledge.histories.rows(users))
    assert torch.allclose(catalogue_scores(outputs), fitted.scores_of(outputs), atol=1e-4)


def test_entries_of_one_item_are_added_up() -> None:
    voice = EntryVoice.of(np.array([4, 2, 4, 7]), np.array([1.0, 3.0, 0.5, 0.0], dtype=np.float32), 2.0)

    assert voice.items.tolist() == [2, 4] and voice.evidence.tolist() == [3.0, 1.5]
    assert np.allclose(voice.at(np.array([1, 2, 4, 7, 9])), [0.0, 2 * np.log(4), 2 * np.log(2.5), 0.0, 0.0])
    assert voice.strongest(1).tolist() == [2] and voice.strongest(5).tolist() == [2, 4]


def test_what_counts_against_items_names_none() -> None:
    voice = EntryVoice.of(np.array([4, 2]), np.ones(2, dtype=np.float32), -1.0)
    assert len(voice.strongest(5)) == 0
    assert np.allclose(voice.at(np.array([2, 3])), [-np.log(2), 0.0])


def test_groups_give_their_popular_items_first() -> None:
    groups = FeatureGroups(torch.tensor([1, 0, 1, 1, 2]), None, 2)
    postings = Postings.of(groups, np.array([1.0, 5.0, 3.0, 2.0, 9.0], dtype=np.float32))

    assert postings.first(np.array([1, 0]), 10).tolist() == [2, 3, 0, 1]
    assert postings.first(np.array([1, 0]), 2).tolist() == [2, 3]
    assert postings.first(np.array([], dtype=np.int64), 2).tolist() == []


def test_equal_scores_come_in_the_order_of_the_catalogue() -> None:
    items, scores = best(np.array([3, 5, 8, 9]), np.array([1.0, 2.0, 1.0, 1.0], dtype=np.float32), 2)
    assert items.tolist() == [5, 3] and scores.tolist() == [2.0, 1.0]
