"""Options and arguments of the wrong kind are refused where they are given, with what to give."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from attrformer import AttrFormer, Config, ConfigurationError, DataError, Dataset, Recommender, UnknownIdError
from attrformer.errors import AttrFormerError
from attrformer.models.baselines.sasrec import SASRecConfig
from attrformer.training.config import TrainingConfig


@pytest.mark.slow
def test_mappings_are_options() -> None:
    wanted = Config(seed=3, training=TrainingConfig(epochs=5), model=SASRecConfig(width=32))
    tree: dict[str, Any] = {"seed": 3, "training": {"epochs": 5}, "model": {"name": "sasrec", "width": 32}}
    assert Config(**tree) == Recommender(tree).config == Recommender(wanted).config == wanted
    assert TrainingConfig(epochs=np.int64(5)).epochs == 5 and AttrFormer({}).config == Config()  # type: ignore[arg-type]


def test_a_model_by_name() -> None:
    assert Recommender("sasrec").config == Recommender(Config(model=SASRecConfig())).config
    assert Recommender("popularity").config.model.name == "popularity"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Config(training={"epoch": 5}), r"'training.epoch'. Did you mean .*training.epochs"),
        (lambda: Config(training={"epochs": "5"}), r"'training.epochs' takes int, not '5'"),
        (lambda: Config(training=5), "'training' takes a mapping of options"),
        (lambda: Config(training=Config()), "'training' takes a mapping of options"),
        (lambda: Config(seed="a"), "'seed' takes int, not 'a'"),
        (lambda: Config(seed=True), "'seed' takes int"),
        (lambda: Config(model={"name": "sasrek"}), "Did you mean sasrec"),
        (lambda: Config(trainig={}), r"'trainig'. Did you mean .*training"),
        (lambda: Config(Training={}), r"'Training'. Did you mean training"),
        (lambda: Config(epochs=5), r"Unknown option 'epochs'. Did you mean training.epochs\?$"),
        (lambda: AttrFormer({"width": 5}), r"Unknown option 'width'. Did you mean model.width\?$"),
        (
            lambda: Config().override("near.window=5"),
            r"'near'. Did you mean relations.cooccurrence_near\?$",
        ),
        (lambda: Config(model={"name": "SASRec"}), r"Did you mean sasrec\?$"),
        (lambda: Config(model="sasrec"), r"Write \{'name': 'sasrec'\}\.$"),
        (lambda: Config(model=SASRecConfig), r"Write SASRecConfig\(\)\.$"),
        (lambda: Config(data={"kinds": {"year": "number"}}), r"data.kinds\['year'\]='number' is not known"),
        (lambda: TrainingConfig(epochs="5"), "'epochs' takes int, not '5'"),
        (lambda: TrainingConfig(epochs=0), "epochs is 0"),
        (lambda: TrainingConfig(schedule="cosin"), "Did you mean cosine"),
        (lambda: SASRecConfig(width="a"), "'width' takes int"),
        (lambda: AttrFormer({"training": {"epochs": None}}), "training.epochs"),
        (lambda: AttrFormer("x"), "There is no model 'x'"),
        (lambda: AttrFormer("sasrec"), "Use Recommender"),
        (lambda: Recommender("sasrek"), "Did you mean 'sasrec'"),
        (lambda: Recommender("SASRec"), "Did you mean 'sasrec'"),
        (lambda: Recommender(5), "config is 5. Give a Config"),
        (lambda: Recommender(SASRecConfig), "Give a Config"),
    ],
)
def test_wrong_options_are_refused_when_they_are_given(make: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make()


@pytest.mark.slow
def test_only_a_dataset_is_fitted_and_evaluated(model: AttrFormer, dataset: Dataset) -> None:
    for given, words in (
        (pl.DataFrame({"a": [1]}), "from_frames"),
        (None, "dataset is None"),
        ("x", r"load\('x"),
    ):
        for method in (AttrFormer().fit, model.evaluate):
            with pytest.raises(DataError, match=words):
                method(given)  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match="split is 'time'"):
        AttrFormer().fit(dataset, split="time")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="warm_start is no model"):
        AttrFormer().fit(dataset, warm_start="runs/x")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="Unknown part 'tset'"):
        model.evaluate(dataset, part="tset")


def test_one_id_or_a_column_of_any_library_says_who(model: AttrFormer) -> None:
    users = model.fitted.knowledge.user_ids.to_list()[:3]
    wanted = model.recommend(users, k=2)
    for given in (
        tuple(users),
        (user for user in users),
        np.array(users),
        np.array(users, dtype=object),
        pl.Series(users),
        pl.Series(users, dtype=pl.Categorical),
        pd.Series(users),
        pd.Series(users, dtype="category"),
        pd.Index(users),
        pa.chunked_array([users]),
        dict.fromkeys(users).keys(),
    ):
        assert model.recommend(given, k=2).equals(wanted)
    assert model.recommend(np.str_(users[0]), k=2).equals(wanted.head(2))
    assert model.recommend(users[0], k=np.int32(2)).equals(wanted.head(2))
    # Somebody who is named twice is answered twice.
    assert len(model.recommend([users[0], users[0]], k=2)) == 4
    item = model.fitted.knowledge.item_ids.values.to_pandas().iloc[0]
    assert model.similar_items(item, k=2).equals(model.similar_items([item], k=2))
    assert model.similar_items(np.str_(item), k=2).equals(model.similar_items([item], k=2))


@pytest.mark.parametrize("k", [2.0, True, "5", None, 0, -1, [3], np.float64(3)])
def test_k_is_a_whole_number_from_one_on(model: AttrFormer, k: Any) -> None:
    item = model.fitted.knowledge.item_ids.values[0]
    for call in (model.recommend, model.explain, lambda k: model.similar_items(item, k=k)):
        with pytest.raises(ConfigurationError, match="k is "):
            call(k=k)
    with pytest.raises(ConfigurationError, match="k is "):
        model.strongest_pairs("category", k)


def test_more_than_there_are_is_all_there_are(model: AttrFormer) -> None:
    items = len(model.fitted.knowledge.item_ids)
    assert len(model.recommend(["user-0001"], k=10**30, hide_seen=False)) == items


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"users": pl.DataFrame({"user_id": ["a"]})}, r"users: a table was given. Give .*table\['user_id'\]"),
        ({"users": pd.DataFrame({"user_id": ["a"]})}, r"table\['user_id'\]"),
        ({"users": pa.table({"user_id": ["a"]})}, r"table\['user_id'\]"),
        ({"users": {"user-0001": 1}}, "users: a mapping was given"),
        ({"users": [["user-0001"]]}, "users: these are no ids"),
        ({"users": np.array([["user-0001"]])}, "users: these are no ids"),
        ({"users": ["user-0001", 1]}, "Give ids of one type"),
        ({"histories": [["item-0001", {"item_id": "item-0002"}], [{"a": 1}]]}, "an entry has no 'item_id'"),
        ({"users": ["\ud800"]}, r"users: the ids cannot be read .*surrogates not allowed\)\. Give ids"),
        ({"user_attributes": {"new": {"age_band": "\ud800"}}}, "'age_band': a text is no valid Unicode"),
        ({"users": [object()]}, "users: "),
        ({"users": ["user-0001"], "exclude": pl.DataFrame({"item_id": ["a"]})}, r"exclude: .*table\['item_id'\]"),
        ({"histories": ["item-0001", "item-0002"]}, "no list of item ids"),
        ({"histories": {"a": {"item-0001": 1}}}, "no list of item ids"),
        ({"histories": {"a": {"item-0001"}}}, "no list of item ids"),
        ({"histories": {"a": None}}, "no list of item ids"),
        ({"histories": [["item-0001", ["item-0002"]]]}, "histories: "),
        ({"histories": 5}, "5 is no list of histories"),
        ({"histories": {"item-0001"}}, "no list of histories"),
        ({"users": [True]}, "'True' not among"),
        ({"users": [None]}, "'None' not among"),
        ({"users": b"user-0001"}, "not among"),
        ({"users": ["user-0001"], "hide_seen": "no"}, "hide_seen is 'no'. Give True or False"),
        ({"users": ["user-0001"], "on_unknown": None}, "on_unknown is None"),
    ],
)
def test_a_wrong_argument_is_named_with_what_to_give(model: AttrFormer, arguments: dict[str, Any], words: str) -> None:
    for method in (model.recommend, model.explain):
        with pytest.raises(AttrFormerError, match=words):
            method(**arguments)


def test_arrays_of_histories_are_lists_of_histories(model: AttrFormer) -> None:
    lists = [["item-0001", "item-0002"], ["item-0003", "item-0004"]]
    wanted = model.recommend(histories=lists, k=3)
    for given in (np.array(lists), pl.Series(lists), pd.Series(lists), (row for row in lists)):
        assert model.recommend(histories=given, k=3).equals(wanted)


def test_a_file_is_no_folder_of_a_model(model: AttrFormer, dataset: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_text("x")
    for call in (model.save, AttrFormer.load, lambda f: AttrFormer().fit(dataset, run=f)):
        for given in (file, str(file), file / "inside"):
            with pytest.raises(ConfigurationError, match=r"model.bin is a file. Give the path of a folder"):
                call(given)
        for given in (None, 5, "", b"x"):
            if given is not None or call in (model.save, AttrFormer.load):
                with pytest.raises(ConfigurationError, match="Give the path of a folder"):
                    call(given)  # type: ignore[arg-type]
    for call in (Dataset.load, dataset.save):
        with pytest.raises(AttrFormerError, match="folder"):
            call(file)
    assert file.read_text() == "x"


@pytest.mark.slow
@pytest.mark.parametrize("table", [None, 5, [1], {"a": 1}, "nowhere.csv"])
def test_what_is_no_table_is_refused_by_name(model: AttrFormer, table: Any) -> None:
    for method in (model.update, model.add_items):
        with pytest.raises(DataError, match=r"table|interactions|items|nowhere"):
            method(table)


def test_ids_that_only_resemble_whole_numbers_are_unknown_everywhere() -> None:
    frame = pl.DataFrame({"user_id": np.repeat(np.arange(1, 9), 5), "item_id": np.tile(np.arange(1, 11), 4)})
    model = Recommender("popularity").fit(Dataset.from_frames(frame), progress=False)
    assert len(model.recommend([1.0], k=1)) == len(model.recommend(["1"], k=1)) == 1
    for given in (1.7, "01", True, "1 ", "x"):
        for arguments in ({"users": [given]}, {"histories": [[given]]}, {"users": [1], "exclude": [given]}):
            for method in (model.recommend, model.explain):
                with pytest.raises(UnknownIdError, match=str(given)):
                    method(**arguments)  # type: ignore[operator]
        with pytest.raises(UnknownIdError, match=str(given)):
            model.explain([1], items=[given])
        with pytest.raises(AttrFormerError):
            copy.copy(model).update(pl.DataFrame({"user_id": [1], "item_id": [given]}))
    # Nobody's history is taken for that of user 1 because the name resembles the id.
    assert model.recommend(histories={"01": [1, 2]}, k=20)["item_id"].to_list() == sorted(
        set(range(3, 11)), key=lambda item: model.recommend(histories=[[1, 2]], k=20)["item_id"].to_list().index(item)
    )
