"""Options with values that cannot be used are refused by name."""

from __future__ import annotations

import pytest

from attrformer.config import override
from attrformer.errors import ConfigurationError
from attrformer.recommender.config import Config


@pytest.mark.parametrize(
    ("assignment", "named"),
    [
        ("model.layers=0", "model.layers"),
        ("model.width=65", "multiple of heads"),
        ("model.dropout=1.0", "model.dropout"),
        ("model.epsilon=0", "model.epsilon"),
        ("relations.folds=0", "relations.folds"),
        ("relations.cooccurrence_near.window=0", "relations.cooccurrence_near.window"),
        ("relations.similar_users_count=-1", "relations.similar_users_count"),
        ("target.window=0", "target.window"),
        ("target.strength=-1", "target.strength"),
        ("training.learning_rate=0", "training.learning_rate"),
        ("training.weight_decay=-1", "training.weight_decay"),
        ("training.weight_decay=1000", "below 1 / learning_rate"),
        ("training.average=1.0", "training.average"),
        ("training.epochs=0", "training.epochs"),
    ],
)
def test_values_that_cannot_be_used_are_refused(assignment: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        override(Config(), [assignment])


def test_values_at_their_limits_are_taken() -> None:
    config = override(Config(), ["model.dropout=0", "model.low_rank=0", "target.strength=0", "training.warm_up=0"])
    assert (config.model.low_rank, config.target.strength) == (0, 0)
