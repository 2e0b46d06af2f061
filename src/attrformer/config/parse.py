"""Configurations to and from plain values, dotted overrides, and YAML files."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, Union

from attrformer.config.schema import (
    VARIANT,
    alternatives,
    has_variants,
    name_of_today,
    plain,
    type_text,
    under_names_of_today,
    variant_of,
    variants_of,
    wrong,
)
from attrformer.errors import ConfigurationError

C = TypeVar("C")

OTHER_FORMS: Final = "other_forms"
"""Class method of options that may be written in several forms: from values as given to those of their types."""


def to_dict(config: Any) -> dict[str, Any]:
    """A configuration as nested dicts and lists that JSON and YAML can hold.

    Args:
        config: an instance of a configuration dataclass.

    Returns:
        A new dict; `from_dict` of it, also through JSON, gives an equal configuration.
    """
    tree = plain(config)
    assert isinstance(tree, dict)
    return tree


def from_dict(cls: type[C], mapping: Mapping[str, Any]) -> C:
    """A configuration from nested dicts; what is not named keeps its default.

    Args:
        cls: the configuration dataclass, or the base of an open family, whose member the mapping's `name` tells.
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
    from attrformer.config.words import parse_yaml

    tree, texts = to_dict(config), list[Any](assignments)
    for assignment in texts:
        if not isinstance(assignment, str):
            raise ConfigurationError(f"{assignment!r} sets nothing. Write texts such as 'part.option=value'.")
    # Which variant of a part is meant comes first, since its other options depend on it.
    for assignment in sorted(texts, key=lambda text: not text.partition("=")[0].strip().endswith(f".{VARIANT}")):
        name, equals, text = assignment.partition("=")
        keys = name.strip().split(".")
        if not equals or not all(keys):
            raise ConfigurationError(f"'{assignment}' sets nothing. Write it as part.option=value.")
        _set(tree, type(config), keys, parse_yaml(text, source=name.strip()))
    return from_dict(type(config), tree)


def load_yaml(cls: type[C], path: Path | str) -> C:
    """A configuration from a YAML file; what the file does not name keeps its default.

    Raises:
        ConfigurationError: the file is missing or not YAML, or `from_dict` refuses its content.
    """
    from attrformer.config.words import parse_yaml

    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The configuration file {path} cannot be read ({error}). Give the path of a UTF-8 YAML file."
        ) from error
    content = parse_yaml(text, source=str(path))
    if content is not None and not isinstance(content, dict):
        raise ConfigurationError(f"{path} is not a mapping. Write one 'part:' per line, its options indented below.")
    try:
        return from_dict(cls, content or {})
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _set(tree: dict[str, Any], kind: Any, keys: Sequence[str], value: Any) -> None:
    node, prefix = tree, ""
    for given in keys[:-1]:
        key = name_of_today(kind, given, prefix)
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
            kind = variant_of(kind, node, prefix)
    last = name_of_today(kind, keys[-1], prefix)
    leaf = _member(kind, last, prefix)
    if dataclasses.is_dataclass(leaf):
        names = ", ".join(f"{prefix}{last}.{field.name}" for field in dataclasses.fields(leaf))
        raise ConfigurationError(f"'{prefix}{last}' is a part, not an option. Set one of its options: {names}.")
    node[last] = value


def _member(kind: Any, key: str, prefix: str) -> Any:
    """The type of `key` inside a part or a mapping of type `kind`."""
    for option in alternatives(kind):
        if dataclasses.is_dataclass(option):
            check_names(option, [key], prefix)
            return _hints(typing.cast(Any, option))[key]
        if typing.get_origin(option) is dict:
            value = typing.get_args(option)[1]
            # A key of texts may hold a point itself, such as a table and its column.
            return option if value is str else value
    raise ConfigurationError(
        f"'{prefix.rstrip('.')}' is a single value of type {type_text(kind)}, it has no '{key}'. "
        f"Write {prefix.rstrip('.')}=value."
    )


def check_names(cls: Any, names: Iterable[Any], prefix: str) -> None:
    """Refuses names that are no options of a configuration dataclass.

    Args:
        cls: the dataclass.
        names: as given.
        prefix: what stands before a name in a message, such as "training.".

    Raises:
        ConfigurationError: one is none; the message says which are near.
    """
    known = [field.name for field in dataclasses.fields(cls) if field.init]
    for name in [name for name in names if name not in known]:
        matches = difflib.get_close_matches(str(name).lower(), known, n=3) or _inside(cls, name)
        if name in getattr(cls, "EARLIER_NAMES", {}):
            raise ConfigurationError(f"'{prefix}{name}' is called '{prefix}{cls.EARLIER_NAMES[name]}' now.")
        near = " or ".join(prefix + match for match in matches)
        advice = f"Did you mean {near}?" if near else f"Known here: {', '.join(known)}."
        raise ConfigurationError(f"Unknown option '{prefix}{name}'. {advice}")


