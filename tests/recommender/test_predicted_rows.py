"""Rows of items without interactions: against plain formulas, and in everything that a model can do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.recommenders import small_config, small_dataset

from attrformer.columns import COMPONENT, CONTRIBUTION, ITEM, REASON, SCORE, USER
from attrformer.data.dataset import Dataset
from attrformer.data.sample import make_sample
from attrformer.recommender import AttrFormer, Config, Recommender
from attrformer.recommender import predicted_rows as module
from attrformer.recommender.predicted_rows import Prediction, nearness, prediction, with_columns, with_predicted_rows
from attrformer.relations.row_table import RowRelation, keep_top

OPTIONS = ("training.epochs=1", "relations.similar_users=false", "relations.indirect=true")
ASKED = "relations.predicted_rows=true"


@pytest.fixture(scope="module")
def data() -> Dataset:
    return small_dataset()


@pytest.fixture(scope="module")
def saved(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "model"
    AttrFormer(small_config(*OPTIONS)).fit(data, progress=False).save(folder)
    return folder


@pytest.fixture
def grown(saved: Path) -> AttrFormer:
    """A model without the option that was given two items that have the attributes of the first two."""
    return AttrFormer.load(saved).add_items(new_items())


@pytest.fixture(scope="module")
def asked(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked") / "model"
    AttrFormer(small_config(*OPTIONS, ASKED)).fit(data, progress=False).save(folder)
    return folder


def new_items() -> pl.DataFrame:
    table = make_sample(0, users=150, items=120).items.head(2)
    return table.with_columns(pl.Series(ITEM, ["new-0", "new-1"]))


def tables(model: AttrFormer) -> dict[str, np.ndarray]:
    """The whole rows of each relation that is counted, by name."""
    found = {}
    for name, relation in model.fitted.relations.items():
        rows = relation if isinstance(relation, RowRelation) else getattr(relation, "lift", None)
        if rows is not None:
            found[name] = np.stack([rows.row(key) for key in range(rows.keys)])
    return found


def plain_columns(rows: np.ndarray, alike: np.ndarray, known: np.ndarray, new: np.ndarray, ridge: float) -> np.ndarray:
    """Kernel ridge regression of the deviations from the mean of each row, one new item after the other."""
    mean = rows[:, known].mean(1)
    inverse = np.linalg.inv(alike[np.ix_(known, known)].astype(np.float64) + ridge * np.eye(len(known)))
    out = np.empty((len(rows), len(new)))
    for place, item in enumerate(new):
        out[:, place] = mean + (rows[:, known] - mean[:, None]) @ inverse @ alike[known, item]
    return np.maximum(out, 0.0)


def plain_likeness(model: AttrFormer) -> tuple[np.ndarray, int]:
    """Likeness of all pairs of items, one after the other, and how many attributes there are."""
    values = model.fitted.knowledge.item_values
    features = model.fitted.relations.features
    assert values is not None
    parts = []
    for column, relation in features.items():
        numbers = values.still[column].numbers
        if len(numbers):
            known = numbers[model.fitted.relations.popularity > 0]
            lower, upper = np.nanquantile(known, [0.25, 0.75])
            parts.append(np.nan_to_num(np.exp(-np.abs(numbers[:, None] - numbers) / ((upper - lower) / 2))))
        else:
            parts.append(relation.dense() @ relation.dense().T)
    return np.sum(parts, 0) + np.prod(parts, 0), len(parts)


def test_rows_are_those_of_plain_ridge_regression(grown: AttrFormer) -> None:
    before, popularity = tables(grown), grown.fitted.relations.popularity
    grown._fitted = with_predicted_rows(grown.fitted)
    after, (alike, attributes) = tables(grown), plain_likeness(grown)
    new, known = np.flatnonzero(popularity == 0), np.flatnonzero(popularity > 0)
    assert {"cooccurrence_near", "indirect", "time_bucket"} < set(before)
    assert {len(popularity) - 2, len(popularity) - 1} <= set(new.tolist())
    for name, rows in before.items():
        expected = plain_columns(rows, alike, known, new, attributes + 1)
        np.testing.assert_allclose(after[name][:, new], expected, rtol=2e-3, atol=2e-4)
        np.testing.assert_array_equal(after[name][:, known], rows[:, known])
        assert after[name][:, new].any()


def test_kept_entries_are_the_largest_of_whole_rows() -> None:
    draw = np.random.default_rng(0)
    dense = draw.random((7, 7)).astype(np.float32) * (draw.random((7, 7)) < 0.6)
    dense[:, [5, 6]] = 0.0
    found = Prediction(np.arange(5), np.array([5, 6]), draw.random((5, 2)).astype(np.float32))
    whole = with_columns(RowRelation("rows", 7, 0, 7, dense=dense), found)
    indices, values = keep_top(module.scipy.sparse.csr_array(dense), 7)
    kept = with_columns(RowRelation("rows", 7, 0, 7, indices=indices, values=values), found)
    again = with_columns(kept, found)
    kept.check_rows(7, 7)
    for key in range(7):
        np.testing.assert_allclose(kept.row(key), whole.row(key), rtol=1e-5)
        np.testing.assert_allclose(again.row(key), kept.row(key), rtol=1e-6)
    assert whole.dense is not None and whole.dense[:, 5:].any()


def test_only_the_largest_predicted_entries_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PREDICTED", 1)
    monkeypatch.setattr(module, "_CELLS", 2)
    indices, values = np.array([[0], [1], [0], [0]], np.int32), np.array([[2.0], [4.0], [0.0], [0.0]], np.float32)
    weights = np.array([[0.5, 1.0], [0.5, 0.0]], np.float32)
    found = with_columns(
        RowRelation("rows", 4, 0, 4, indices=indices, values=values),
        Prediction(np.arange(2), np.array([2, 3]), weights),
    )
    # Deviations (1, -1) and (-2, 2) from means of 1 and 2: (1, 2) and (2, 0) are predicted.
    np.testing.assert_allclose([found.row(key) for key in range(4)], [[2, 0, 0, 2], [0, 4, 2, 0], [0] * 4, [0] * 4])


def test_numbers_are_near_by_their_distance() -> None:
    numbers = np.array([0.0, 4.0, 8.0, 8.0, np.nan])
    # Quartiles of the known ones 3 and 8: a distance of 2.5 is worth 1 / e.
    found = nearness(numbers, np.arange(4), np.arange(5))
    np.testing.assert_allclose(found[0], [1.0, np.exp(-1.6), np.exp(-3.2), np.exp(-3.2), 0.0], rtol=1e-6)
    np.testing.assert_allclose(
        nearness(np.array([3.0, 3.0, 4.0]), np.arange(2), np.arange(1, 3))[0], [1, np.exp(-1)], rtol=1e-6
    )
    assert not nearness(np.array([np.nan, np.nan, 1.0]), np.arange(2), np.arange(3)).any()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 4))
def test_nothing_predicted_is_below_0_and_equal_columns_stay_equal(seed: int, known: int, new: int) -> None:
    draw = np.random.default_rng(seed)
    weights = draw.normal(size=(known, new)).astype(np.float32)
    found = Prediction(np.arange(known), known + np.arange(new), weights)
    assert (found.of(draw.random((5, known)).astype(np.float32)) >= 0).all()
    np.testing.assert_allclose(found.of(np.full((2, known), 0.7, np.float32)), 0.7, rtol=1e-5)


def test_items_go_with_what_goes_with_items_like_them(grown: AttrFormer) -> None:
    found = prediction(grown.fitted)
    assert found is not None
    for own, like in ((-2, 0), (-1, 1)):
        assert found.weights[:, own].argmax() == np.searchsorted(found.known, like)


def test_the_option_does_it_after_training_and_whenever_the_model_grows(
    asked: Path, grown: AttrFormer, data: Dataset
) -> None:
    model = AttrFormer.load(asked).add_items(new_items())
    grown._fitted = with_predicted_rows(grown.fitted)
    users, contexts = np.arange(9), data.sequences.rows(np.arange(9))
    assert torch.allclose(model.fitted.score(users, contexts), grown.fitted.score(users, contexts), atol=1e-5)
    first = tables(model)["cooccurrence_near"]
    assert first[:, -2:].any()
    latest = int(data.sequences.times.max())  # type: ignore[union-attr]
    row = {USER: data.user_ids.to_list()[:1], ITEM: ["new-0"], "timestamp": [latest + 1]}
    model.update(pl.DataFrame(row))
    second = tables(model)["cooccurrence_near"]
    # What was taken is counted; only what was not is still predicted, and near more than the one history.
    assert np.count_nonzero(second[:, -2]) <= 10 < np.count_nonzero(second[:, -1])


def test_components_sum_to_the_score_and_the_model_is_saved(asked: Path, data: Dataset, tmp_path: Path) -> None:
    model = AttrFormer.load(asked).add_items(new_items())
    users = data.user_ids.to_list()[:3]
    told = model.explain(users, items=["new-0", "new-1"])
    sums = told.group_by(USER, ITEM).agg(pl.col(CONTRIBUTION).sum(), pl.col(SCORE).first())
    np.testing.assert_allclose(sums[CONTRIBUTION], sums[SCORE], atol=1e-4)
    near = told.filter((pl.col(COMPONENT) == "cooccurrence_near") & (pl.col(CONTRIBUTION) > 0))
    season = told.filter((pl.col(COMPONENT) == "time_bucket") & (pl.col(CONTRIBUTION) != 0))
    for reasons in (near[REASON].to_list(), season[REASON].to_list()):
        assert reasons and all(reason.startswith("Expected of items like it, with ") for reason in reasons)
    known = model.explain(users, items=data.item_ids.to_list()[:3])[REASON].drop_nulls()
    assert not known.str.starts_with("Expected").any()
    model.save(tmp_path / "model")
    again = AttrFormer.load(tmp_path / "model").recommend(users, k=20)
    assert again.equals(model.recommend(users, k=20))


def test_what_is_not_predicted_is_not_called_expected(
    asked: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_NEW", 1)
    model = AttrFormer.load(asked).add_items(new_items())
    assert module.predicted_items(model.fitted).tolist() == [len(data.item_ids) + 1]
    told = model.explain(data.user_ids.to_list()[:3], items=["new-0", "new-1"]).filter(pl.col(REASON).is_not_null())
    expected = told.filter(pl.col(REASON).str.starts_with("Expected"))
    assert expected[ITEM].unique().to_list() == ["new-1"]


def test_items_that_were_only_rejected_are_not_new() -> None:
    sample = make_sample(0, users=150, items=120)
    shunned = sample.interactions[ITEM].value_counts(sort=True)[ITEM][20]
    stars = pl.when(pl.col(ITEM) == shunned).then(1.0).otherwise(5.0)
    data = Dataset.from_frames(sample.interactions.with_columns(stars=stars), sample.items)
    model = AttrFormer(small_config(*OPTIONS, ASKED, "data.negative=stars<=2")).fit(data, progress=False)
    code = data.item_ids.encode(pl.Series([shunned]))[0]
    assert model.fitted.relations.popularity[code] == 0 and not model.fitted.new_items[code]
    assert code not in module.predicted_items(model.fitted)
    user = data.user_ids.to_list()[0]
    first = model.recommend([user], k=8, candidates=[shunned, *data.item_ids.to_list()[:9]], new_items={"share": 0.5})
    assert not first["new"].any()
    model.add_items(new_items())
    assert model.fitted.new_items[-2:].all() and not model.fitted.new_items[code]


def test_without_new_items_or_attributes_a_model_stays_as_it_is(saved: Path, data: Dataset) -> None:
    fitted = AttrFormer.load(saved).fitted
    everything = replace(fitted.relations, popularity=np.ones_like(fitted.relations.popularity))
    taken = fitted.rebuilt(everything, fitted.knowledge)
    assert with_predicted_rows(taken) is taken
    bare = AttrFormer(small_config(*OPTIONS, "relations.item_attributes=[]", ASKED)).fit(data, progress=False).fitted
    assert with_predicted_rows(bare) is bare
    config = Config(model={"name": "popularity"}, relations={"predicted_rows": True})
    Recommender(config).fit(data, progress=False)
