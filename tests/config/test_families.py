"""Parts whose variants are added by others, now or later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import pytest

from attrformer.config import (
    add_variant,
    describe,
    from_dict,
    open_family,
    override,
    schema,
    to_dict,
    variants_of,
)
from attrformer.errors import ConfigurationError


@dataclass(frozen=True)
class Shape:
    """What every shape has."""

    name: str = ""
    size: int = 1


@dataclass(frozen=True)
class Round(Shape):
    """The first variant."""

    name: Literal["round"] = "round"


@dataclass(frozen=True)
class Square(Shape):
    """A variant that is added later."""

    name: Literal["square"] = "square"
    corners: int = field(default=4, metadata={"help": "how many corners"})


@dataclass(frozen=True)
class Drawing:
    """Has a part of an open family."""

    shape: Shape = field(default_factory=Round)


@pytest.fixture(autouse=True)
def family() -> Iterator[None]:
    open_family(Shape, "Bring your own scissors.")
    add_variant(Shape, Round)
    yield
    del schema._FAMILIES[Shape]


def test_a_variant_is_known_once_it_is_added() -> None:
    assert from_dict(Drawing, {}) == from_dict(Drawing, {"shape": {}}) == Drawing()
    with pytest.raises(ConfigurationError, match=r"'shape.name' takes one of round, not 'square'.*own scissors"):
        override(Drawing(), ["shape.name=square"])
    add_variant(Shape, Square)
    chosen = override(Drawing(Round(size=7)), ["shape.corners=3", "shape.name=square"])
    assert chosen == Drawing(Square(corners=3)) == from_dict(Drawing, to_dict(chosen))
    options = {option.name: option for option in describe(Drawing, {"shape": "square"})}
    assert options["shape.name"].type == "round | square" and options["shape.corners"].help == "how many corners"
    assert [option.name for option in describe(Drawing)] == ["shape.name", "shape.size"]


@dataclass(frozen=True)
class Gallery:
    """Has a list of an open family."""

    shapes: tuple[Shape, ...] = ()


def test_a_family_without_a_variant_yet_says_how_to_add_one() -> None:
    open_family(Shape, "Bring your own scissors.")
    with pytest.raises(ConfigurationError, match=r"'shapes\[0\]\.name' takes .*, not 'square'.*own scissors"):
        from_dict(Gallery, {"shapes": [{"name": "square", "corners": 3}]})


def test_a_slip_is_told_from_an_unknown_variant() -> None:
    with pytest.raises(ConfigurationError, match=r"Did you mean round\?$"):
        override(Drawing(), ["shape.name=rund"])
    with pytest.raises(ConfigurationError, match="'shape' is a part, not an option"):
        override(Drawing(), ["shape=round"])
    with pytest.raises(ConfigurationError, match=r"shape\.corners"):
        override(Drawing(), ["shape.corners=3"])


def test_the_same_name_again_replaces() -> None:
    @dataclass(frozen=True)
    class Rounder(Shape):
        name: Literal["round"] = "round"

    add_variant(Shape, Rounder)
    assert variants_of(Shape) == {"round": Rounder}


@dataclass(frozen=True)
class Nameless(Shape):
    """Has no name of its own."""


@dataclass(frozen=True)
class TwoNames(Shape):
    """Has two."""

    name: Literal["one", "two"] = "one"


@dataclass(frozen=True)
class Stranger:
    """Is not derived from the family's base."""

    name: Literal["stranger"] = "stranger"


@pytest.mark.parametrize("variant", [Nameless, TwoNames, Stranger, int, "round"])
def test_what_is_no_variant_is_refused(variant: type) -> None:
    with pytest.raises(ConfigurationError, match=r"is no variant of Shape\. Derive it from that class"):
        add_variant(Shape, variant)
    assert list(variants_of(Shape)) == ["round"]
