from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError, DataError, UnknownIdError
from attrformer.models.inputs import InputMaker
from attrformer.recommender import AttrFormer
from attrformer.recommender.ranking import best_items
from attrformer.recommender.strengths import relation_strengths


def history(dataset: Dataset, user: str) -> pl.DataFrame:
    code = int(dataset.user_ids.encode([user])[0])
    offsets, times = dataset.sequences.offsets, dataset.sequences.times
    assert times is not None
    items = dataset.item_ids.decode(dataset.sequences.row(code))
    return pl.DataFrame({"user_id": user, "item_id": items, "timestamp": times[offsets[code] : offsets[code + 1]]})


def test_lists_are_long_and_in_order(model: AttrFormer, dataset: Dataset) -> None:
    frame = model.recommend(k=7)
    assert frame.columns == ["user_id", "item_id", "score", "rank"]
    assert frame["user_id"].to_list() == [user for user in dataset.user_ids.to_list() for _ in range(7)]
    assert frame["rank"].to_list() == list(range(1, 8)) * dataset.user_count
    falling = frame.group_by("user_id").agg(pl.col("score").diff().drop_nulls().max())
    assert falling["score"].max() <= 0


def test_scores_are_those_of_the_evaluation(model: AttrFormer, dataset: Dataset) -> None:
    contexts = dataset.sequences.rows(np.array([3, 4]))
    scores = model.fitted.score(np.array([3, 4]), contexts)
    users = dataset.user_ids.decode([3, 4]).to_list()
    frame = model.recommend(users, k=dataset.item_count, hide_seen=False)
    for row, user in enumerate(users):
        mine = frame.filter(pl.col("user_id") == user).sort("item_id")
        assert mine["item_id"].to_list() == dataset.item_ids.to_list()
        np.testing.assert_array_equal(mine["score"].to_numpy(), scores[row].numpy())


