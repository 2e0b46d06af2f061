from __future__ import annotations

from dataclasses import fields

import pytest

from attrformer.config import from_dict, to_dict
from attrformer.errors import ConfigurationError
from attrformer.evaluation.config import EvaluationConfig


def test_cutoffs_are_sorted_and_distinct_and_survive_plain_values():
    config = from_dict(EvaluationConfig, {"cutoffs": [20, 5, 20]})
    assert config.cutoffs == (5, 20)
    assert from_dict(EvaluationConfig, to_dict(config)) == config


def test_every_option_is_documented():
    assert all(option.metadata["help"] for option in fields(EvaluationConfig))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("cutoffs", ()),
        ("cutoffs", (0, 5)),
        ("batch_size", 0),
        ("resamples", 0),
        ("confidence", 1.0),
        ("confidence", 0.0),
    ],
)
def test_impossible_values_are_refused_by_name(option, value):
    with pytest.raises(ConfigurationError, match=option):
        EvaluationConfig(**{option: value})
