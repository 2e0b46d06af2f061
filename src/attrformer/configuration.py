"""Nested frozen dataclasses as configuration: to and from plain values, dotted overrides, YAML and help."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, Union

import yaml

from attrformer.errors import ConfigurationError

C = TypeVar("C")

VARIANT = "name"
"""Field that tells the dataclasses of a union apart."""


class Option(NamedTuple):
    """One configuration option, as `describe` lists it.

    Args:
        name: dotted name, such as `training.epochs`.
        type: the values it takes, as text.
        default: the default as a plain value; `dataclasses.MISSING` where the option must be given.
        help: one sentence from the field's metadata, empty where there is none.
    """

    name: str
    type: str
    default: Any
    help: str


class _Loader(yaml.SafeLoader):
    """YAML whose plain words mean what JSON's do: `off` and `no` stay text, `1e-3` is a number."""


_Loader.yaml_implicit_resolvers = {}
_NUMBER = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
for _tag, _pattern, _first in (
    ("null", r"(null|Null|NULL|~|)", ["n", "N", "~", ""]),
    ("bool", r"(true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", rf"({_NUMBER}|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))", list("-+0123456789.")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^{_pattern}$"), _first)


def to_dict(config: Any) -> dict[str, Any]:
    """A configuration as nested dicts and lists that JSON and YAML can hold.

    Args:
        config: an instance of a configuration dataclass.

    Returns:
        A new dict; `from_dict` of it, also through JSON, gives an equal configuration.
    """
    plain = _plain(config)
    assert isinstance(plain, dict)
    return plain


def from_dict(cls: type[C], mapping: Mapping[str, Any]) -> C:
    """A configuration from nested dicts; what is not named keeps its default.

    Args:
        cls: the configuration dataclass.
        mapping: values by option name, nested by part.

    Raises:
        ConfigurationError: an unknown option, a value of the wrong type, or a missing option without default.
    """
    return typing.cast(C, _build(cls, mapping, ""))


def override(config: C, assignments: Iterable[str]) -> C:
    """The same configuration with some options changed.

    Args:
        config: an instance of a configuration dataclass.
        assignments: texts such as `training.epochs=5`; the value is read as YAML.

    Raises:
        ConfigurationError: an assignment without `=`, an unknown option, or a value that does not fit.
    """
    tree = to_dict(config)
    # Which variant of a part is meant comes first, since its other options depend on it.
    for assignment in sorted(assignments, key=lambda text: not text.partition("=")[0].strip().endswith(f".{VARIANT}")):
        name, equals, text = assignment.partition("=")
        keys = name.strip().split(".")
        if not equals or not all(keys):
            raise ConfigurationError(f"'{assignment}' sets nothing. Write it as part.option=value.")
        _set(tree, type(config), keys, _parse(text, source=name.strip()))
    return from_dict(type(config), tree)


def load_yaml(cls: type[C], path: Path | str) -> C:
    """A configuration from a YAML file; what the file does not name keeps its default.

    Raises:
        ConfigurationError: the file is missing or not YAML, or `from_dict` refuses its content.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The configuration file {path} cannot be read ({error}). Give the path of a UTF-8 YAML file."
        ) from error
    content = _parse(text, source=str(path))
    if content is not None and not isinstance(content, dict):
        raise ConfigurationError(
            f"{path} is not a mapping. Write one 'part:' per line with its options indented below."
        )
    try:
        return from_dict(cls, content or {})
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def describe(cls: type[Any], variants: Mapping[str, str] | None = None) -> list[Option]:
    """Every option of a configuration dataclass, parts expanded, in the order of declaration.

    Args:
        cls: the configuration dataclass.
        variants: which variant of a part to expand, by the name of the part; its default where not named.

    Raises:
        ConfigurationError: a part has no such variant.
    """
    return list(_describe(cls, "", None, variants or {}))


def variants_of(kind: Any) -> dict[str, Any]:
    """The dataclasses of a union by the value of their field `name`; empty where that does not tell them apart."""
    found = {}
    options = [option for option in _alternatives(kind) if option is not type(None)]
    for option in options:
        hint = typing.get_type_hints(option).get(VARIANT) if dataclasses.is_dataclass(option) else None
        if len(options) < 2 or typing.get_origin(hint) is not Literal:
            return {}
        found[typing.get_args(hint)[0]] = option
    return found


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _parse(text: str, *, source: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"{source}: the value is not YAML ({error}). Quote texts with special signs."
        ) from error


def _set(tree: dict[str, Any], kind: Any, keys: Sequence[str], value: Any) -> None:
    node, prefix = tree, ""
    for key in keys[:-1]:
        kind = _member(kind, key, prefix)
        prefix += f"{key}."
        if not isinstance(node.get(key), dict):
            node[key] = {}
        node = node[key]
        if variants_of(kind):
            if f"{prefix}{VARIANT}" == ".".join(keys) and node.get(VARIANT) != value:
                # Options of one variant mean nothing to another.
                node.clear()
                node[VARIANT] = value
            kind = _variant(kind, node, prefix)
    leaf = _member(kind, keys[-1], prefix)
    if dataclasses.is_dataclass(leaf):
        names = ", ".join(f"{prefix}{keys[-1]}.{field.name}" for field in dataclasses.fields(leaf))
        raise ConfigurationError(f"'{prefix}{keys[-1]}' is a part, not an option. Set one of its options: {names}.")
    node[keys[-1]] = value


def _variant(kind: Any, mapping: Mapping[str, Any], prefix: str) -> Any:
    """The dataclass that a mapping of options is for, the first of the union where it does not say."""
    variants = variants_of(kind)
    name = mapping.get(VARIANT, next(iter(variants)))
    if name not in variants:
        near = difflib.get_close_matches(str(name), list(variants), n=1)
        advice = f" Did you mean {near[0]}?" if near else ""
        raise _wrong(f"{prefix}{VARIANT}", f"one of {', '.join(variants)}", name, advice)
    return variants[name]


def _member(kind: Any, key: str, prefix: str) -> Any:
    """The type of `key` inside a part or a mapping of type `kind`."""
    for option in _alternatives(kind):
        if dataclasses.is_dataclass(option):
            hints = typing.get_type_hints(option)
            _check_names(option, [key], prefix)
            return hints[key]
        if typing.get_origin(option) is dict:
            return typing.get_args(option)[1]
    raise ConfigurationError(
        f"'{prefix.rstrip('.')}' is a single value of type {_type_text(kind)}, it has no '{key}'. "
        f"Write {prefix.rstrip('.')}=value."
    )


def _check_names(cls: Any, names: Iterable[Any], prefix: str) -> None:
    known = [field.name for field in dataclasses.fields(cls) if field.init]
    for name in [name for name in names if name not in known]:
        near = " or ".join(prefix + match for match in difflib.get_close_matches(str(name), known, n=3))
        advice = f"Did you mean {near}?" if near else f"Known here: {', '.join(known)}."
        raise ConfigurationError(f"Unknown option '{prefix}{name}'. {advice}")


def _build(cls: Any, mapping: Any, prefix: str) -> Any:
    if dataclasses.is_dataclass(mapping) and isinstance(mapping, cls):
        return mapping
    if not isinstance(mapping, Mapping):
        raise _wrong(prefix.rstrip(".") or "configuration", "a mapping of options", mapping)
    _check_names(cls, mapping, prefix)
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if field.init and required and field.name not in mapping:
            raise ConfigurationError(
                f"Option '{prefix}{field.name}' is missing. Give it a value of type {_type_text(hints[field.name])}."
            )
    values = {key: _convert(hints[key], value, f"{prefix}{key}") for key, value in mapping.items()}
    try:
        return cls(**values)
    except ConfigurationError as error:
        # A part names its option first but does not know where it stands itself.
        raise ConfigurationError(f"{prefix}{error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{prefix.rstrip('.')}: {error}" if prefix else str(error)) from error


def _convert(kind: Any, value: Any, name: str) -> Any:
    """The value as an instance of `kind`; lists become tuples and whole numbers become floats where asked for."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return _convert_union(kind, value, name)
    if origin is Literal:
        if any(value == choice and type(value) is type(choice) for choice in arguments):
            return value
        near = difflib.get_close_matches(str(value), [str(choice) for choice in arguments], n=1)
        advice = f" Did you mean {near[0]}?" if near else ""
        raise _wrong(name, f"one of {', '.join(map(str, arguments))}", value, advice)
    if origin is tuple and isinstance(value, (list, tuple)):
        kinds = [arguments[0]] * len(value) if arguments[-1:] == (Ellipsis,) else list(arguments)
        if len(kinds) == len(value):
            numbered = enumerate(zip(kinds, value, strict=True))
            return tuple(_convert(inner, item, f"{name}[{index}]") for index, (inner, item) in numbered)
    if origin is dict and isinstance(value, Mapping):
        return {_key(key, name): _convert(arguments[1], item, f"{name}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, f"{name}.")
    if kind is float and type(value) in (int, float) and not math.isnan(value):
        return float(value)
    if kind in (int, bool, str) and type(value) is kind:
        return value
    if kind is type(None) and value is None:
        return None
    raise _wrong(name, _type_text(kind), value)


def _convert_union(kind: Any, value: Any, name: str) -> Any:
    if isinstance(value, Mapping) and variants_of(kind):
        return _build(_variant(kind, value, f"{name}."), value, f"{name}.")
    problems = []
    for option in _alternatives(kind):
        if (value is None) != (option is type(None)):
            continue
        try:
            return _convert(option, value, name)
        except ConfigurationError as error:
            problems.append(error)
    # With one alternative its own message is the more precise one: it may name an option inside the part.
    if len(problems) == 1 and isinstance(value, Mapping):
        raise problems[0]
    raise _wrong(name, _type_text(kind), value)


def _key(key: Any, name: str) -> str:
    if not isinstance(key, str):
        raise _wrong(name, "a mapping with text keys", key, " Quote the key.")
    return key


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) in (Union, types.UnionType) else (kind,)


def _wrong(name: str, wanted: str, value: Any, advice: str = "") -> ConfigurationError:
    return ConfigurationError(f"Option '{name}' takes {wanted}, not {value!r} ({type(value).__name__}).{advice}")


def _type_text(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is type(None):
        return "null"
    if origin in (Union, types.UnionType):
        return " | ".join(_type_text(option) for option in arguments)
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin is tuple:
        if arguments[-1:] == (Ellipsis,):
            return f"list of {_type_text(arguments[0])}"
        return f"[{', '.join(map(_type_text, arguments))}]"
    if origin is dict:
        return f"mapping of text to {_type_text(arguments[1])}"
    return "text" if kind is str else str(getattr(kind, "__name__", kind))


def _describe(cls: Any, prefix: str, defaults: Any, variants: Mapping[str, str]) -> Iterable[Option]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        kind, name = hints[field.name], f"{prefix}{field.name}"
        default = _default(field) if defaults is None else getattr(defaults, field.name)
        known = variants_of(kind)
        if known:
            chosen = _variant(kind, {VARIANT: variants[name]}, f"{name}.") if name in variants else type(default)
            names = Option(
                f"{name}.{VARIANT}", " | ".join(known), default.name, "which one; the options below are its own"
            )
            inner = default if isinstance(default, chosen) else None
            yield names
            yield from (o for o in _describe(chosen, f"{name}.", inner, variants) if o.name != names.name)
            continue
        if dataclasses.is_dataclass(kind):
            yield from _describe(kind, f"{name}.", None if default is dataclasses.MISSING else default, variants)
            continue
        yield Option(name, _type_text(kind), _plain(default), str(field.metadata.get("help", "")))
        for option in _alternatives(kind):
            if dataclasses.is_dataclass(option):
                inner = default if isinstance(default, typing.cast(type, option)) else None
                yield from _describe(option, f"{name}.", inner, variants)


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
