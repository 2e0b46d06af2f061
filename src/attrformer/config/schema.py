"""What the types of options say: parts, variants of a part, their names in messages, and names of earlier versions."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
import warnings
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, Union

from attrformer.errors import AttrFormerWarning, ConfigurationError

VARIANT = "name"
"""Field that tells the dataclasses of a union, or of an open family, apart."""

_SHOWN = 300
"""Characters of a wrong value that a message repeats."""


class _Family(NamedTuple):
    advice: str
    members: dict[str, type]


_FAMILIES: Final[dict[type, _Family]] = {}


def open_family(base: type, advice: str) -> None:
    """Lets options that are typed as a base dataclass be any of the variants that are added to it, now or later.

    Args:
        base: the dataclass; what has no `name` of its own among its variants cannot be given.
        advice: added to the message where a name is not known, to tell how variants are added.
    """
    _FAMILIES[base] = _Family(advice, {})


def add_variant(base: type, variant: type) -> None:
    """Adds a variant to an open family; one of the same name is replaced, the first is what is meant by default.

    Args:
        base: of the family.
        variant: a dataclass derived from it, whose field `name` is a `Literal` of one text.

    Raises:
        ConfigurationError: it is no such dataclass.
    """
    text = name_of(variant)
    if text is None or not issubclass(variant, base):
        raise ConfigurationError(
            f"{getattr(variant, '__name__', variant)} is no variant of {base.__name__}. Derive it from that class, "
            f'decorate it with @dataclass(frozen=True), and give it a name: {VARIANT}: Literal["..."] = "...".'
        )
    _FAMILIES[base].members[text] = variant


def name_of(variant: Any) -> str | None:
    """The name of a variant; None for what is no dataclass, or one whose field `name` is no `Literal` of one text."""
    if not (isinstance(variant, type) and dataclasses.is_dataclass(variant)):
        return None
    hint = typing.get_type_hints(variant).get(VARIANT)
    known = typing.get_args(hint) if typing.get_origin(hint) is Literal else ()
    return known[0] if len(known) == 1 and isinstance(known[0], str) else None


def variants_of(kind: Any) -> dict[str, Any]:
    """The dataclasses of a union or an open family by their field `name`; empty where that does not tell them apart."""
    if isinstance(kind, type) and kind in _FAMILIES:
        return dict(_FAMILIES[kind].members)
    found: dict[str, Any] = {}
    options = [option for option in alternatives(kind) if option is not type(None)]
    for option in options if len(options) > 1 else ():
        name = name_of(option)
        if name is None:
            return {}
        found[name] = option
    return found


def has_variants(kind: Any) -> bool:
    """Whether a `name` decides which dataclass is meant; that of an open family also before a variant is added."""
    return (isinstance(kind, type) and kind in _FAMILIES) or bool(variants_of(kind))


def variant_of(kind: Any, mapping: Mapping[str, Any], prefix: str) -> Any:
    """The dataclass that a mapping of options is for, the first of the variants where it does not say."""
    variants = variants_of(kind)
    name = mapping.get(VARIANT, next(iter(variants), None))
    if name not in variants:
        near = difflib.get_close_matches(str(name).lower(), list(variants), n=1)
        advice = ""
        if near:
            advice = f" Did you mean {near[0]}?"
        elif isinstance(kind, type):
            advice = f" {_FAMILIES[kind].advice}"
        wanted = f"one of {', '.join(variants)}" if variants else "the name of what was registered, nothing so far"
        raise wrong(f"{prefix}{VARIANT}", wanted, name, advice)
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


def default_of(field: dataclasses.Field[Any]) -> Any:
    """The default of a field; `dataclasses.MISSING` where it has none."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def wrong(name: str, wanted: str, value: Any, advice: str = "") -> ConfigurationError:
    """The error of a value that an option does not take.

    Args:
        name: of the option, dotted.
        wanted: what it takes.
        value: what was given.
        advice: added to the message, with a space before it.
    """
    shown = repr(value)
    if len(shown) > _SHOWN:
        shown = f"{shown[:_SHOWN]} ..."
    return ConfigurationError(f"Option '{name}' takes {wanted}, not {shown} ({type(value).__name__}).{advice}")


def name_of_today(kind: Any, name: Any, prefix: str) -> Any:
    """The name of an option that may be given by an earlier one, with a warning where it is.

    Args:
        kind: type of the part; a dataclass says by `EARLIER_NAMES` what its options were called.
        name: as given.
        prefix: what stands before a name in a message, such as "training.".
    """
    for option in alternatives(kind):
        new = getattr(option, "EARLIER_NAMES", {}).get(name) if isinstance(name, str) else None
        if new is not None:
            warn_of(f"{prefix}{name}", f"{prefix}{new}")
            return new
    return name


def warn_of(earlier: str, name: str) -> None:
    """Warns that an option is given by an earlier name.

    Args:
        earlier: the name, as given.
        name: of today.
    """
    note = f"The option '{earlier}' is called '{name}' now. The earlier name is still read."
    warnings.warn(note, AttrFormerWarning, stacklevel=3)


def under_names_of_today(cls: Any, mapping: Mapping[Any, Any], prefix: str) -> dict[Any, Any]:
    """Options of a part, those with earlier names under the names of today.

    Args:
        cls: the dataclass of the part.
        mapping: as given.
        prefix: what stands before a name in a message, such as "training.".

    Raises:
        ConfigurationError: an option is given under both names.
    """
    renamed: dict[Any, Any] = {}
    for given, value in mapping.items():
        name = name_of_today(cls, given, prefix)
        if name != given and name in mapping:
            raise ConfigurationError(f"'{prefix}{given}' is called '{prefix}{name}' now, and both are set. Set one.")
        renamed[name] = value
    return renamed
