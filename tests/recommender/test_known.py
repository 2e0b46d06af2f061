"""Interactions that an update gets twice, and figures on what an update has counted."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer.columns import ITEM, TIMESTAMP, USER
from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError, DataError, KnownInteractionsWarning, LeakWarning
from attrformer.evaluation import Evaluation
from attrformer.evaluation.protocol import Protocol
from attrformer.recommender import AttrFormer
from attrformer.recommender.known import known_interactions
from attrformer.recommender.run_folder import RunFolder
from attrformer.report import write_report

LATE = 2_000_000_000

# The run has to be there before its model is loaded.
pytestmark = pytest.mark.usefixtures("model")


def load(run: Path) -> AttrFormer:
    return AttrFormer.load(run / "model", device="cpu")


def one(user: str, item: str, time: int = LATE) -> pl.DataFrame:
    return pl.DataFrame({USER: [user], ITEM: [item], TIMESTAMP: [time]})


def test_the_same_rows_again_are_told_skipped_or_refused(run: Path) -> None:
    rows = pl.concat([one("user-0001", "item-0050"), one("user-0002", "item-0051")])
    model = load(run).update(rows)
    counted = model.recommend(["user-0001", "user-0002"])
    with pytest.raises(DataError, match=r"2 of 2 interactions are known already .*on_known='skip' or 'count'"):
        model.update(rows, on_known="raise")
    assert model.update(rows, on_known="skip").recommend(["user-0001", "user-0002"]).equals(counted)
    assert model.fitted.knowledge.updated == 2
    with pytest.warns(KnownInteractionsWarning, match="2 of 3 interactions are known already") as told:
        model.update(pl.concat([rows, one("user-0003", "item-0052")]))
    warning = told[0].message
    assert isinstance(warning, KnownInteractionsWarning) and (warning.count, warning.given) == (2, 3)
    assert model.fitted.knowledge.updated == 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.update(rows, on_known="count").update(one("user-0004", "item-0050"))
    with pytest.raises(ConfigurationError, match=r"on_known is 'ignore'. Use one of: warn, count, skip, raise"):
        model.update(rows, on_known="ignore")


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [
        ([1, 2, 3], [3, 4], [True, False]),
        ([1, 2, 3], [2, 3], [True, True]),
        ([1, 2, 3], [1, 2], [False, False]),
        ([1, 2], [1, 2, 1], [True, True, False]),
        ([1, 1], [1, 1, 1], [True, True, False]),
        ([3], [4], [False]),
        ([], [4], [False]),
    ],
)
def test_without_times_the_end_of_a_history_is_known(before: list[int], after: list[int], known: list[bool]) -> None:
    old, new = (Sequences(np.array([0, len(row)]), np.array(row, dtype=np.int32)) for row in (before, after))
    assert known_interactions(old, new, np.array([0])).tolist() == known
    assert not known_interactions(old, new, np.array([1])).any()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), max_size=8), st.lists(st.tuples(*[st.integers(0, 3)] * 3)))
def test_with_times_the_same_user_item_and_time_is_known(
    old: list[tuple[int, int, int]], new: list[tuple[int, int, int]]
) -> None:
    def made(rows: list[tuple[int, int, int]], users: int) -> Sequences:
        rows = sorted(rows, key=lambda row: row[0])
        offsets = np.searchsorted([user for user, _, _ in rows], np.arange(users + 1))
        items, times = (np.array([row[at] for row in rows], dtype=np.int64) for at in (1, 2))
        return Sequences(offsets, items.astype(np.int32), times)

    found = known_interactions(made(old, 3), made(new, 4), np.arange(4))
    assert found.tolist() == [row in old for row in sorted(new, key=lambda row: row[0])]


@pytest.mark.slow
def test_figures_on_what_an_update_has_counted_are_marked_everywhere(
    dataset: Dataset, run: Path, tmp_path: Path
) -> None:
    model = load(run)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clean = model.evaluate(dataset)
    assert clean.protocol.leak == "" and "LEAK" not in str(clean)
    model.update(one("user-0001", "item-0050")).save(tmp_path / "model")
    with pytest.warns(LeakWarning, match="an update has counted 150 of 150 targets"):
        found = AttrFormer.load(tmp_path / "model", device="cpu").evaluate(dataset, part="validation")
    assert found.protocol.leak.startswith("an update has counted")
    assert found.to_json()["protocol"]["leak"] == found.protocol.leak
    assert found.protocol.line().startswith("LEAK: an update has counted") and "LEAK" in str(found)
    found.save(tmp_path / "figures.safetensors")
    assert Evaluation.load(tmp_path / "figures.safetensors").protocol == found.protocol
    old = {name: value for name, value in clean.protocol.to_json().items() if name != "leak"}
    assert Protocol.from_json(old) == clean.protocol
    RunFolder(tmp_path).claim(model.config, {})
    RunFolder(tmp_path).add_evaluation(found)
    assert 'class="leak"' in write_report(tmp_path).read_text()
    RunFolder(tmp_path).add_evaluation(clean)
    assert 'class="leak"' not in write_report(tmp_path).read_text()


def test_figures_on_what_came_after_an_update_are_not_marked(dataset: Dataset, run: Path) -> None:
    model = load(run).update(one("user-0001", "item-0050"))
    log = dataset.sequences
    users = dataset.user_ids.decode(log.row_of_position())
    before = pl.DataFrame({USER: users, ITEM: dataset.item_ids.decode(log.items), TIMESTAMP: log.times})
    two = ["user-0001", "user-0002"]
    # Validation and test of both users lie after all that the model has counted.
    after = [one(user, f"item-000{number}", LATE + number) for user in two for number in (1, 2)]
    grown = pl.concat([before.filter(pl.col(USER).is_in(two)), *after])
    everything = pl.DataFrame({ITEM: dataset.item_ids.values})
    later = Dataset.from_frames(grown, everything, name="later", catalogue="all")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.evaluate(later).protocol.leak == model.evaluate(later, part="validation").protocol.leak == ""
    with pytest.warns(LeakWarning, match="counted 1 of 2 targets"):
        model.update(one("user-0001", "item-0002", LATE + 2)).evaluate(later)
