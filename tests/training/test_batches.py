from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.models.builders import examples_of
from tests.relations.builders import dataset, relations_of, sequences, shop, walks

from attrformer.data.dataset import Dataset
from attrformer.nn.batch import Example
from attrformer.training.batches import Examples, most_rows
from attrformer.training.config import TargetConfig, TrainingConfig


def distinct(lengths: list[int]) -> Dataset:
    """Every interaction is with an item of its own, so that an item tells user and position."""
    starts = np.cumsum([0, *lengths])
    rows = [list(range(start, start + length)) for start, length in zip(starts, lengths, strict=False)]
    return dataset(sequences(rows), int(starts[-1]))


LENGTHS = [1, 2, 3, 5, 8, 13, 21, 4, 4, 7, 0]


def examples_with(data: Dataset, length: int = 12, window: int = 1, **options: int) -> Examples:
    training = replace(TrainingConfig(batch_targets=24), **options)  # type: ignore[arg-type]
    return examples_of(
        data, relations_of(data), length=length, training=training, target=TargetConfig(window=window, decay=0.5)
    )


def asked(example: Example) -> list[int]:
    """The item at every place that is asked about; with distinct items, its absolute position."""
    return example.batch.at_target_positions(example.batch.items)[example.mask == 1].tolist()


@pytest.mark.parametrize("length", [4, 12, 50])
def test_every_target_position_is_asked_about_once_in_an_epoch(length: int) -> None:
    data = distinct(LENGTHS)
    examples = examples_with(data, length)
    ends = set((data.sequences.offsets[1:] - 1).tolist())
    wanted = [position for position in range(data.item_count) if position not in ends]
    for epoch in range(3):
        found = [position for _, _, example in examples.epoch(epoch) for position in asked(example)]
        assert sorted(found) == wanted
    assert examples.target_count == len(wanted)


def test_long_sequences_are_cut_into_windows_from_their_end() -> None:
    examples = examples_with(distinct([11]), length=4)
    windows = sorted(row for _, _, example in examples.epoch(0) for row in example.batch.items.tolist())
    padding = 11
    assert [[item for item in row if item != padding] for row in windows] == [[0, 1], [2, 3, 4, 5], [6, 7, 8, 9]]


@pytest.mark.parametrize("window", [1, 3])
def test_upcoming_items_and_their_decayed_counts(window: int) -> None:
    data = distinct(LENGTHS)
    examples = examples_with(data, length=4, window=window)
    owner = data.sequences.row_of_position()
    for _, _, example in examples.epoch(0):
        places = example.batch.at_target_positions(example.batch.items)
        for row, column in (example.mask == 1).nonzero().tolist():
            position = int(places[row, column])
            following = [
                p for p in range(position + 1, position + 1 + window) if p < len(owner) and owner[p] == owner[position]
            ]
            counts = example.counts[row, column].tolist()
            assert counts == [0.5**step if step < len(following) else 0.0 for step in range(window)]
            assert example.items[row, column].tolist()[: len(following)] == following


def test_few_targets_of_each_window_are_drawn_anew_each_epoch() -> None:
    data = distinct([21, 13, 30, 3])
    examples = examples_with(data, length=50, sequence_targets=5)
    owner = data.sequences.row_of_position()
    seen = []
    for epoch in range(6):
        found = [position for _, _, example in examples.epoch(epoch) for position in asked(example)]
        assert len(set(found)) == len(found) == examples.target_count
        assert Counter(owner[found].tolist()) == {0: 5, 1: 5, 2: 5, 3: 2}
        seen.append(tuple(sorted(found)))
    assert len(set(seen)) == 6
    # No place is favoured: over many epochs all come up.
    many = {position for epoch in range(60) for _, _, example in examples.epoch(epoch) for position in asked(example)}
    assert len(many) == 20 + 12 + 29 + 2


def test_batches_hold_every_window_once_and_keep_to_their_size() -> None:
    data = shop(users=60)
    examples = examples_with(data, batch_targets=40, sequence_targets=8)
    groups = examples.batches(0)
    assert sorted(np.concatenate(groups).tolist()) == list(range(60))
    for number, group in enumerate(groups):
        example = examples.make(0, number, group)
        assert len(group) == 1 or example.mask.numel() <= 40
        # Windows of similar length share a batch.
        real = (example.batch.items < data.item_count).sum(1)
        assert real.max() - real.min() <= 4