@pytest.mark.slow
def test_long_histories_are_read_a_few_at_a_time(
    model: AttrFormer, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, explained = model.recommend(k=5), model.explain(k=2)
    contexts, users = dataset.sequences, np.arange(dataset.user_count)
    strengths = relation_strengths(model.fitted, users, contexts)
    for place in ("models.inputs", "recommender.explaining"):
        monkeypatch.setattr(f"attrformer.{place}.together", lambda *_: 7)
    read: list[int] = []
    latest = InputMaker.latest

    def noted(self: InputMaker, contexts: Sequences, *rest: Any) -> Any:
        read.append(len(contexts))
        return latest(self, contexts, *rest)

    monkeypatch.setattr(InputMaker, "latest", noted)
    assert_frame_equal(model.recommend(k=5), answers, abs_tol=1e-5)
    assert_frame_equal(model.explain(k=2), explained, abs_tol=1e-5)
    assert relation_strengths(model.fitted, users, contexts) == pytest.approx(strengths, rel=1e-4)
    assert max(read) == 7 and sum(read) == 3 * dataset.user_count


def test_histories_of_like_length_are_read_together(
    model: AttrFormer, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = model.fitted.config.max_length
    items = dataset.item_ids.to_list()
    lengths = [3, 0, 20, 1, limit + 5, 2, 0, 19, 1, limit, 7]
    histories = {f"user {n}": (2 * items)[n : n + length] for n, length in enumerate(lengths)}
    alone = pl.concat([model.recommend(histories={name: history}, k=5) for name, history in histories.items()])
    read: list[list[int]] = []
    latest = InputMaker.latest

    def noted(self: InputMaker, contexts: Sequences, *rest: Any) -> Any:
        read.append(contexts.lengths.tolist())
        return latest(self, contexts, *rest)

    monkeypatch.setattr(InputMaker, "latest", noted)
    monkeypatch.setattr("attrformer.recommender.ranking._MOST", 2)
    assert_frame_equal(model.recommend(histories=histories, k=5), alone, abs_tol=1e-5)
    assert read == [[limit + 5, limit], [20, 19], [3, 7], [1, 2], [1]]


def test_seen_items_are_hidden_unless_wanted(model: AttrFormer, dataset: Dataset) -> None:
    user = "user-0007"
    seen = set(history(dataset, user)["item_id"])
    everything, rest = (model.recommend([user], k=500, hide_seen=hide) for hide in (False, True))
    assert set(everything["item_id"]) == set(dataset.item_ids.to_list())
    assert set(rest["item_id"]) == set(dataset.item_ids.to_list()) - seen


def test_candidates_bound_the_choice(model: AttrFormer, dataset: Dataset) -> None:
    candidates = dataset.item_ids.to_list()[10:20]
    whole = model.recommend(["user-0001"], k=500, hide_seen=False)
    some = model.recommend(["user-0001"], k=500, hide_seen=False, candidates=candidates)
    expected = whole.filter(pl.col("item_id").is_in(candidates))
    assert some.drop("rank").equals(expected.drop("rank"))
    assert some["rank"].to_list() == list(range(1, 11))
    with pytest.raises(ConfigurationError, match="candidates is empty"):
        model.recommend(["user-0001"], candidates=[])


def test_a_table_of_a_known_user_gives_the_known_answer(model: AttrFormer, dataset: Dataset) -> None:
    known = model.recommend(["user-0005", "user-0009"], k=6)
    table = pl.concat([history(dataset, "user-0009"), history(dataset, "user-0005")])
    answered = model.recommend(histories=table, k=6)
    assert answered.equals(known)


def test_answers_come_in_the_library_of_the_histories(model: AttrFormer, dataset: Dataset) -> None:
    table = history(dataset, "user-0005")
    frame = model.recommend(histories=table.to_pandas(), k=6)
    assert isinstance(frame, pd.DataFrame)
    assert frame["item_id"].tolist() == model.recommend(histories=table, k=6)["item_id"].to_list()


def test_the_answer_does_not_depend_on_who_else_asks(model: AttrFormer, dataset: Dataset) -> None:
    everyone = model.recommend(k=5)
    for user in dataset.user_ids.to_list()[::40]:
        alone = model.recommend(user, k=5)
        together = everyone.filter(pl.col("user_id") == user)
        assert alone["item_id"].to_list() == together["item_id"].to_list()
        np.testing.assert_allclose(alone["score"].to_numpy(), together["score"].to_numpy(), rtol=1e-5, atol=1e-5)


def test_histories_of_strangers(model: AttrFormer, dataset: Dataset) -> None:
    lists = [["item-0003", "item-0010"], ["item-0050"]]
    numbered = model.recommend(histories=lists, k=3)
    named = model.recommend(histories={"anna": lists[0], "ben": lists[1]}, k=3)
    assert numbered["user_id"].to_list() == [0, 0, 0, 1, 1, 1]
    assert named["user_id"].to_list() == ["anna"] * 3 + ["ben"] * 3
    assert numbered.drop("user_id").equals(named.drop("user_id"))
    assert not {"item-0003", "item-0010"} & set(numbered["item_id"][:3])


def test_a_known_name_brings_its_attributes(model: AttrFormer) -> None:
    lists = [["item-0003", "item-0010"]]
    stranger = model.recommend(histories={"nobody": lists[0]}, k=500)
    known = model.recommend(histories={"user-0001": lists[0]}, k=500)
    assert not known.drop("user_id").equals(stranger.drop("user_id"))


def test_unknown_ids_are_named(model: AttrFormer) -> None:
    with pytest.raises(UnknownIdError, match=r"users: 'user-9998', 'x' not among the users of this model"):
        model.recommend(["user-0001", "user-9998", "x", "x"])
    with pytest.raises(UnknownIdError, match=r"histories: 'item-9999' not among the catalogue"):
        model.recommend(histories=[["item-0001", "item-9999"]])
    with pytest.raises(UnknownIdError, match=r"candidates: 'thing' not among the catalogue"):
        model.recommend(["user-0001"], candidates=["item-0001", "thing"])
    with pytest.raises(UnknownIdError, match=r"'e' and 2 more not among"):
        model.recommend(list("abcdefg"))


def test_requests_that_cannot_be_answered(model: AttrFormer) -> None:
    with pytest.raises(DataError, match="no list of item ids"):
        model.recommend(histories={"anna": "item-0001"})
    with pytest.raises(ConfigurationError, match="Both users and histories"):
        model.recommend(["user-0001"], [["item-0001"]])
    for call in (model.recommend, model.explain):
        with pytest.raises(ConfigurationError, match="k is 0"):
            call(["user-0001"], k=0)


def test_nobody_gets_nothing(model: AttrFormer) -> None:
    assert model.recommend([]).shape == (0, 4)
    assert model.explain([]).shape == (0, 10)
    assert model.recommend([]).schema == model.recommend(["user-0001"]).schema
    assert model.explain([]).schema == model.explain(["user-0001"]).schema


def test_equal_scores_keep_the_order_of_the_catalogue() -> None:
    scores = torch.tensor(
        [[1.0, 3.0, 3.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0, 0.0], [-torch.inf, 5.0, -torch.inf, 1.0, 2.0]]
    )
    rows, items = best_items(scores, 4)
    assert rows.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
    assert items.tolist() == [1, 2, 3, 4, 0, 1, 2, 3, 1, 4, 3]


@pytest.mark.slow
@given(st.lists(st.lists(st.integers(-2, 2), min_size=6, max_size=6), min_size=1, max_size=4), st.integers(1, 8))
def test_best_items_against_a_full_sort(values: list[list[int]], k: int) -> None:
    rows, items = best_items(torch.tensor(values, dtype=torch.float32), k)
    for number, row in enumerate(values):
        expected = sorted(range(6), key=lambda item: (-row[item], item))[:k]
        assert items[rows == number].tolist() == expected
