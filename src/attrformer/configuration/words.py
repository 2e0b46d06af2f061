"""YAML whose plain words mean what JSON's do."""

from __future__ import annotations

import re
from typing import Any

import yaml

from attrformer.errors import ConfigurationError


class _Loader(yaml.SafeLoader):
    """YAML whose plain words mean what JSON's do: `off` and `no` stay text, `1e-3` is a number."""


_Loader.yaml_implicit_resolvers = {}
_NUMBER = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
for _tag, _pattern, _first in (
    ("null", r"(null|Null|NULL|~|)", ["n", "N", "~", ""]),
    ("bool", r"(true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", rf"({_NUMBER}|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))", list("-+0123456789.")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^{_pattern}$"), _first)


def parse_yaml(text: str, *, source: str) -> Any:
    """The value that a YAML text says.

    Args:
        text: YAML.
        source: named in the error.

    Raises:
        ConfigurationError: the text is not YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"{source}: the value is not YAML ({error}). Quote texts with special signs."
        ) from error
