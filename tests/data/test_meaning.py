"""Categories of interactions, and what options say of interactions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.data.behaviour_columns import MOST_VALUES
from attrformer.data.check.subject import Subject
from attrformer.data.dataset import Dataset
from attrformer.data.held_out import held_out_items
from attrformer.data.meaning import Condition, Meaning
from attrformer.data.meaning_options import with_meaning
from attrformer.data.sequences import OTHER_EVENTS
from attrformer.data.splits import leave_one_out, time_split
from attrformer.errors import ConfigurationError, DataError
from attrformer.relations.positions import level

LOG = pl.DataFrame(
    {
        "user_id": ["a"] * 5 + ["b"] * 3 + ["c"] * 3,
        "item_id": [1, 2, 3, 4, 5, 2, 3, 1, 1, 2, 3],
        "timestamp": [1, 2, 3, 4, 5, 1, 2, 6, 3, 4, 7],
        "event": ["view", "buy", "view", "buy", "view", "view", "buy", "view", "buy", "view", "return"],
        "quantity": [1.0, 2.0, 1.0, 3.0, 1.0, 1.0, 1.0, 1.0, 4.0, 1.0, 1.0],
    }
)


def shop(**options: Any) -> Dataset:
    return with_meaning(Dataset.from_frames(LOG, name="shop"), **options)


def texts(dataset: Dataset, column: str) -> list[str | None]:
    labels = dataset.sequences.meaning.values[column]
    return [None if np.isnan(code) else labels[int(code)] for code in dataset.sequences.behaviours[column]]


def test_texts_booleans_and_categories_are_read_and_saved(tmp_path: Path) -> None:
    log = pl.DataFrame(
        {
            "user_id": ["a"] * 4,
            "item_id": [1, 2, 3, 4],
            "event": ["view", " view ", None, ""],
            "new": [True, None, False, True],
            "device": pl.Series(["app", "web", "app", None], dtype=pl.Categorical),
            "comment": ["2020-01-01", "2020-01-02", None, None],
        }
    )
    dataset = Dataset.from_frames(log)
    assert texts(dataset, "event") == ["view", "view", None, None]
    assert texts(dataset, "new") == ["true", None, "false", "true"]
    assert texts(dataset, "device") == ["app", "web", "app", None]
    assert "comment" not in dataset.sequences.behaviours
    again = Dataset.load(dataset.save(tmp_path / "saved"))
    assert again.sequences.meaning == dataset.sequences.meaning
    for name, values in dataset.sequences.behaviours.items():
        np.testing.assert_array_equal(values, again.sequences.behaviours[name])


def test_a_column_of_many_values_is_told_and_left_out() -> None:
    count = MOST_VALUES + 1
    log = pl.DataFrame({"user_id": ["a"] * count, "item_id": range(count), "note": [f"n{n}" for n in range(count)]})
    dataset = Dataset.from_frames(log)
    assert not dataset.sequences.behaviours
    assert any(f"column 'note' is not used, it has {count} different values" in note for note in dataset.notes)
    with pytest.raises(DataError, match="column 'note': it has 65 different values"):
        Dataset.from_frames(log, kinds={"note": "categorical"})


def test_numbers_can_be_declared_to_be_categories() -> None:
    dataset = Dataset.from_frames(LOG, kinds={"quantity": "categorical"})
    assert dataset.sequences.meaning.values["quantity"] == ("1", "2", "3", "4")


@pytest.mark.parametrize(
    ("text", "column", "how", "values"),
    [
        ("event=purchase", "event", "=", ("purchase",)),
        (" event == purchase, gift ", "event", "=", ("purchase", "gift")),
        ('event=["a,b", "c"]', "event", "=", ("a,b", "c")),
        ("event=[view, buy]", "event", "=", ("view", "buy")),
        ("rating<=2.5", "rating", "<=", ("2.5",)),
        ("my rating > 2", "my rating", ">", ("2",)),
    ],
)
def test_conditions_are_read_and_written(text: str, column: str, how: str, values: tuple[str, ...]) -> None:
    condition = Condition.parse(text, "data.targets")
    assert condition == Condition(column, how, values)
    assert Condition.parse(condition.text, "") == condition


@pytest.mark.parametrize("text", ["", "event", "=buy", "event=", "event=a,,b", "rating<two", "rating<nan", "event=[]"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"data\.targets .* Write event=purchase"):
        Condition.parse(text, "data.targets")


@given(
    st.sampled_from(["<", "<=", ">", ">=", "="]),
    st.sampled_from([-1.0, 0.0, 0.1, 2.0, 3.5]),
    st.lists(st.one_of(st.sampled_from([-1.0, 0.0, 0.1, 2.0, 3.5]), st.floats(-5, 5, width=32)), min_size=1),
)
def test_a_condition_holds_for_whole_levels(how: str, bound: float, numbers: list[float]) -> None:
    condition = Condition("rating", how, (str(bound),))
    column = np.array(numbers, dtype=np.float32)
    plain = {
        "<": column < np.float32(bound),
        "<=": column <= np.float32(bound),
        ">": column > np.float32(bound),
        ">=": column >= np.float32(bound),
        "=": column == np.float32(bound),
    }[how]
    np.testing.assert_array_equal(condition.holds(column, None), plain)
    levels = level(column, condition.edges())
    assert not set(levels[plain].tolist()) & set(levels[~plain].tolist())
    assert not condition.holds(np.array([np.nan], dtype=np.float32), None).any()


def test_interactions_know_what_they_are_worth() -> None:
    sequences = shop(targets="event=buy", negative="event=return", weight="quantity").sequences
    assert sequences.targets is not None and sequences.negative is not None and sequences.seen is not None
    assert sequences.targets.tolist() == [event == "buy" for event in LOG["event"]]
    assert sequences.negative.tolist() == [event == "return" for event in LOG["event"]]
    assert sequences.seen.tolist() == [event != "view" for event in LOG["event"]]
    assert sequences.counting is not None
    assert sequences.counting.tolist() == [1, 2, 1, 3, 1, 1, 1, 1, 4, 1, 0]
    view = OTHER_EVENTS
    np.testing.assert_array_equal(sequences.popularity(5), np.float32([4 + 2 * view, 2 + 2 * view, 1 + view, 3, view]))
    plain = shop().sequences
    assert (plain.targets, plain.negative, plain.seen, plain.counting) == (None, None, None, None)
    assert plain.popularity(5).tolist() == [3, 3, 3, 1, 1]
    disliked = shop(negative="event=return").sequences
    assert disliked.targets is not None and disliked.targets.sum() == 10 and disliked.seen is None


def test_rows_keep_what_interactions_are_worth() -> None:
    sequences = shop(targets="event=buy").sequences
    part = sequences.rows(np.array([2, 0])).tail(2)
    assert part.targets is not None and part.targets.tolist() == [False, False, True, False]
    assert sequences.seen_items(0).tolist() == [1, 3]
    assert shop().sequences.seen_items(0).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": "kind=buy"}, r"data\.targets names 'kind', which is no behaviour attribute.* event, quantity"),
        ({"targets": "event=purchase"}, r"data\.targets asks for 'purchase', and 'event' has the values buy, return"),
        ({"negative": "event<2"}, r"data\.negative asks for 'event<2', and 'event' has the values"),
        ({"negative": "quantity>9"}, r"data\.negative is 'quantity>9', which holds for no interaction"),
        ({"weight": "event"}, r"data\.weight names 'event', which holds categories"),
        ({"weight": "amount"}, r"data\.weight names 'amount'"),
        ({"targets": "event=buy", "negative": "event=buy"}, "No interaction is left to be predicted"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        shop(**options)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0, "the weight 0, which is not above 0"),
        (-1.0, "the weight -1"),
        (None, "no weight"),
        (1e30, r"the weight 1e\+30, which is too large"),
    ],
)
def test_weights_have_to_be_above_zero_and_no_larger_than_can_be_counted(value: float | None, told: str) -> None:
    quantities = [*LOG["quantity"][:7], value, *LOG["quantity"][8:]]
    dataset = Dataset.from_frames(LOG.with_columns(quantity=pl.Series(quantities)))
    with pytest.raises(DataError, match=f"column 'quantity': the interaction of user 'b' with item '1' has {told}"):
        with_meaning(dataset, weight="quantity")


def test_leave_one_out_takes_the_last_two_events() -> None:
    split = leave_one_out(shop(targets="event=buy"))
    assert split.validation.users.tolist() == split.test.users.tolist() == [0]
    assert (split.validation.items.tolist(), split.test.items.tolist()) == ([1], [3])
    assert split.validation.contexts.items.tolist() == [0] and split.test.contexts.items.tolist() == [0, 1, 2]
    assert split.train.lengths.tolist() == [1, 3, 3]
    assert "1 interactions after the last event to be predicted are left out" in split.dropped
    with pytest.raises(DataError, match="no user has two of the events to be predicted"):
        leave_one_out(shop(targets="event=return"))


def test_the_check_looks_at_the_targets_of_the_splits() -> None:
    data = shop(targets="event=buy", negative="event=return")
    view = Subject(data, {}).leave_one_out
    split = leave_one_out(data)
    assert view is not None
    assert data.sequences.items[view.test].tolist() == split.test.items.tolist()
    assert data.sequences.items[view.train].tolist() == split.train.items.tolist()
    again = shop().sequences
    assert not Subject(data, {}).repeated.any() and len(again.items) == 11
    twice = with_meaning(Dataset.from_frames(pl.concat([LOG, LOG])), targets="event=buy")
    assert Subject(twice, {}).repeated.sum() == 4


def test_a_time_split_has_events_as_targets_only() -> None:
    split = time_split(shop(targets="event=buy"), validation_from=2, test_from=4)
    assert (split.validation.items.tolist(), split.validation.users.tolist()) == ([1, 2], [0, 1])
    assert (split.test.items.tolist(), split.test.users.tolist()) == ([3], [0])
    assert split.test.contexts.items.tolist() == [0, 1, 2]


def test_items_can_be_held_out_of_events() -> None:
    rng = np.random.default_rng(0)
    count = 400
    log = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(40), 10),
            "item_id": rng.integers(0, 20, count),
            "event": rng.choice(["view", "buy"], count),
        }
    )
    dataset = with_meaning(Dataset.from_frames(log), targets="event=buy")
    split = held_out_items(dataset, 0.4)
    plain = leave_one_out(dataset)
    assert set(split.test.users.tolist()) <= set(plain.test.users.tolist())


def test_viewed_targets_are_no_repeats() -> None:
    log = pl.DataFrame(
        {
            "user_id": ["a"] * 4,
            "item_id": [1, 2, 2, 2],
            "event": ["view", "buy", "view", "buy"],
        }
    )
    split = leave_one_out(with_meaning(Dataset.from_frames(log), targets="event=buy"))
    assert split.test.repeats.tolist() == [True] and split.validation.repeats.tolist() == [False]
    viewed = log.with_columns(event=pl.Series(["buy", "view", "view", "buy"]), item_id=pl.Series([1, 2, 2, 2]))
    first = with_meaning(Dataset.from_frames(viewed.head(1).vstack(viewed)), targets="event=buy")
    assert leave_one_out(first).test.repeats.tolist() == [False]


def test_values_are_found_again_by_their_text() -> None:
    one, other = Meaning({"event": ("buy", "view")}), Meaning({"event": ("sell", "view", "buy")})
    sequences = with_meaning(Dataset.from_frames(LOG.filter(pl.col("event") != "return"))).sequences
    assert sequences.meaning == one
    understood = sequences.understood(other, "interactions")
    assert understood.behaviours["event"].tolist() == [
        {"buy": 2.0, "view": 1.0}[event] for event in LOG["event"] if event != "return"
    ]
    with pytest.raises(DataError, match="histories, column 'event': 'view' is no value that training knew"):
        sequences.understood(Meaning({"event": ("buy",)}), "histories")
    lost = sequences.understood(Meaning({"event": ("buy",)}))
    assert np.isnan(lost.behaviours["event"]).sum() == 6


@given(st.permutations(["view", "buy", "sell"]))
def test_meaning_is_stored_as_plain_values(labels: list[str]) -> None:
    meaning = Meaning({"event": tuple(labels)}, "quantity", Condition.parse("event=sell", ""), None)
    assert Meaning.from_json(meaning.to_json()) == meaning
    assert Meaning().to_json() == {} and Meaning.from_json({}) == Meaning()
