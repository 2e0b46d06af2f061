"""Values that options may have besides their defaults, found from what `attrformer options` says of each."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from attrformer.config import Option, add_variant, describe, variants_of
from attrformer.errors import ConfigurationError
from attrformer.models import ModelConfig
from attrformer.recommender import Config
from attrformer.relations import RelationOptions

MODELS = tuple(variants_of(ModelConfig))
"""The models of the library."""

NAME = "model.name"


@dataclass(frozen=True)
class ProbeOptions(RelationOptions):
    """Options of a relation from outside."""

    name: Literal["probe"] = "probe"
    share: float = field(default=0.0, metadata={"help": "any number"})


add_variant(RelationOptions, ProbeOptions)


def setting(name: str, value: Any) -> str:
    """What `--set` takes; JSON is YAML."""
    return f"{name}={json.dumps(value)}"


def nested(name: str, value: Any) -> dict[str, Any]:
    """One option as mappings within mappings."""
    first, _, rest = name.partition(".")
    return {first: nested(rest, value) if rest else value}


def value_at(values: dict[str, Any], name: str) -> Any:
    """The value of an option in the plain values of a configuration."""
    for key in name.split("."):
        values = values[key]
    return values


def names_in(values: dict[str, Any], known: set[str], prefix: str = "") -> Iterator[str]:
    """Names of all options in plain values; a mapping is an option where it is known as one."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        yield from names_in(value, known, f"{name}.") if isinstance(value, dict) and name not in known else [name]


def options_of(model: str) -> list[Option]:
    """Every option of a run with this model, but the model's name."""
    return [option for option in describe(Config, {"model": model}) if option.name != NAME]


@functools.cache
def another_value(model: str, name: str) -> Any:
    """A value of an option that is not its default and that can be used."""
    (option,) = (option for option in options_of(model) if option.name == name)
    base = Config(model={"name": model})
    for value in _candidates(option):
        if value == value_at(base.to_dict(), name):
            continue
        try:
            base.override(setting(name, value))
        except ConfigurationError:
            continue
        return value
    raise AssertionError(f"No value but the default was found for {name}: {option.type}")


def _candidates(option: Option) -> Iterator[Any]:
    """Values to try, by the words that tell the type of an option."""
    default = option.default
    for kind in option.type.split(" | "):
        if kind in ("int", "float"):
            number = default if isinstance(default, (int, float)) else 0.5 if kind == "float" else 3
            yield from (number, number * 2, number + 2)
            yield from (number / 2, number * 1.05, 0.25) if kind == "float" else (number + 1,)
        elif kind == "bool":
            yield from (True, False)
        elif kind.startswith("list of"):
            if kind == "list of RelationOptions":
                yield [{"name": "probe", "share": 0.5}]
            yield from ([3, 7],) if kind == "list of int" else (["off", "a b"], ["MRR"])
        elif kind.startswith("mapping"):
            yield from ({"items.a b": "multi"}, {"interactions": "user_id,item_id"})
        elif kind != "null":
            yield from ("cuda:1", "MRR@5", "event=a b") if kind == "text" else (kind,)
