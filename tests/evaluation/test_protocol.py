from __future__ import annotations

import json
from dataclasses import replace

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


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.1234, "12.3 %"), (1.0, "100.0 %"), (1e-6, "less than 0.1 %"), (0.99999, "more than 99.9 %"), (0.001, "0.1 %")],
)
def test_line_says_how_many_targets_repeat_and_what_was_counted_later(share, words):
    line = replace(PROTOCOL, repeated_share=share, later_share=share).line("hidden")
    assert f"| seen=hidden | {words} of targets repeat an item of their history (a miss with seen=hidden) |" in line
    counted = "relations and popularity count all training interactions"
    assert f"| {counted}, {words} of them later than the target on average | ties" in line
    none = replace(PROTOCOL, repeated_share=0.0, later_share=0.0).line()
    assert "| no repeated targets | ties" in none


def test_a_protocol_of_earlier_versions_is_still_read():
    fields = {name: value for name, value in PROTOCOL.to_json().items() if not name.endswith("_share")}
    assert Protocol.from_json(fields).line() == PROTOCOL.line()


def test_unknown_fields_are_refused():
    with pytest.raises(DataError, match="not a protocol"):
        Protocol.from_json({"dataset": "beauty", "colour": "red"})
