"""YAML whose plain words mean what JSON's do."""

from __future__ import annotations

import re
from typing import Any

import yaml

from attrformer.errors import ConfigurationError


class _Loader(yaml.SafeLoader):
    """YAML whose plain words mean what JSON's do: `off` and `no` stay text, `1e-3` is a number."""


class _Dumper(yaml.SafeDumper):
    """YAML that `_Loader` reads as it was: texts are quoted where they would be words of another type."""


_Loader.yaml_implicit_resolvers = {}
_Dumper.yaml_implicit_resolvers = {}
_Dumper.add_representer(
    list, lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)
)
# Outside of double quotes YAML folds every kind of line end into one.
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"'
    ),
)

MOST_VALUES = 100_000
"""Values that one text may stand for; far more than any plan of runs holds."""

_NUMBER = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
for _tag, _pattern, _first in (
    ("null", r"(null|Null|NULL|~|)", ["n", "N", "~", ""]),
    ("bool", r"(true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", rf"({_NUMBER}|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))", list("-+0123456789.")),
    ("merge", r"<<", ["<"]),
):
    for _side in (_Loader, _Dumper):
        _side.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^{_pattern}$"), _first)


def parse_yaml(text: str, *, source: str) -> Any:
    """The value that a YAML text says.

    Args:
        text: YAML.
        source: named in the error.

    Raises:
        ConfigurationError: the text is not YAML, nested too deeply, or means far more values than it writes.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > MOST_VALUES:
            raise ConfigurationError(f"{source}: the aliases stand for too many values. Write fewer of them.")
        return loader.construct_document(node)
    except (RecursionError, _Endless):
        raise ConfigurationError(
            f"{source}: the value is nested too deeply. Options need no more than a few levels."
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(
            f"{source}: the value is not YAML ({error}). Quote texts with special signs."
        ) from error
    finally:
        loader.dispose()


def yaml_text(value: Any) -> str:
    """A value as YAML, which `parse_yaml` reads as it was: mappings a key a line, lists in one line.

    Args:
        value: nested dicts, lists, texts, numbers, truth values and None.
    """
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Endless(Exception):
    """An alias stands for something that it is itself a part of."""


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for, each alias counted as what it repeats.

    Args:
        node: of a document.
        known: sizes of the nodes that were counted; 0 while one is being counted.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1
    found = known.get(id(node))
    if found == 0:
        raise _Endless
    if found is None:
        known[id(node)] = 0
        inner = node.value if isinstance(node, yaml.SequenceNode) else [one for pair in node.value for one in pair]
        found = known[id(node)] = 1 + sum(_size(one, known) for one in inner)
    return found