def test_batches_of_long_windows_are_as_small_as_their_pairs_of_positions_ask_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = distinct([30] * 6 + [8] * 6)
    examples = examples_with(data, length=30, batch_targets=1000)
    assert sorted(map(len, examples.batches(0))) == [12]
    monkeypatch.setattr("attrformer.training.batches.together", lambda longest: max(1, 2000 // longest**2))
    assert sorted(map(len, examples.batches(0))) == [2, 2, 2, 6]
    assert examples.shape_for(29).rows == 2


def test_batches_are_cut_where_the_next_window_would_be_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attrformer.training.batches.together", lambda longest: max(1, 3000 // longest**2))
    examples = examples_with(distinct([3]), batch_targets=70)
    rng = np.random.default_rng(0)
    lengths, places = rng.integers(1, 31, 200), rng.integers(1, 10, 200)
    cuts, start = [], 0
    for here in range(200):
        size, widest, longest = here - start + 1, places[start : here + 1].max(), lengths[start : here + 1].max()
        if size > 1 and (size * widest > 70 or size > most_rows(int(longest))):
            cuts.append(here)
            start = here
    assert examples._cuts(lengths.data, places.data) == cuts and len(cuts) > 10


def assert_equal(first: Example, second: Example) -> None:
    for name in ("items", "counts", "mask"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    assert torch.equal(first.batch.items, second.batch.items)
    assert torch.equal(first.batch.target_positions, second.batch.target_positions)
    assert first.batch.similar_users is not None and second.batch.similar_users is not None
    assert torch.equal(first.batch.similar_users.users, second.batch.similar_users.users)


def test_batches_are_the_same_for_the_same_seed_and_epoch() -> None:
    data = shop()
    relations = relations_of(data)
    training = TrainingConfig(batch_targets=30, sequence_targets=3)
    first, same, other = (examples_of(data, relations, seed=seed, training=training) for seed in (1, 1, 2))
    again = list(same.epoch(4))
    for (number, count, mine), (number_too, count_too, theirs) in zip(first.epoch(4), again, strict=True):
        assert (number, count) == (number_too, count_too)
        assert_equal(mine, theirs)
    orders = [
        [group.tolist() for group in examples.batches(epoch)]
        for examples, epoch in [(first, 4), (first, 5), (other, 4)]
    ]
    assert orders[0] != orders[1] and orders[0] != orders[2]


def test_an_epoch_can_be_entered_in_its_middle() -> None:
    examples = examples_with(shop(), batch_targets=30, sequence_targets=3)
    whole, rest = list(examples.epoch(2)), list(examples.epoch(2, skip=3))
    assert [number for number, _, _ in rest] == list(range(3, len(whole)))
    for (_, _, mine), (_, _, theirs) in zip(whole[3:], rest, strict=True):
        assert_equal(mine, theirs)


def timed(seed: int = 0) -> Dataset:
    """Every interaction at a time of its own, equal to its absolute position."""
    data = shop(seed)
    return replace(data, sequences=replace(data.sequences, times=np.arange(len(data.sequences.items))))


def test_each_example_sees_the_fold_values_and_neighbours_of_its_own_user() -> None:
    data = timed()
    relations = relations_of(data)
    owner = data.sequences.row_of_position()
    assert relations.folds == 3
    found_neighbours = 0
    for _, _, example in examples_of(data, relations).epoch(0):
        batch = example.batch
        assert batch.times is not None and batch.similar_users is not None
        users = owner[batch.times[:, 0].numpy()]
        assert batch.folds.tolist() == relations.fold_of_user[users].tolist()
        assert batch.user_features["region"].tolist() == relations.users["region"].codes[users].tolist()
        others = batch.similar_users.users.numpy()
        assert not (others == users[:, None, None]).any()
        found_neighbours += int((others >= 0).sum())
    assert found_neighbours > 1000


def test_neighbours_of_a_place_are_searched_with_what_came_before_it() -> None:
    data = timed()
    relations = relations_of(data)
    index = relations.similar_users
    assert index is not None
    owner, offsets = data.sequences.row_of_position(), data.sequences.offsets
    example = next(iter(examples_of(data, relations, length=4).epoch(0)))[2]
    batch = example.batch
    assert batch.times is not None and batch.similar_users is not None
    for row, column in (example.mask == 1).nonzero().tolist():
        position = int(batch.times[row, batch.target_positions[row, column]])
        user = int(owner[position])
        # The whole history counts, also before the window.
        history = data.sequences.items[offsets[user] : position + 1][::-1][: index.anchors].tolist()
        anchors = np.array([history + [-1] * (index.anchors - len(history))])
        found = index.search(anchors, np.array([user]))
        assert batch.similar_users.users[row, column].tolist() == found.users[0].tolist()
        assert batch.similar_users.following[row, column].tolist() == found.following[0].tolist()


def test_a_dataset_without_times_has_batches_without_them() -> None:
    data = dataset(sequences(walks(10, 8, 0)), 8)
    example = next(iter(examples_with(data).epoch(0)))[2]
    assert example.batch.times is None and example.batch.levels == {} and example.batch.user_features == {}
