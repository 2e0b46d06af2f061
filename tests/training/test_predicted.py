"""Which interactions are predicted, and from where, against a plain reading of the sequences."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.builders import maker_of
from tests.relations.builders import dataset, relations_of, sequences

from attrformer.data.dataset import Dataset
from attrformer.data.meaning import Condition, Meaning
from attrformer.training.batches import Examples
from attrformer.training.config import TargetConfig, TrainingConfig
from attrformer.training.predicted import Predicted, prefixes_of, windows_of

Rows = list[list[bool]]
MEANING = Meaning({"event": ("buy", "view")}, "weight", None, Condition("event", "=", ("buy",)))


def data_of(rows: Rows) -> Dataset:
    """An item of its own for every interaction, whose code is its position; weights are position + 1."""
    ends = np.cumsum([0, *(len(row) for row in rows)])
    histories = sequences([list(range(start, stop)) for start, stop in pairwise(ends)])
    events = np.array([0.0 if bought else 1.0 for row in rows for bought in row], dtype=np.float32)
    weights = np.arange(1, len(events) + 1, dtype=np.float32)
    told = replace(histories, behaviours={"event": events, "weight": weights}, meaning=MEANING)
    return dataset(told, max(len(events), 1))


def following(rows: Rows, window: int) -> dict[int, list[int]]:
    """The next bought positions of the same row after each position that has one."""
    found, start = {}, 0
    for row in rows:
        bought = [start + place for place, yes in enumerate(row) if yes]
        for position in range(start, start + len(row)):
            after = [other for other in bought if other > position][:window]
            if after:
                found[position] = after
        start += len(row)
    return found


HISTORIES = st.lists(st.lists(st.booleans(), max_size=9), min_size=1, max_size=6)


@settings(max_examples=60)
@given(HISTORIES, st.integers(1, 4), st.integers(1, 3))
def test_windows_hold_every_position_before_a_target_once(rows: Rows, length: int, window: int) -> None:
    train = data_of(rows).sequences
    predicted, wanted = Predicted.of(train), following(rows, window)
    users, starts, stops = windows_of(train, predicted, length)
    inside = [position for start, stop in zip(starts, stops, strict=True) for position in range(start, stop)]
    assert sorted(inside) == sorted(wanted)
    for user, start, stop in zip(users, starts, stops, strict=True):
        assert train.offsets[user] <= start < stop and stop - start <= length
        assert predicted.following(np.array([stop]))[0] == wanted[stop - 1][0]
    positions = np.array(sorted(wanted), dtype=np.int64)[:, None]
    owners = np.searchsorted(train.offsets, positions[:, 0], side="right") - 1
    after, there = predicted.after(positions, train.offsets[owners + 1], window)
    found = [after[row, 0][there[row, 0]].tolist() for row in range(len(positions))]
    assert found == [wanted[position] for position in sorted(wanted)]


@settings(max_examples=60)
@given(HISTORIES)
def test_prefixes_end_before_a_target(rows: Rows) -> None:
    train = data_of(rows).sequences
    users, starts, stops = prefixes_of(train, Predicted.of(train), 4)
    bought = [bought and place > 0 for row in rows for place, bought in enumerate(row)]
    assert stops.tolist() == np.flatnonzero(bought).tolist()
    assert (starts < stops).all() and (starts >= train.offsets[users]).all()


@pytest.mark.parametrize("prefixes", [False, True])
def test_examples_ask_for_the_next_event_and_weigh_it(prefixes: bool) -> None:
    rows = [[False, True, False, False, True, False], [True, False], [False, True, True], [False]]
    data = data_of(rows)
    relations, target = relations_of(data), TargetConfig(window=2, decay=0.5)
    maker = maker_of(relations, 3)
    examples = Examples(data.sequences, relations, maker, 3, TrainingConfig(), target, 0, prefixes=prefixes)
    wanted, asked = following(rows, 2), {}
    for _, _, example in examples.epoch(0):
        at = example.batch.at_target_positions(example.batch.items)
        for row, place in (example.mask > 0).nonzero().tolist():
            position = int(at[row, place])
            counts, items = example.counts[row, place].tolist(), example.items[row, place].tolist()
            asked[position] = [item for item, count in zip(items, counts, strict=True) if count]
            assert float(example.mask[row, place]) == wanted[position][0] + 1
            decayed = [0.5**step * (item + 1) for step, item in enumerate(wanted[position])]
            assert counts[: len(decayed)] == decayed
        ends = [wanted[int(row[row < data.item_count][-1])][0] for row in example.batch.items]
        assert example.final.tolist() == ends
    ends = {position for position, after in wanted.items() if not prefixes or position + 1 == after[0]}
    assert asked == {position: wanted[position] for position in ends}
