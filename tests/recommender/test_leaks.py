"""Figures of a model on interactions that it was trained on."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest

from attrformer.data import Dataset, leave_one_out, time_split
from attrformer.data.splits import Split
from attrformer.errors import LeakWarning
from attrformer.recommender import Recommender

POPULARITY = {"model": {"name": "popularity"}}


def made(*, times: bool = True, twice: bool = False) -> Dataset:
    rng = np.random.default_rng(0)
    users, items, seconds = rng.integers(0, 30, 600), rng.integers(0, 20, 600), np.sort(rng.integers(0, 10**7, 600))
    frame = pl.DataFrame({"user_id": users, "item_id": items, "timestamp": 1_600_000_000 + seconds})
    frame = pl.concat([frame, frame]) if twice else frame
    return Dataset.from_frames(frame if times else frame.drop("timestamp"), duplicates="keep")


def by_time(dataset: Dataset) -> Split:
    return time_split(dataset, validation_from=0.8, test_from=0.9)


def test_figures_on_another_split_than_the_one_trained_on_are_marked() -> None:
    dataset = made()
    model = Recommender(POPULARITY).fit(dataset)
    split = by_time(dataset)
    with pytest.warns(LeakWarning, match=r"was trained on \d+ of \d+ targets.*the split that it was fitted with"):
        found = model.evaluate(dataset, split=split)
    cut = leave_one_out(dataset).train
    last = cut.times[cut.offsets[1:] - 1][split.test.users]  # type: ignore[index]
    # Times are distinct here, so that a target is trained on, or later interactions are, by the last trained time.
    counted = int((last >= split.test.times).sum())
    assert 0 < counted < len(split.test)
    assert found.protocol.leak.startswith(f"the model was trained on {counted:,} of {len(split.test):,} targets")


@pytest.mark.parametrize("data", [made(), made(times=False), made(twice=True)], ids=["times", "no times", "twice"])
def test_figures_on_the_split_trained_on_are_not_marked(data: Dataset) -> None:
    model = Recommender(POPULARITY).fit(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error", LeakWarning)
        assert model.evaluate(data).protocol.leak == model.evaluate(data, part="validation").protocol.leak == ""


def test_figures_of_some_of_the_users_are_not_marked() -> None:
    dataset = made()
    model = Recommender(POPULARITY).fit(dataset)
    log = dataset.sequences
    frame = pl.DataFrame({"user_id": log.row_of_position(), "item_id": log.items, "timestamp": log.times})
    catalogue = pl.DataFrame({"item_id": dataset.item_ids.values})
    half = Dataset.from_frames(frame.filter(pl.col("user_id") < 15), catalogue, catalogue="all")
    with warnings.catch_warnings():
        warnings.simplefilter("error", LeakWarning)
        # Items have other counts than in training, and still no target was trained on.
        assert model.evaluate(half).protocol.leak == ""


def test_a_model_trained_before_a_moment_is_not_marked_on_later_interactions() -> None:
    dataset = made()
    model = Recommender({**POPULARITY, "data": {"split": "time"}}).fit(dataset)
    with warnings.catch_warnings():
        warnings.simplefilter("error", LeakWarning)
        assert model.evaluate(dataset).protocol.leak == ""
        assert model.evaluate(dataset, split=leave_one_out(dataset)).protocol.leak == ""
