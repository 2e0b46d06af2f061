"""The list of options, and parts of which there are several variants."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from tests.config.parts import Choice, Net, Required, Tree, Whole

from attrformer.config import describe, from_dict, override, to_dict
from attrformer.errors import ConfigurationError


def test_describe_lists_every_option_with_the_default_in_force() -> None:
    options = {option.name: option for option in describe(Whole)}
    assert list(options) == [
        "training.epochs",
        "training.learning_rate",
        "training.compile",
        "training.precision",
        "training.betas",
        "training.widths",
        "heads",
        "weights",
        "extra",
        "extra.rank",
        "extra.scale",
        "name",
        "seed",
    ]
    assert options["training.epochs"] == ("training.epochs", "int", 7, "Passes over the data.")
    assert options["training.precision"].type == "auto | bf16 | off"
    assert options["training.widths"][1:3] == ("list of int", [64, 64])
    assert options["training.betas"].type == "[float, float]"
    assert options["heads"].type == "mapping of text to Head"
    assert options["extra.scale"][1:3] == ("float | null", None)
    assert describe(Required)[0].default is dataclasses.MISSING


@pytest.mark.parametrize(
    ("mapping", "model"),
    [
        ({}, Tree()),
        ({"model": {"depth": 5}}, Tree(depth=5)),
        ({"model": {"name": "net", "width": 8}}, Net(width=8)),
        ({"model": {"name": "net"}}, Net()),
    ],
)
def test_the_name_tells_the_variants_of_a_part_apart(mapping: dict[str, Any], model: Tree | Net) -> None:
    choice = from_dict(Choice, mapping)
    assert choice == Choice(model=model)
    assert from_dict(Choice, json.loads(json.dumps(to_dict(choice)))) == choice


@pytest.mark.parametrize(
    ("assignments", "model"),
    [
        (["model.depth=9"], Tree(depth=9)),
        (["model.name=net"], Net()),
        # In whatever order, the variant comes first, and options of the former one are forgotten.
        (["model.width=16", "model.name=net"], Net(width=16)),
        (["model.depth=9", "model.name=tree"], Tree(depth=9)),
    ],
)
def test_overrides_choose_a_variant(assignments: list[str], model: Tree | Net) -> None:
    assert override(Choice(model=Tree(depth=7) if model == Net() else Tree()), assignments).model == model


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("model.name=nett", ["'model.name'", "tree, net", "Did you mean net?"]),
        ("model.width=3", ["'model.width'"]),
        ("model.deph=3", ["'model.deph'", "Did you mean model.depth?"]),
    ],
)
def test_errors_of_variants_name_the_option(assignment: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        override(Choice(), [assignment])
    for word in words:
        assert word in str(caught.value)


def test_describe_expands_the_variant_that_is_asked_for() -> None:
    def names(variants: dict[str, str]) -> list[str]:
        return [option.name for option in describe(Choice, variants)]

    assert names({}) == ["model.name", "model.depth", "seed"]
    assert names({"model": "net"}) == ["model.name", "model.depth", "model.width", "seed"]
    assert describe(Choice)[0].type == "tree | net"
    assert {option.name: option.default for option in describe(Choice, {"model": "net"})}["model.depth"] == 2
    with pytest.raises(ConfigurationError, match="one of tree, net"):
        describe(Choice, {"model": "shrub"})
