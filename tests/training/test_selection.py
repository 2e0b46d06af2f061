from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.errors import ConfigurationError
from attrformer.training.checkpoint import Progress
from attrformer.training.config import TrainingConfig
from attrformer.training.selection import Selection


def selection(higher: bool = True, **options: int | str) -> Selection:
    return Selection(TrainingConfig(**options), higher)  # type: ignore[arg-type]


def figures(value: float) -> dict[str, dict[str, float]]:
    return {"seen=hidden": {"NDCG@20": value}, "seen=ranked": {"NDCG@20": value}}


@pytest.mark.parametrize(
    ("parts", "batches", "expected"),
    [(1, 7, []), (2, 7, [4]), (3, 7, [3, 5]), (7, 7, [1, 2, 3, 4, 5, 6]), (50, 3, [1, 2]), (2, 1, [])],
)
def test_which_batches_an_evaluation_follows(parts: int, batches: int, expected: list[int]) -> None:
    told = selection(evaluations_per_epoch=parts)
    assert [done for done in range(1, batches + 1) if told.is_due(done, batches)] == expected


@given(st.integers(1, 40), st.integers(1, 200))
def test_evaluations_are_evenly_spread(parts: int, batches: int) -> None:
    told = selection(evaluations_per_epoch=parts)
    ends = [0, *(done for done in range(1, batches + 1) if told.is_due(done, batches)), batches]
    between = [after - before for before, after in pairwise(ends)]
    assert len(between) == min(parts, batches) and max(between) - min(between) <= 1


def test_patience_counts_evaluations() -> None:
    told, progress = selection(patience=2, epochs=10, evaluations_per_epoch=4), Progress()
    found = []
    for value in (0.1, 0.3, 0.2, 0.4, 0.4, 0.1):
        assert not told.has_ended(progress)
        found.append(told.is_best(progress, figures(value)))
    assert found == [True, True, False, True, False, False] and told.has_ended(progress)
    assert (progress.best, progress.since_best) == (0.4, 2)


def test_less_is_better_where_the_metric_says_so() -> None:
    told, progress = selection(False), Progress()
    assert [told.is_best(progress, figures(value)) for value in (0.3, 0.4, 0.2)] == [True, False, True]
    assert progress.best == -0.2


def test_epochs_end_a_training_whatever_its_patience() -> None:
    told = selection(epochs=3, evaluate_every=2)
    assert [told.has_ended(Progress(epoch=epoch)) for epoch in (2, 3)] == [False, True]
    assert [told.is_due_after(epochs) for epochs in (1, 2, 3)] == [False, True, True]


@pytest.mark.parametrize(("every", "epoch", "best", "stale"), [(1, 4, 3, 0), (1, 6, 3, 2), (3, 9, 2, 2), (1, 0, -1, 0)])
def test_states_of_earlier_versions_say_it_by_their_epochs(every: int, epoch: int, best: int, stale: int) -> None:
    progress = Progress(epoch=epoch, best_epoch=best, since_best=None)
    told = selection(evaluate_every=every, epochs=100, patience=stale + 1)
    assert not told.has_ended(progress) and progress.since_best == stale
    told.is_best(progress, figures(-2.0))
    assert told.has_ended(progress) == (best >= 0)


def test_evaluations_within_epochs_and_after_several_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError, match=r"evaluations_per_epoch is 2.*1 where evaluate_every is not"):
        replace(TrainingConfig(), evaluate_every=2, evaluations_per_epoch=2)
