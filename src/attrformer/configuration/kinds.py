"""What the types of options say: parts, variants of a part, and how they are called in messages."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Union

from attrformer.errors import ConfigurationError

VARIANT = "name"
"""Field that tells the dataclasses of a union apart."""


def variants_of(kind: Any) -> dict[str, Any]:
    """The dataclasses of a union by the value of their field `name`; empty where that does not tell them apart."""
    found = {}
    options = [option for option in alternatives(kind) if option is not type(None)]
    for option in options:
        hint = typing.get_type_hints(option).get(VARIANT) if dataclasses.is_dataclass(option) else None
        if len(options) < 2 or typing.get_origin(hint) is not Literal:
            return {}
        found[typing.get_args(hint)[0]] = option
    return found


def variant_of(kind: Any, mapping: Mapping[str, Any], prefix: str) -> Any:
    """The dataclass that a mapping of options is for, the first of the union where it does not say."""
    variants = variants_of(kind)
    name = mapping.get(VARIANT, next(iter(variants)))
    if name not in variants:
        near = difflib.get_close_matches(str(name), list(variants), n=1)
        advice = f" Did you mean {near[0]}?" if near else ""
        raise wrong(f"{prefix}{VARIANT}", f"one of {', '.join(variants)}", name, advice)
    return variants[name]


def alternatives(kind: Any) -> tuple[Any, ...]:
    """The types of a union; the type alone where it is none."""
    return typing.get_args(kind) if typing.get_origin(kind) in (Union, types.UnionType) else (kind,)


def type_text(kind: Any) -> str:
    """A type in the words of people who write configurations."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is type(None):
        return "null"
    if origin in (Union, types.UnionType):
        return " | ".join(type_text(option) for option in arguments)
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin is tuple:
        if arguments[-1:] == (Ellipsis,):
            return f"list of {type_text(arguments[0])}"
        return f"[{', '.join(map(type_text, arguments))}]"
    if origin is dict:
        return f"mapping of text to {type_text(arguments[1])}"
    return "text" if kind is str else str(getattr(kind, "__name__", kind))


def plain(value: Any) -> Any:
    """A value of nested dataclasses and sequences as dicts and lists."""
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def wrong(name: str, wanted: str, value: Any, advice: str = "") -> ConfigurationError:
    """The error of a value that an option does not take.

    Args:
        name: of the option, dotted.
        wanted: what it takes.
        value: what was given.
        advice: added to the message, with a space before it.
    """
    return ConfigurationError(f"Option '{name}' takes {wanted}, not {value!r} ({type(value).__name__}).{advice}")
