"""Figures of the targets that are to be seen apart: repeats, earlier ones of a user, new items, new users."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.evaluation.scorers import FixedScorer, run

from attrformer.data.sequences import Sequences
from attrformer.data.splits import Targets
from attrformer.errors import ConfigurationError, DataError
from attrformer.evaluation import Evaluation
from attrformer.evaluation.metrics import UNREACHABLE_RANK

ORDER = FixedScorer(torch.arange(6.0, 0.0, -1.0).expand(5, 6))
"""Everybody is offered the items in the order of their codes."""


def targets(times: list[int] | None = None) -> Targets:
    """Users 0, 0, 2, 1, 1 in no order of time; the second target repeats an item of its history."""
    contexts = [[5], [5, 1], [4], [3, 2, 0], [3, 2]]
    return Targets(
        users=np.array([0, 0, 2, 1, 1]),
        contexts=Sequences(
            np.cumsum([0, *map(len, contexts)]), np.array([item for one in contexts for item in one], dtype=np.int32)
        ),
        items=np.array([1, 5, 0, 4, 0], dtype=np.int32),
        times=None if times is None else np.array(times),
    )


def evaluated(**options) -> Evaluation:
    settings = {
        "scorer": ORDER,
        "item_count": 6,
        "popularity": np.array([0, 3, 1, 1, 9, 2]),
        "activity": np.array([4, 0, 1]),
        "cutoffs": (1, 5),
    }
    return run(targets(), **settings | options)


def groups(slices) -> list[tuple[str, int, float]]:
    return [(each.label, each.targets, each.interval.value) for each in slices]


def test_every_group_has_exact_figures_of_its_own_targets():
    found = evaluated()
    # Ranks with seen items ranked are 2, 6, 1, 5, 1; with seen items hidden 2, none, 1, 2, 1.
    assert found.ranks["ranked"].tolist() == [2, 6, 1, 5, 1]
    assert found.ranks["hidden"].tolist() == [2, UNREACHABLE_RANK, 1, 2, 1]
    recall = "Recall@1"
    assert groups(found.by_repeats(recall)) == [("not in the history", 4, 0.5), ("repeated", 1, 0.0)]
    assert groups(found.by_last_target(recall)) == [("last of the user", 3, 1 / 3), ("earlier", 2, 0.5)]
    assert groups(found.by_new_items(recall)) == [("known items", 3, 0.0), ("new items", 2, 1.0)]
    assert groups(found.by_new_users(recall)) == [("known users", 3, 1 / 3), ("new users", 2, 0.5)]
    assert groups(found.by_repeats("Recall@5", "ranked")) == [("not in the history", 4, 1.0), ("repeated", 1, 0.0)]
    kinds = ["repeats", "last_target", "new_items", "new_users"]
    assert list(found.slices(recall)) == ["history_length", "item_popularity", *kinds]
    assert found.slices(recall)["new_users"] == found.by_new_users(recall)
    figures = json.loads(json.dumps(found.to_json()))["groups"]
    assert list(figures) == kinds
    for kind, slices in found.slices("NDCG@5", "ranked").items():
        for each in slices if kind in kinds else ():
            group = figures[kind][each.label]
            assert group["targets"] == each.targets
            assert group["seen=ranked"]["NDCG@5"] == each.interval.to_json()
            assert list(group["seen=hidden"]) == ["Recall@1", "Recall@5", "NDCG@1", "NDCG@5", "MRR@1", "MRR@5"]


@pytest.mark.parametrize(
    ("times", "last"),
    [
        (None, [False, True, True, True, False]),
        ([9, 8, 0, 7, 6], [True, False, True, True, False]),
        ([1, 1, 1, 1, 1], [False, True, True, True, False]),
    ],
)
def test_the_last_target_of_a_user_is_told_by_time_then_by_its_context(times, last):
    assert targets(times).last.tolist() == last


def test_nothing_is_set_apart_where_there_is_nothing():
    plain = targets().rows(np.array([0, 2, 4]))
    found = run(plain, scorer=ORDER, item_count=6, popularity=np.arange(1, 7), activity=np.ones(3), cutoffs=(1, 5))
    assert (found.protocol.repeated_share, found.groups) == (0.0, {})
    assert "groups" not in found.to_json()
    assert list(found.slices()) == ["history_length", "item_popularity"]
    assert groups(found.by_repeats("Recall@5")) == [("not in the history", 3, 1.0)]
    assert "no repeated targets" in found.protocol.line()
    assert "repeated)" not in str(found)


def test_groups_are_told_under_the_table():
    text = " ".join(str(evaluated()).split())
    assert "20.0 % of targets repeat an item of their history (a miss with seen=hidden)" in text
    for row in ("Recall@5, repeated (1 of 5)", "NDCG@5, new items (2 of 5)", "NDCG@5, last of the user (3 of 5)"):
        assert row in text


def test_groups_are_kept_in_files_and_older_files_have_none(tmp_path: Path):
    found = evaluated()
    found.save(tmp_path / "kept")
    assert Evaluation.load(tmp_path / "kept").to_json() == found.to_json()
    assert Evaluation.load(tmp_path / "kept").slices() == found.slices()
    protocol = replace(found.protocol, repeated_share=None)
    older = replace(found, repeats=None, last=None, new_users=None, protocol=protocol)
    older.save(tmp_path / "older")
    loaded = Evaluation.load(tmp_path / "older")
    assert (loaded.repeats, loaded.last, loaded.new_users) == (None, None, None)
    assert list(loaded.groups) == ["new_items"]
    assert "repeat" not in loaded.protocol.line()
    with pytest.raises(ConfigurationError, match=r"Nothing is known of repeats here\. Evaluate again"):
        loaded.by_repeats()
    with pytest.raises(ConfigurationError, match="with `activity` given"):
        loaded.by_new_users()


def test_figures_under_the_earlier_rule_of_repeated_targets_are_not_compared():
    found = evaluated()
    older = replace(found, repeats=None, protocol=replace(found.protocol, seen="hidden: the target itself stays"))
    with pytest.raises(DataError, match="does not count repeated targets as misses"):
        older.compare(found)
    assert older.compare(found, seen="ranked").difference.value == 0.0


def test_activity_has_to_cover_every_user():
    with pytest.raises(DataError, match="activity has 2 entries and user 2 is a target"):
        evaluated(activity=np.ones(2))
