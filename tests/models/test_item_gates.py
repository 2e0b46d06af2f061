"""Where the gates of item attributes start."""

from __future__ import annotations

import pytest
import torch
from tests.relations.builders import relations_of, shop
from tests.relations.changing import changing_shop

from attrformer.config import to_dict
from attrformer.errors import ConfigurationError
from attrformer.models.attrformer import AttrFormerConfig, AttrFormerNetwork
from attrformer.recommender import Config
from attrformer.recommender.config import changed_options


def starts(item_gates: float | None, changing: bool = False) -> dict[str, float]:
    """What each gate says of a hidden state before any training."""
    relations = relations_of(changing_shop(0) if changing else shop(0))
    network = AttrFormerNetwork(relations, AttrFormerConfig(width=8, layers=1, item_gates=item_gates), 0.0)
    hidden = torch.randn(1, 1, 8)
    return {name: module.gate(hidden).item() for name, module in network.contributing().items()}


@pytest.mark.parametrize("changing", [False, True])
def test_the_gates_of_item_attributes_share_a_sum(changing: bool) -> None:
    before, after = starts(None, changing), starts(1.5, changing)
    items = [name for name in before if name.startswith("item_")]
    assert len(items) > 1 and {round(before[name], 5) for name in items} == {1.0}
    assert sum(after[name] for name in items) == pytest.approx(1.5)
    assert {round(after[name], 5) for name in items} == {round(1.5 / len(items), 5)}
    assert {name: value for name, value in after.items() if name not in items} == {
        name: value for name, value in before.items() if name not in items
    }


def test_a_sum_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="item_gates is 0"):
        AttrFormerConfig(item_gates=0)


@pytest.mark.parametrize("model", ["attrformer", "sasrec", "transitions"])
def test_a_run_that_was_begun_before_the_option_goes_on(model: str) -> None:
    config = Config.from_dict({"model": {"name": model}})
    before = to_dict(config)
    before["model"].pop("item_gates", None)
    assert changed_options(before, config) == []


def test_a_sum_may_be_large() -> None:
    started = starts(3000.0)
    assert sum(started[name] for name in started if name.startswith("item_")) == pytest.approx(3000.0)