def _inside(cls: Any, name: Any) -> list[str]:
    """Options of that name in the parts of a configuration, for who left the part out."""
    found = []
    for part, kind in _hints(cls).items():
        for one in (*alternatives(kind), *variants_of(kind).values()):
            today = getattr(one, "EARLIER_NAMES", {}).get(name, name)
            if dataclasses.is_dataclass(one) and any(today == field.name for field in dataclasses.fields(one)):
                found.append(f"{part}.{today}")
                break
    return found


def _build(cls: Any, mapping: Any, prefix: str) -> Any:
    if dataclasses.is_dataclass(mapping) and isinstance(mapping, cls):
        return mapping
    if not isinstance(mapping, Mapping):
        advice = ""
        if isinstance(mapping, str) and mapping in variants_of(cls):
            advice = f" Write {{'{VARIANT}': '{mapping}'}}."
        elif isinstance(mapping, type) and issubclass(mapping, cls):
            advice = f" Write {mapping.__name__}()."
        raise wrong(prefix.rstrip(".") or "configuration", "a mapping of options", mapping, advice)
    if has_variants(cls):
        cls = variant_of(cls, mapping, prefix)
    mapping = under_names_of_today(cls, mapping, prefix)
    check_names(cls, mapping, prefix)
    hints = _hints(cls)
    for field in dataclasses.fields(cls):
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if field.init and required and field.name not in mapping:
            raise ConfigurationError(
                f"Option '{prefix}{field.name}' is missing. Give it a value of type {type_text(hints[field.name])}."
            )
    if hasattr(cls, OTHER_FORMS):
        mapping = getattr(cls, OTHER_FORMS)(mapping)
    values = converted(cls, mapping, prefix)
    try:
        return cls(**values)
    except ConfigurationError as error:
        # A part names its option first but does not know where it stands itself.
        raise ConfigurationError(f"{prefix}{error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{prefix.rstrip('.')}: {error}" if prefix else str(error)) from error


def converted(cls: Any, values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The values of options, each as its type says.

    Args:
        cls: the dataclass of the options.
        values: by name.
        prefix: what stands before a name in a message, such as "training.".

    Raises:
        ConfigurationError: a value is of another type.
    """
    hints = _hints(cls)
    return {key: _convert(hints[key], _plain(value), f"{prefix}{key}") for key, value in values.items()}


def _plain(value: Any) -> Any:
    """A single value of NumPy as one of Python; all else as it is."""
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0 else value


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _convert(kind: Any, value: Any, name: str) -> Any:
    """The value as an instance of `kind`; lists become tuples and whole numbers become floats where asked for."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(value, Mapping) and variants_of(kind):
        return _build(kind, value, f"{name}.")
    if origin in (Union, types.UnionType):
        return _convert_union(kind, value, name)
    if origin is Literal:
        if any(value == choice and type(value) is type(choice) for choice in arguments):
            return value
        near = difflib.get_close_matches(str(value).lower(), [str(choice) for choice in arguments], n=1)
        advice = f" Did you mean {near[0]}?" if near else ""
        raise wrong(name, f"one of {', '.join(map(str, arguments))}", value, advice)
    if origin is tuple and isinstance(value, (list, tuple)):
        kinds = [arguments[0]] * len(value) if arguments[-1:] == (Ellipsis,) else list(arguments)
        if len(kinds) == len(value):
            numbered = enumerate(zip(kinds, value, strict=True))
            return tuple(_convert(inner, item, f"{name}[{index}]") for index, (inner, item) in numbered)
    if origin is dict and isinstance(value, Mapping):
        value = _joined(value) if arguments[1] is str else value
        return {_key(key, name): _convert(arguments[1], item, f"{name}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, f"{name}.")
    if kind is float and type(value) in (int, float) and not math.isnan(value):
        return float(value)
    if kind in (int, bool, str) and type(value) is kind:
        return value
    if kind is type(None) and value is None:
        return None
    raise wrong(name, type_text(kind), value)


def _joined(values: Mapping[Any, Any], prefix: str = "") -> dict[Any, Any]:
    """A mapping whose nested mappings are written as keys with points."""
    found: dict[Any, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}" if prefix else key
        found |= _joined(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found


def _convert_union(kind: Any, value: Any, name: str) -> Any:
    problems = []
    for option in alternatives(kind):
        if (value is None) != (option is type(None)):
            continue
        try:
            return _convert(option, value, name)
        except ConfigurationError as error:
            problems.append(error)
    # With one alternative its own message is the more precise one: it may name an option inside the part.
    if len(problems) == 1 and isinstance(value, Mapping):
        raise problems[0]
    raise wrong(name, type_text(kind), value)


def _key(key: Any, name: str) -> str:
    if not isinstance(key, str):
        raise wrong(name, "a mapping with text keys", key, " Quote the key.")
    return key
