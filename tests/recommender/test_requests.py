"""Whom a call answers: users, histories and attributes, alone and together, and what the model does not know."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.errors import ConfigurationError, DataError, UnknownIdError
from attrformer.recommender import AttrFormer, Config, Recommender
from attrformer.recommender.requests import read_request


def answered(frame: pl.DataFrame) -> list[object]:
    return frame["user_id"].unique(maintain_order=True).to_list()


def one(frame: pl.DataFrame, user: str) -> list[tuple[object, ...]]:
    return frame.filter(pl.col("user_id") == user).drop("user_id").rows()


HISTORY = ["item-0003", "item-0010"]


def test_everybody_in_one_call_gets_what_each_gets_alone(model: AttrFormer, dataset: Dataset) -> None:
    attributes = {"anna": {"age_band": "18-24"}, "user-0002": {"age_band": "65+"}, "dora": {"region": "North"}}
    histories = {"anna": HISTORY, "ben": [], "user-0003": ["item-0050"]}
    whole = model.recommend(["user-0001", "user-0002", "dora"], histories, user_attributes=attributes, k=4)
    assert answered(whole) == ["user-0001", "user-0002", "dora", "anna", "ben", "user-0003"]
    alone = {
        "user-0001": model.recommend("user-0001", k=4),
        "user-0002": model.recommend("user-0002", user_attributes=attributes, k=4),
        "dora": model.recommend(user_attributes={"dora": attributes["dora"]}, k=4),
        "anna": model.recommend(histories={"anna": HISTORY}, user_attributes={"anna": attributes["anna"]}, k=4),
        "ben": model.recommend(histories={"ben": []}, k=4),
        "user-0003": model.recommend(histories={"user-0003": ["item-0050"]}, k=4),
    }
    for user, frame in alone.items():
        got, expected = one(whole, user), one(frame, user)
        assert [row[0] for row in got] == [row[0] for row in expected], user
        np.testing.assert_allclose([row[1] for row in got], [row[1] for row in expected], atol=1e-5)


def test_users_choose_from_a_whole_table_of_users(model: AttrFormer) -> None:
    table = pl.DataFrame(
        {"user_id": ["user-0001", "zoe", "user-0002"], "age_band": ["65+", "18-24", "25-34"], "shoe_size": [1, 2, 3]}
    )
    assert answered(model.recommend(["zoe", "user-0001"], user_attributes=table, k=2)) == ["zoe", "user-0001"]
    assert answered(model.recommend(user_attributes=table, k=2)) == ["user-0001", "zoe", "user-0002"]


def test_given_attributes_stand_in_place_of_known_ones(model: AttrFormer) -> None:
    relation = model.fitted.relations.users["age_band"]
    known = relation.labels[relation.codes[0]]
    other = next(label for label in relation.labels[:-1] if label != known)
    before = model.recommend("user-0001", k=50)
    assert model.recommend("user-0001", user_attributes={"user-0001": {"age_band": known}}, k=50).equals(before)
    after = model.recommend("user-0001", user_attributes={"user-0001": {"age_band": other}}, k=50)
    assert not after.equals(before)
    # What is not mentioned stays as it is known.
    region = model.fitted.relations.users["region"]
    both = {"age_band": other, "region": region.labels[region.codes[0]]}
    assert model.recommend("user-0001", user_attributes={"user-0001": both}, k=50).equals(after)
    nothing = model.recommend("user-0001", user_attributes={"user-0001": {"age_band": None}}, k=50)
    assert not nothing.equals(before) and not nothing.equals(after)


def test_attributes_of_strangers_with_a_history_count(model: AttrFormer) -> None:
    plain = model.recommend(histories={"anna": HISTORY}, k=50)
    young = model.recommend(histories={"anna": HISTORY}, user_attributes={"anna": {"age_band": "18-24"}}, k=50)
    assert not young.equals(plain)
    numbered = model.recommend(histories=[HISTORY], user_attributes={0: {"age_band": "18-24"}}, k=50)
    assert numbered.drop("user_id").equals(young.drop("user_id"))


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_answers_come_in_the_library_of_the_attributes(model: AttrFormer, library: str) -> None:
    table = pl.DataFrame({"user_id": ["a", "b"], "age_band": ["18-24", None]})
    given = table.to_pandas() if library == "pandas" else table.to_arrow()
    for call in (model.recommend, model.explain):
        found, expected = call(user_attributes=given, k=3), call(user_attributes=table, k=3)
        assert isinstance(found, pd.DataFrame if library == "pandas" else pa.Table)
        items = found["item_id"].tolist() if library == "pandas" else found["item_id"].to_pylist()
        assert items == expected["item_id"].to_list()


def test_excluded_items_are_never_recommended(model: AttrFormer) -> None:
    whole = model.recommend(["user-0001"], {"new": []}, k=20)
    banned = whole.group_by("user_id").head(2)["item_id"].to_list()
    for call in (model.recommend, model.explain):
        frame = call(["user-0001"], {"new": []}, k=10, exclude=banned)
        assert not set(frame["item_id"]) & set(banned)
    rest = whole.filter(~pl.col("item_id").is_in(banned)).group_by("user_id", maintain_order=True).head(10)
    some = model.recommend(["user-0001"], {"new": []}, k=10, exclude=banned)
    assert some["item_id"].to_list() == rest["item_id"].to_list()
    assert model.recommend("user-0001", exclude=[]).equals(model.recommend("user-0001"))


def test_candidates_bound_the_choice_of_explanations_and_strangers(model: AttrFormer) -> None:
    candidates = ["item-0005", "item-0006", "item-0007"]
    for call in (model.recommend, model.explain):
        frame = call(["user-0001"], {"new": []}, candidates=candidates, exclude=["item-0006"], hide_seen=False)
        assert set(frame["item_id"]) == {"item-0005", "item-0007"}


def test_unknown_users_and_items_are_raised_warned_of_or_skipped(model: AttrFormer) -> None:
    asked = {"users": ["user-0001", "ghost"], "histories": {"anna": ["item-0003", "thing", "item-0010"]}}
    extra = {"candidates": ["item-0005", "item-0007", "stone"], "exclude": ["item-0007", "dust"]}
    with pytest.raises(UnknownIdError, match="histories: 'thing' not among the catalogue"):
        model.recommend(**asked)
    with pytest.warns(UserWarning) as caught:
        warned = model.recommend(**asked, **extra, on_unknown="warn")
    told = " ".join(str(warning.message) for warning in caught)
    for named in ("users: 'ghost'", "histories: 'thing'", "candidates: 'stone'", "exclude: 'dust'"):
        assert f"{named} not among" in told
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        skipped = model.recommend(**asked, **extra, on_unknown="skip")
    assert skipped.equals(warned)
    assert skipped.rows() == model.recommend(["user-0001"], {"anna": HISTORY}, candidates=["item-0005"]).rows()
    explained = model.explain(**asked, items=["item-0005", "stone"], on_unknown="skip")
    assert set(explained["item_id"]) == {"item-0005"}


def test_a_history_of_unknown_items_alone_is_none(model: AttrFormer) -> None:
    table = pl.DataFrame(
        {"user_id": ["a", "a", "b"], "item_id": ["stone", "dust", "item-0003"], "timestamp": [1, 2, 3]}
    )
    frame = model.recommend(histories=table, k=3, on_unknown="skip")
    assert one(frame, "a") == one(model.recommend(histories={"a": []}, k=3), "a")
    assert one(frame, "b") == one(model.recommend(histories=table.tail(1), k=3), "b")


def test_nothing_is_left_of_unknown_candidates(model: AttrFormer) -> None:
    for call in (model.recommend, model.explain):
        assert call("user-0001", candidates=["stone"], on_unknown="skip").is_empty()
    assert model.explain("user-0001", items=["stone"], on_unknown="skip").is_empty()


def test_unknown_values_of_attributes(model: AttrFormer) -> None:
    wrong = {"anna": {"age_band": "200+"}}
    with pytest.raises(UnknownIdError, match=r"'age_band': '200\+' not among the values .*18-24"):
        model.recommend(user_attributes=wrong)
    with pytest.warns(UserWarning, match="200"):
        frame = model.recommend(user_attributes=wrong, on_unknown="warn")
    assert frame.equals(model.recommend(user_attributes={"anna": {}}))


def test_calls_that_cannot_be_answered(model: AttrFormer) -> None:
    with pytest.raises(ConfigurationError, match="on_unknown is 'ignore'"):
        model.recommend("user-0001", on_unknown="ignore")
    with pytest.raises(ConfigurationError, match=r"'colour', which is no user attribute .* age_band, region"):
        model.recommend(user_attributes={"anna": {"colour": "red"}})
    with pytest.raises(DataError, match="something else than attributes"):
        model.recommend(user_attributes={"anna": "young"})
    with pytest.raises(DataError, match="user_id"):
        model.recommend(user_attributes=pl.DataFrame({"age_band": ["18-24"]}))
    with pytest.raises(DataError, match="more than one row"):
        model.recommend(user_attributes=pl.DataFrame({"user_id": ["a", "a"], "age_band": ["18-24", "65+"]}))


def test_names_of_lists_are_never_those_of_users() -> None:
    generator = np.random.default_rng(0)
    interactions = pl.DataFrame({"user_id": np.repeat(np.arange(30), 6), "item_id": generator.integers(0, 12, 180)})
    dataset = Dataset.from_frames(interactions)
    model = Recommender(override(Config(), ["model.name=vsknn"])).fit(dataset, progress=False)
    request = read_request(model.fitted, None, [[1, 2]])
    assert (request.names.to_list(), request.users.tolist()) == ([0], [-1])
    named = read_request(model.fitted, ["7", "3"], {"new": [1]})
    assert (named.names.to_list(), named.users.tolist()) == (["7", "3", "new"], [7, 3, -1])
    assert read_request(model.fitted, ["7", "3"], None).names.to_list() == [7, 3]


def test_a_user_named_twice_is_answered_twice(model: AttrFormer) -> None:
    frame = model.recommend(["user-0004", "user-0001", "user-0004"], k=2)
    assert frame["user_id"].to_list() == ["user-0004"] * 2 + ["user-0001"] * 2 + ["user-0004"] * 2
    assert frame["item_id"][:2].to_list() == frame["item_id"][4:].to_list()


def test_a_request_for_everybody_copies_no_history(model: AttrFormer) -> None:
    request = read_request(model.fitted, None, None)
    assert len(request.histories.items) == 0 and request.values is None
    (group,) = request.groups(model.fitted, np.array([3, 7]))
    assert group.contexts is not None
    assert group.contexts.items.tolist() == [
        *model.fitted.knowledge.histories.row(3).tolist(),
        *model.fitted.knowledge.histories.row(7).tolist(),
    ]
