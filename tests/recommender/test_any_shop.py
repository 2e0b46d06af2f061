"""Paths that must agree, on shops of any kind; ATTRFORMER_EXAMPLES says how many are tried."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.retrieval.builders import assert_same_answers
from tests.support.any_shop import Draw, config_of, dataset_of, tables

from attrformer import AttrFormer, DataError, Index, IndexOptions
from attrformer.columns import CONTRIBUTION, ITEM, SCORE, TIMESTAMP, USER

pytest.importorskip("usearch")
pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("ATTRFORMER_EXAMPLES", "12"))
SHOPS = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
SEEDS = st.integers(0, 2**32 - 1)
WHOLE: dict[str, Any] = {"k": 1000, "hide_seen": False}
SEEN: dict[str, Any] = {"k": 5, "hide_seen": False}


def model_of(rng: Draw) -> tuple[AttrFormer, dict[str, pl.DataFrame]]:
    """A model of a shop; shops in which nobody has two events to be predicted are passed over."""
    frames = tables(rng)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return AttrFormer(config_of(rng, frames)).fit(dataset_of(frames), progress=False), frames
    except DataError:
        assume(False)
        raise


def strangers(rng: Draw, model: AttrFormer) -> dict[str, list[str]]:
    ids = model.fitted.knowledge.item_ids.to_list()
    return {f"new-{n}": [str(item) for item in rng.choice(ids, int(rng.choice([1, 3, 20])))] for n in range(3)}


def with_times(model: AttrFormer, history: list[str]) -> list[Any]:
    """The same history an hour apart, where the model knows times."""
    times = model.fitted.knowledge.histories.times
    if times is None:
        return history
    return [{ITEM: item, TIMESTAMP: int(times.min()) + 3600 * place} for place, item in enumerate(history)]


def answers(model: AttrFormer, asked: dict[str, list[str]]) -> list[pl.DataFrame]:
    found = [model.recommend(k=5), model.recommend(histories=asked, **WHOLE), model.recommend(histories={"e": []})]
    return [*found, model.explain(histories=asked, k=3), model.similar_items(asked["new-0"][:1], k=4)]


def check_sums(model: AttrFormer, asked: dict[str, list[str]]) -> None:
    parts = model.explain(histories=asked, **WHOLE).with_columns(pl.col(CONTRIBUTION, SCORE).cast(pl.Float64))
    each = parts.group_by(USER, ITEM).agg(
        pl.col(CONTRIBUTION).sum(), pl.col(SCORE).first(), pl.col(CONTRIBUTION).abs().sum().alias("size")
    )
    assert np.isfinite(each[SCORE].to_numpy()).all()
    assert ((each[CONTRIBUTION] - each[SCORE]).abs() <= 1e-4 * (1 + each["size"])).all()


def grow(model: AttrFormer, frames: dict[str, pl.DataFrame]) -> None:
    """Gives a model two items and three interactions more, and changes of items where it has some."""
    if model.fitted.relations.item_columns:
        count = len(model.fitted.knowledge.item_ids)
        names = pl.Series(ITEM, [f"new-{count}", f"new-{count + 1}"])
        model.add_items(frames["items"].head(2).with_columns(names))
    last = frames["interactions"].tail(3).with_columns(pl.Series(ITEM, ["i0", "i1", "i0"]))
    model.update(last.with_columns(pl.Series(USER, ["u0", "someone", "someone"])), on_known="count")
    if "item_changes" in frames:
        model.update(item_changes=frames["item_changes"].head(1))


@SHOPS
@given(SEEDS)
def test_a_model_answers_alike_once_saved_and_grown_and_saved_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, frames = model_of(rng)
    with tempfile.TemporaryDirectory() as root:
        for number in range(2):
            asked, folders = strangers(rng, model), [Path(root, f"{number}-{copy}") for copy in range(2)]
            model.save(folders[0])
            again = AttrFormer.load(folders[0], device="cpu")
            again.save(folders[1])
            for name in ("model.json", "model.safetensors"):
                assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
            for one, other in zip(answers(model, asked), answers(again, asked), strict=True):
                assert one.equals(other)
            check_sums(again, asked)
            grow(model, frames)
            grow(again, frames)
            assert model.recommend(**WHOLE).equals(again.recommend(**WHOLE))


@SHOPS
@given(SEEDS)
def test_nobody_is_answered_otherwise_in_company_or_by_an_index(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, frames = model_of(rng)
    if rng.random() < 0.5:
        grow(model, frames)
    asked: dict[str, Any] = strangers(rng, model)
    # Some say when it was, and some do not.
    asked["new-1"] = with_times(model, asked["new-1"])
    together = model.recommend(histories=asked, **SEEN)
    for name, history in asked.items():
        assert_same_answers(model.recommend(histories={name: history}, **SEEN), together.filter(pl.col(USER) == name))
    index = Index.build(model, IndexOptions(method="approximate", content=1000, number="f32"))
    assert_same_answers(index.search(**SEEN), model.recommend(**SEEN))
    assert_same_answers(index.search(histories=asked, **SEEN), together)


@SHOPS
@given(SEEDS)
def test_other_names_and_an_earlier_time_change_no_score(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, frames = model_of(rng)
    moved = {}
    for name, frame in frames.items():
        columns = [column for column in frame.columns if column.endswith("_id")]
        frame = frame.with_columns((pl.lit("of ") + pl.col(column)).alias(column) for column in columns)
        times = [column for column in frame.columns if column == "timestamp"]
        moved[name] = frame.with_columns(pl.col(column) - 12_345 for column in times)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = AttrFormer(model.config).fit(dataset_of(moved), progress=False)
    (one, two) = (each.recommend(**WHOLE) for each in (model, other))
    assert two[ITEM].to_list() == [f"of {item}" for item in one[ITEM]] and two[SCORE].equals(one[SCORE])
