"""Configuration: round trips, overrides, YAML and the messages of its errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.parts import Head, Required, Training, Whole

from attrformer.config import from_dict, load_yaml, override, to_dict
from attrformer.config.words import parse_yaml
from attrformer.errors import ConfigurationError

heads = st.builds(Head, rank=st.integers(), scale=st.none() | st.floats(allow_nan=False, allow_infinity=False))
wholes = st.builds(
    Whole,
    training=st.builds(
        Training,
        epochs=st.integers(0, 10**12),
        learning_rate=st.floats(allow_nan=False, allow_infinity=False),
        compile=st.booleans(),
        precision=st.sampled_from(["auto", "bf16", "off"]),
        betas=st.tuples(st.floats(0, 1), st.floats(0, 1)),
        widths=st.lists(st.integers()).map(tuple),
    ),
    heads=st.dictionaries(st.text(), heads, max_size=3),
    weights=st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    extra=st.none() | heads,
    name=st.text(),
    seed=st.integers(),
)


@given(wholes)
def test_json_round_trip_is_exact(config: Whole) -> None:
    again = from_dict(Whole, json.loads(json.dumps(to_dict(config))))
    assert again == config
    assert to_dict(again) == to_dict(config)


def test_unnamed_options_keep_the_default_of_their_own_part() -> None:
    assert from_dict(Whole, {"seed": 3}).training.epochs == 7
    assert from_dict(Whole, {"training": {}}).training.epochs == 20


def test_whole_number_becomes_a_float_where_one_is_asked_for() -> None:
    rate = from_dict(Whole, {"training": {"learning_rate": 1}}).training.learning_rate
    assert rate == 1.0 and type(rate) is float


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"trainin": {}}, ["'trainin'", "Did you mean training?"]),
        ({"training": {"epoch": 1}}, ["'training.epoch'", "training.epochs"]),
        ({"training": {"zzz": 1}}, ["'training.zzz'", "Known here: epochs, learning_rate"]),
        ({"training": {"epochs": "5"}}, ["'training.epochs'", "int", "'5' (str)"]),
        ({"training": {"epochs": 5.0}}, ["'training.epochs'", "int", "5.0 (float)"]),
        ({"training": {"epochs": True}}, ["'training.epochs'", "True (bool)"]),
        ({"training": {"compile": 1}}, ["'training.compile'", "bool"]),
        ({"training": {"learning_rate": float("nan")}}, ["'training.learning_rate'", "nan"]),
        ({"training": {"precision": "bf61"}}, ["'training.precision'", "auto, bf16, off", "Did you mean bf16?"]),
        ({"training": {"betas": [0.9]}}, ["'training.betas'", "[float, float]"]),
        ({"training": {"widths": [1, "a"]}}, ["'training.widths[1]'", "'a'"]),
        ({"training": {"widths": "12"}}, ["'training.widths'", "list of int"]),
        ({"training": 5}, ["'training'", "a mapping of options"]),
        ({"training": {"epochs": -1}}, ["training: epochs must not be negative"]),
        ({"heads": {"brand": {"rang": 1}}}, ["'heads.brand.rang'", "heads.brand.rank"]),
        ({"heads": {1: {}}}, ["'heads'", "text keys"]),
        ({"extra": {"rank": "x"}}, ["'extra.rank'"]),
        ({"extra": 5}, ["'extra'", "null"]),
        ({"name": None}, ["'name'", "text"]),
    ],
)
def test_errors_name_the_option_and_what_it_takes(mapping: dict[Any, Any], words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_dict(Whole, mapping)
    for word in words:
        assert word in str(caught.value)


def test_missing_required_option_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'path' is missing"):
        from_dict(Required, {})


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("training.epochs=5", Whole(training=Training(epochs=5))),
        ("training.learning_rate=1e-3", Whole(training=Training(epochs=7, learning_rate=0.001))),
        ("training.precision=off", Whole(training=Training(epochs=7, precision="off"))),
        ("training.compile=true", Whole(training=Training(epochs=7, compile=True))),
        ("training.widths=[8, 16, 32]", Whole(training=Training(epochs=7, widths=(8, 16, 32)))),
        ("heads.brand.rank=8", Whole(heads={"brand": Head(rank=8)})),
        ("weights.a b=2", Whole(weights={"a b": 2.0})),
        ("weights={x: 1.5}", Whole(weights={"x": 1.5})),
        ("extra.scale=.5", Whole(extra=Head(scale=0.5))),
        ("extra={rank: 2}", Whole(extra=Head(rank=2))),
        ("extra=null", Whole()),
        ("name=a=b", Whole(name="a=b")),
        ("name='12'", Whole(name="12")),
        ("name=2020-01-01", Whole(name="2020-01-01")),
    ],
)
def test_override(assignment: str, expected: Whole) -> None:
    assert override(Whole(), [assignment]) == expected


def test_later_overrides_win_and_the_rest_stays() -> None:
    config = override(Whole(weights={"x": 1.0}), ["seed=1", "weights.y=2", "seed=3"])
    assert config == Whole(weights={"x": 1.0, "y": 2.0}, seed=3)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("training.epoch=5", ["'training.epoch'", "training.epochs"]),
        ("trainings.epochs=5", ["'trainings'", "training"]),
        ("training.epochs", ["'training.epochs' sets nothing", "part.option=value"]),
        ("training..epochs=1", ["sets nothing"]),
        ("training.epochs.x=5", ["'training.epochs' is a single value", "'x'"]),
        ("training={epochs: 5}", ["'training' is a part", "training.epochs"]),
        ("training.epochs=five", ["'training.epochs'", "'five' (str)"]),
        ("training.widths=[1", ["training.widths", "not YAML"]),
    ],
)
def test_override_errors(assignment: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        override(Whole(), [assignment])
    for word in words:
        assert word in str(caught.value)


def test_load_yaml(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# comment\ntraining:\n  learning_rate: 3e-4\n  precision: off\nheads:\n  brand: {rank: 2}\n")
    expected = Whole(training=Training(learning_rate=0.0003, precision="off"), heads={"brand": Head(rank=2)})
    assert load_yaml(Whole, path) == expected


def test_yaml_takes_over_what_another_place_says() -> None:
    text = "first: &shared {a: 1, b: 2}\nsecond: {<<: *shared, b: 3}\n"
    assert parse_yaml(text, source="test")["second"] == {"a": 1, "b": 3}


def test_empty_yaml_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# nothing yet\n")
    assert load_yaml(Whole, tmp_path / "a.yaml") == Whole()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"- 1\n", ["mapping"]),
        (b"a: [1\n", ["not YAML"]),
        (b"\xff\xfe\xff", ["UTF-8"]),
        (b"sead: 1\n", ["'sead'", "seed"]),
    ],
)
def test_yaml_errors_name_the_file(tmp_path: Path, content: bytes, words: list[str]) -> None:
    (tmp_path / "bad.yaml").write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_yaml(Whole, tmp_path / "bad.yaml")
    for word in ["bad.yaml", *words]:
        assert word in str(caught.value)


def test_missing_yaml_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml cannot be read"):
        load_yaml(Whole, tmp_path / "none.yaml")
