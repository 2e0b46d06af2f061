"""What every class of options offers: checks where it is made, mappings, settings, YAML, equality and what is shown."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.config import Options, add_variant, open_family, schema
from attrformer.config.words import parse_yaml, yaml_text
from attrformer.errors import ConfigurationError, WriteError


@dataclass(frozen=True)
class Wheel(Options):
    spokes: int = 8
    pressure: float | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bike(Options):
    gear: Literal["single", "hub"] = "single"
    front: Wheel = field(default_factory=Wheel)
    rear: Wheel = field(default_factory=lambda: Wheel(spokes=12))
    notes: dict[str, str] = field(default_factory=dict)
    key: str = field(default="", repr=False)


wheels = st.builds(
    Wheel,
    spokes=st.integers(),
    pressure=st.none() | st.floats(allow_nan=False),
    tags=st.lists(st.text(), max_size=3).map(tuple),
)
bikes = st.builds(
    Bike,
    gear=st.sampled_from(["single", "hub"]),
    front=wheels,
    rear=wheels,
    notes=st.dictionaries(st.text(), st.text(), max_size=3),
)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(bikes)
def test_mappings_give_equal_options(bike: Bike) -> None:
    again = Bike.from_dict(bike.to_dict())
    assert again == bike and again is not bike
    assert Bike(**bike.to_dict()) == bike


@given(bikes)
def test_what_is_shown_makes_equal_options(bike: Bike) -> None:
    assert eval(repr(bike), {"Bike": Bike, "Wheel": Wheel, "inf": float("inf")}) == bike


@given(bikes)
def test_copies_are_equal(bike: Bike) -> None:
    assert copy.deepcopy(bike) == pickle.loads(pickle.dumps(bike)) == bike


@given(trees)
def test_yaml_text_is_read_as_it_was(tree: Any) -> None:
    assert parse_yaml(yaml_text(tree), source="test") == tree


@pytest.mark.parametrize("word", ["off", "1e5", "1e-3", "null", "~", "", "true", "<<", "=", ".inf", "-1", "01", "a: b"])
def test_words_of_another_type_stay_text(word: str) -> None:
    assert parse_yaml(yaml_text({word: [word]}), source="test") == {word: [word]}


@given(bikes)
def test_settings_of_every_option_give_equal_options(bike: Bike) -> None:
    settings = [f"{part}.{name}={yaml_text(value)}" for part in ("front", "rear") for name, value in parts(bike, part)]
    settings += [f"gear={bike.gear}", f"notes={yaml_text(bike.notes)}"]
    assert Bike().override(*settings) == bike


def parts(bike: Bike, part: str) -> list[tuple[str, Any]]:
    return list(bike.to_dict()[part].items())


def test_yaml_files_give_equal_options(tmp_path: Path) -> None:
    bike = Bike("hub", Wheel(pressure=1e-05, tags=("off", "1e5")), notes={"a.b": "no: yes"}, key="é\n")
    bike.to_yaml(tmp_path / "bike.yaml")
    assert Bike.from_yaml(tmp_path / "bike.yaml") == Bike.from_yaml(str(tmp_path / "bike.yaml")) == bike
    assert (tmp_path / "bike.yaml").read_text("utf-8").splitlines()[:5] == [
        "gear: hub",
        "front:",
        "  spokes: 8",
        "  pressure: 1.0e-05",
        "  tags: [off, '1e5']",
    ]
    with pytest.raises(WriteError, match="bike"):
        bike.to_yaml(tmp_path / "bike.yaml" / "inside")


def test_the_options_that_differ_are_shown() -> None:
    assert repr(Bike()) == "Bike()"
    assert repr(Bike(gear="hub", rear=Wheel(9))) == "Bike(gear='hub', rear=Wheel(spokes=9))"
    # Beside the default of its own class, so that the call gives what is shown.
    assert repr(Bike(rear=Wheel())) == "Bike(rear=Wheel())"
    assert repr(Bike(key="secret")) == "Bike()"


def test_equal_are_options_of_one_class_with_equal_values() -> None:
    assert Wheel(8) == Wheel() and hash(Wheel(8)) == hash(Wheel())
    assert Wheel(9) != Wheel() and Bike() != Wheel() and Bike(front=Wheel(9)) != Bike()


def test_overriding_leaves_the_options_as_they_are() -> None:
    bike = Bike()
    assert bike.override() == bike
    assert bike.override("front.spokes=3", "front.spokes=4") == Bike(front=Wheel(4))
    # What a setting does not name keeps its value, also where that is the default of the whole.
    assert bike.override("rear.pressure=2") == Bike(rear=Wheel(12, 2.0))
    assert bike == Bike()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Bike(gaer="hub"), "Unknown option 'gaer'. Did you mean gear?"),
        (lambda: Bike(gear="hab"), "Option 'gear' takes one of single, hub, not 'hab' (str). Did you mean hub?"),
        (lambda: Bike(front={"spoke": 1}), "Unknown option 'front.spoke'. Did you mean front.spokes?"),
        (lambda: Bike(front={"spokes": 1.5}), "Option 'front.spokes' takes int, not 1.5 (float)."),
        (lambda: Bike(front=8), "Option 'front' takes a mapping of options, not 8 (int)."),
        (lambda: Bike.from_dict({"gaer": 1}), "Unknown option 'gaer'. Did you mean gear?"),
        (lambda: Bike.from_dict(5), "Option 'configuration' takes a mapping of options, not 5 (int)."),
        (lambda: Bike().override("front.spoke=1"), "Unknown option 'front.spoke'. Did you mean front.spokes?"),
        (lambda: Bike().override("front.spokes=x"), "Option 'front.spokes' takes int, not 'x' (str)."),
        (lambda: Bike().override("gear"), "'gear' sets nothing. Write it as part.option=value."),
        (lambda: Bike().override({"gear": "hub"}), "sets nothing. Write texts such as 'part.option=value'."),
        (lambda: Bike().override(["gear=hub"]), "sets nothing. Write texts such as 'part.option=value'."),
        (lambda: Bike.from_yaml("none.yaml"), "none.yaml cannot be read"),
    ],
)
def test_what_cannot_be_used_is_named(make: Any, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert words in str(caught.value)


@dataclass(frozen=True)
class Paint(Options):
    name: str = ""
    coats: int = 1


@dataclass(frozen=True)
class Matt(Paint):
    name: Literal["matt"] = "matt"


@dataclass(frozen=True)
class Gloss(Paint):
    name: Literal["gloss"] = "gloss"
    shine: float = 0.5


@dataclass(frozen=True)
class Wall(Options):
    paint: Paint = field(default_factory=Matt)


def test_the_name_in_a_mapping_tells_the_member_of_a_family() -> None:
    open_family(Paint, "Mix your own.")
    try:
        add_variant(Paint, Matt)
        add_variant(Paint, Gloss)
        assert Paint.from_dict({"name": "gloss", "shine": 1}) == Gloss(shine=1.0)
        assert Paint.from_dict({"coats": 2}) == Matt(coats=2)
        assert Gloss.from_dict({"coats": 2}) == Gloss(coats=2)
        assert Wall(paint={"name": "gloss"}) == Wall(Gloss())  # type: ignore[arg-type]
        assert repr(Wall(Gloss(coats=2))) == "Wall(paint=Gloss(coats=2))"
        with pytest.raises(ConfigurationError, match=r"'name' takes one of matt, gloss, not 'glos'.*mean gloss"):
            Paint.from_dict({"name": "glos"})
        with pytest.raises(ConfigurationError, match=r"'paint' takes a mapping.*Write \{'name': 'gloss'\}\.$"):
            Wall(paint="gloss")  # type: ignore[arg-type]
    finally:
        del schema._FAMILIES[Paint]


def test_a_class_may_show_itself_otherwise() -> None:
    @dataclass(frozen=True)
    class Secret(Options):
        token: str = "x"

        def __repr__(self) -> str:
            return "a secret"

    @dataclass(frozen=True)
    class Deeper(Secret):
        more: int = 1

    assert repr(Secret()) == repr(Deeper()) == "a secret"
