from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.builders import maker_of, scorer_of
from tests.models.counting import answers, check_batching, check_causality, check_round_trip, counted
from tests.relations.builders import dataset, relations_of, sequences, shop

from attrformer.errors import ConfigurationError
from attrformer.models.attrformer import AttrFormerConfig
from attrformer.models.baselines.non_parametric import EPSILON, TIE
from attrformer.models.baselines.vsknn import VSKNNConfig
from attrformer.relations.config import RelationsConfig

PUBLISHED = VSKNNConfig(count=2, recency=None, rare_shared=False, length_power=0.0, ahead=1.0, behind=1.0, repeats=True)
DATA = dataset(sequences([[0, 1, 2], [1, 3], [4, 0], [5]]), 7)


def evidence_in(scores: torch.Tensor) -> list[float]:
    """Evidence read back from the scores of `DATA`."""
    counts = torch.tensor([2.0, 2, 1, 1, 1, 1, 0]).double().log1p()
    found = (scores.double() - TIE * counts / counts.max()).expm1() * EPSILON
    return [round(value, 3) for value in found.tolist()]


def test_strangers_hear_of_everybody() -> None:
    assert evidence_in(answers(PUBLISHED, DATA, [[0, 1]])[0]) == [1.5, 2.5, 1.5, 1.0, 0, 0, 0]


def test_the_own_training_sequence_is_no_neighbour() -> None:
    relations, network = counted(PUBLISHED, DATA)
    scorer = scorer_of(network, relations)  # type: ignore[arg-type]
    scores = scorer.score(np.array([0, -1]), sequences([[0, 1], [0, 1]]))
    assert evidence_in(scores[0]) == [0.25, 1.0, 0.0, 1.0, 0.25, 0, 0]
    assert evidence_in(scores[1]) == [1.5, 2.5, 1.5, 1.0, 0, 0, 0]
    batch = maker_of(relations).latest(sequences([[0, 1], [0, 1]]), {}, np.array([0, -1]))
    assert (
        batch.user_codes is not None and batch.to("cpu").user_codes is not None and batch.user_codes.tolist() == [0, -1]
    )


def test_items_of_the_history_do_not_come_again_unless_asked_for() -> None:
    scores = answers(replace(PUBLISHED, repeats=False), DATA, [[0, 1]])[0]
    assert evidence_in(scores) == [0.0, 0.0, 1.5, 1.0, 0, 0, 0]
    # What no neighbour has is ranked by popularity.
    assert scores.argsort(descending=True, stable=True).tolist() == [2, 3, 0, 1, 4, 5, 6]


def test_the_options_reach_the_rule() -> None:
    data = dataset(sequences([[2, 0, 1, 3, 4, 4, 5], [0, 3]]), 6)
    base = VSKNNConfig(count=5, recency=0.5, rare_shared=False, length_power=0.0, ahead=0.5, behind=0.25)
    scores = answers(base, data, [[0, 1]])[0].double()
    found = scores.expm1() * EPSILON
    # Similarity 1 + 0.5, aligned at item 1, and 0.5 * 0.5 of the other sequence.
    expected = 1.5 * torch.tensor([0, 0, 0.25, 1, 0.75, 0.125]) + 0.25 * torch.tensor([0.0, 0, 0, 1, 0, 0])
    torch.testing.assert_close(found[2:], expected[2:].double(), rtol=1e-2, atol=1e-6)
    for changed in ({"rare_shared": True}, {"rare_first": True}, {"length_power": 1.0}, {"count": 1}):
        assert not torch.allclose(answers(replace(base, **changed), data, [[0, 1]])[0].double(), scores)  # type: ignore[arg-type]


def test_the_index_is_read_but_not_searched() -> None:
    read = VSKNNConfig(sample=7).reads(RelationsConfig())
    assert read.similar_users and read.similar_users_count == 0 and read.similar_users_candidates == 7
    assert not read.repeat and read.edges == () and read.cooccurrence_near.enabled is False
    index = relations_of(shop(), read).similar_users
    assert index is not None
    found = index.search(np.zeros((3, 4), dtype=np.int64), np.full(3, -1))
    assert found.users.shape == (3, 0) and found.following.shape == (3, 0, index.horizon)


def test_attrformer_without_similar_users_has_no_search_at_all() -> None:
    assert AttrFormerConfig().reads(RelationsConfig()) == RelationsConfig()
    assert not AttrFormerConfig().reads(RelationsConfig(similar_users_count=0)).similar_users


@pytest.mark.parametrize(
    "options",
    [{"count": 0}, {"sample": 0}, {"recency": 0.0}, {"length_power": -1.0}, {"ahead": 0.0}, {"behind": -0.1}],
)
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        VSKNNConfig(**options)  # type: ignore[arg-type]


def test_scores_do_not_depend_on_the_batch() -> None:
    check_batching(VSKNNConfig(count=5))


def test_later_items_change_nothing() -> None:
    check_causality(VSKNNConfig(count=5))


@pytest.mark.slow
def test_fit_save_and_load(tmp_path: Path) -> None:
    check_round_trip("vsknn", tmp_path, "model.count=10")
