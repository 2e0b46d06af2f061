"""Every option of a configuration with its type, default and meaning."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from attrformer.config.schema import VARIANT, alternatives, default_of, plain, type_text, variant_of, variants_of


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


def describe(cls: type[Any], variants: Mapping[str, str] | None = None) -> list[Option]:
    """Every option of a configuration dataclass, parts expanded, in the order of declaration.

    Args:
        cls: the configuration dataclass.
        variants: which variant of a part to expand, by the name of the part; its default where not named.

    Raises:
        ConfigurationError: a part has no such variant.
    """
    return list(_describe(cls, "", None, variants or {}))


def _describe(cls: Any, prefix: str, defaults: Any, variants: Mapping[str, str]) -> Iterable[Option]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        kind, name = hints[field.name], f"{prefix}{field.name}"
        default = default_of(field) if defaults is None else getattr(defaults, field.name)
        known = variants_of(kind)
        if known:
            chosen = variant_of(kind, {VARIANT: variants[name]}, f"{name}.") if name in variants else type(default)
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
        yield Option(name, type_text(kind), plain(default), str(field.metadata.get("help", "")))
        for option in alternatives(kind):
            if dataclasses.is_dataclass(option):
                inner = default if isinstance(default, typing.cast(type, option)) else None
                yield from _describe(option, f"{name}.", inner, variants)
