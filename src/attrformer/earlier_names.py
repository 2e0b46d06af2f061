"""Names of relations, options and arguments in earlier versions, and what each of them is called today."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final, ParamSpec, TypeVar

from attrformer.errors import AttrFormerWarning, ConfigurationError

P = ParamSpec("P")
R = TypeVar("R")

RELATIONS: Final = {
    "near": "cooccurrence_near",
    "wide": "cooccurrence_wide",
    "next": "cooccurrence_next",
    "moment": "time_bucket",
    "identity": "repeat",
    "neighbours": "similar_users",
}
"""Relations, in saved models: earlier name to the name of today."""

OPTIONS: Final = {
    **{f"relations.{earlier}": f"relations.{name}" for earlier, name in RELATIONS.items()},
    "relations.moments": "relations.time_buckets",
    "relations.moment_reach": "relations.time_bucket_reach",
    "relations.neighbour_count": "relations.similar_users_count",
    "relations.neighbour_anchors": "relations.similar_users_anchors",
    "relations.neighbour_horizon": "relations.similar_users_horizon",
    "relations.neighbour_candidates": "relations.similar_users_candidates",
    "model.neighbour_states": "model.similar_user_states",
}
"""Options, in configurations: earlier name to the name of today."""

_EARLIER_OPTIONS: Final = {name: earlier for earlier, name in OPTIONS.items()}
_EARLIER_RELATIONS: Final = {name: earlier for earlier, name in RELATIONS.items()}


def of_part(part: str) -> dict[str, str]:
    """Earlier names of the options of one part, each with its name of today.

    Args:
        part: such as "relations".
    """
    pairs = ((earlier.partition("."), name.partition(".")) for earlier, name in OPTIONS.items())
    return {earlier[2]: name[2] for earlier, name in pairs if earlier[0] == part}


def option(name: str) -> str:
    """The name of today of an option.

    Args:
        name: with its part, such as "relations.near.window".
    """
    return _renamed(name, OPTIONS)


def earlier_option(name: str) -> str:
    """The inverse of `option`, for marks that were made of the names.

    Args:
        name: of today.
    """
    return _renamed(name, _EARLIER_OPTIONS)


def _renamed(name: str, names: Mapping[str, str]) -> str:
    parts = name.split(".")
    head = ".".join(parts[:2])
    return ".".join([names[head], *parts[2:]]) if head in names else name


def configuration(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored configuration under the names of today.

    Args:
        stored: all options as nested mappings.
    """
    return {
        part: {_inside(part, name): value for name, value in options.items()}
        if isinstance(options, Mapping)
        else options
        for part, options in stored.items()
    }


def _inside(part: str, name: str) -> str:
    return option(f"{part}.{name}").removeprefix(f"{part}.")


def parameter(name: str) -> str:
    """The name of today of a parameter of a network, which may hold the name of a relation.

    Args:
        name: such as "relations.near.gate.bias".
    """
    return _parameter(name, RELATIONS)


def earlier_parameter(name: str) -> str:
    """The inverse of `parameter`.

    Args:
        name: of today.
    """
    return _parameter(name, _EARLIER_RELATIONS)


def _parameter(name: str, names: Mapping[str, str]) -> str:
    # Only where a network keeps what belongs to a relation: a layer of one's own may be called "next".
    pattern = rf"(?<![^.])(relations|position_bias|temperature)\.({'|'.join(names)})(?![^.])"
    return re.sub(pattern, lambda found: f"{found[1]}.{names[found[2]]}", name)


def takes_earlier(
    names: Mapping[str, str], values: Mapping[str, str] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Lets a function take arguments by the names they had before, each with a warning.

    Args:
        names: earlier name to the name of today.
        values: what these arguments could be before, to the same of today.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for earlier in names.keys() & kwargs.keys():
                name, value = names[earlier], kwargs.pop(earlier)
                note = f"The argument '{earlier}' of {function.__name__} is called '{name}' now."
                if name in kwargs:
                    raise ConfigurationError(f"{note} Both are given. Give {name} alone.")
                kwargs[name] = (values or {}).get(value, value) if isinstance(value, str) else value
                warnings.warn(AttrFormerWarning(f"{note} The earlier name is still read."), stacklevel=2)
            return function(*args, **kwargs)

        return call

    return decorate
