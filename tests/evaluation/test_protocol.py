from __future__ import annotations

import json

import pytest

from attrformer.errors import DataError
from attrformer.evaluation.protocol import SEEN_RULE, Protocol

PROTOCOL = Protocol(
    dataset="beauty", users=22363, targets=22363, items=12101, split="leave-one-out", part="test", seed=3
)


def test_line_says_everything():
    assert PROTOCOL.line() == (
        "beauty | 22,363 users | all 12,101 items ranked | leave-one-out test | seen=hidden and seen=ranked | "
        "ties against the model | seed 3 | 95 % bootstrap interval, 1,000 resamples"
    )


def test_line_of_one_variant_with_selection_and_several_targets_a_user():
    protocol = Protocol(
        dataset="toys",
        users=10,
        targets=25,
        items=30,
        split="time",
        part="validation",
        confidence=0.9,
        resamples=50,
        selection="settings chosen on validation",
    )
    assert protocol.line("hidden") == (
        "toys | 25 targets of 10 users | all 30 items ranked | time validation | seen=hidden | "
        "ties against the model | seed 0 | 90 % bootstrap interval, 50 resamples | settings chosen on validation"
    )


def test_json_round_trip():
    fields = json.loads(json.dumps(PROTOCOL.to_json()))
    assert fields["ties"] == "against the model"
    assert fields["seen"] == SEEN_RULE
    assert Protocol.from_json(fields) == PROTOCOL


def test_unknown_fields_are_refused():
    with pytest.raises(DataError, match="not a protocol"):
        Protocol.from_json({"dataset": "beauty", "colour": "red"})
