from __future__ import annotations

import json
from dataclasses import replace

import pytest

from attrformer.config import describe, from_dict, override, to_dict
from attrformer.data.dataset import Dataset
from attrformer.errors import ConfigurationError
from attrformer.recommender import Config, DataConfig
from attrformer.recommender.config import changed_options


def test_options_survive_json() -> None:
    config = override(Config(), ["data.core=5", "relations.edges=[]", "model.dropout=0.3", "data.catalogue=all"])
    assert from_dict(Config, json.loads(json.dumps(to_dict(config)))) == config


def test_every_option_has_help() -> None:
    options = describe(Config)
    assert [option.name for option in options if not option.help] == []
    assert {option.name.partition(".")[0] for option in options} == {
        "seed",
        "data",
        "relations",
        "model",
        "target",
        "training",
        "evaluation",
    }


def test_changed_options_are_named_in_order() -> None:
    before = to_dict(Config())
    after = override(
        Config(), ["training.epochs=3", "seed=4", "relations.cooccurrence_near.window=2", "relations.edges=[a]"]
    )
    assert changed_options(before, after) == [
        "seed",
        "relations.cooccurrence_near.window",
        "relations.edges",
        "training.epochs",
    ]
    assert changed_options(before, Config()) == []
    # A run of before these options came goes on with what is their default now.
    del before["training"]["metric"], before["evaluation"]["metrics"]
    assert changed_options(before, Config()) == []
    assert changed_options(before, override(Config(), ["training.metric=MRR@5"])) == ["training.metric"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.core=0", "core is 0. Give 1 or more"),
        ("data.validation_from=0.95", "validation before test"),
        ("data.test_from=1.0", "shares between 0 and 1"),
        ("data.kinds={year: number}", r"data.kinds\['year'\]='number' is not known. Use one of: categorical"),
        ("data.separators={genres: ''}", r"data.separators\['genres'\] is ''. Give the text between two values"),
    ],
)
def test_values_that_cannot_be(setting: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        override(Config(), [setting])


def test_splits_and_filters(dataset: Dataset) -> None:
    assert DataConfig().filtered(dataset) is dataset
    assert DataConfig(core=6).filtered(dataset).item_count < dataset.item_count
    assert DataConfig().split_of(dataset).name == "leave-one-out"
    split = DataConfig(split="time", validation_from=0.5, test_from=0.75).split_of(dataset)
    assert split.name == "time"
    assert len(split.train.items) == pytest.approx(0.5 * len(dataset.sequences.items), rel=0.02)


def test_the_order_within_one_time_is_shuffled_where_asked(dataset: Dataset) -> None:
    config = DataConfig(same_time="shuffled")
    times = dataset.sequences.times
    assert times is not None
    days = replace(dataset, sequences=replace(dataset.sequences, times=times // 4_000_000 * 4_000_000))
    shuffled = config.filtered(days)
    assert shuffled.sequences.items.tolist() != days.sequences.items.tolist()
    assert config.filtered(shuffled).sequences.items.tolist() == shuffled.sequences.items.tolist()
    split = config.split_of(shuffled)
    assert split.name == "leave-one-out (same time shuffled)"
    assert (split.test.items == shuffled.sequences.items[shuffled.sequences.offsets[1:] - 1]).all()
