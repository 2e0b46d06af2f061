"""Dataclasses of options: checked when made, read from and written to mappings, settings and YAML, and listed."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from attrformer.config.parse import check_names, converted, from_dict, load_yaml, override, to_dict
from attrformer.config.schema import VARIANT, alternatives, default_of, plain, type_text, variant_of, variants_of
from attrformer.io import write_text

if TYPE_CHECKING:
    from typing_extensions import Self


class Options:
    """Base of dataclasses of options: names and types are checked when one is made, and mappings become parts.

    So `TrainingConfig(epochs="5")` is refused at once, and `Config(training={"epochs": 5})` is what it looks like. Two
    are equal where all their options are; what is shown names the options that differ from their defaults. A derived
    class that has a `__post_init__` of its own begins it with that of this class.
    """

    EARLIER_NAMES: ClassVar[Mapping[str, str]] = {}
    """Earlier name of an option to its name of today; mappings and settings may have either."""

    if not TYPE_CHECKING:
        # Type checkers would take these arguments, which may be any, for those of every derived class.
        def __new__(cls, *arguments: Any, **named: Any) -> Any:
            """An instance whose fields are set by the dataclass.

            Raises:
                ConfigurationError: there is no option of that name.
            """
            check_names(cls, named, "")
            return super().__new__(cls)

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        # A dataclass makes a __repr__ of its own where the class itself has none.
        cls.__repr__ = cls.__repr__  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        """Converts every value to the type of its option.

        Raises:
            ConfigurationError: a value does not fit its option.
        """
        given = {field.name: getattr(self, field.name) for field in _fields(self)}
        for name, value in converted(type(self), given, "").items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """The call that makes equal options, with those alone that differ from their defaults."""
        values = {field.name: getattr(self, field.name) for field in _fields(self) if field.repr}
        defaults = {field.name: default_of(field) for field in _fields(self)}
        shown = [f"{name}={value!r}" for name, value in values.items() if value != defaults[name]]
        return f"{type(self).__qualname__}({', '.join(shown)})"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Options from nested mappings, as `to_dict` and YAML or JSON files have them.

        Args:
            values: by name of the option, those of a part in a mapping of their own; what is not named keeps its
                default.

        Returns:
            The options; of a family such as `ModelConfig`, those of the member that `name` says.

        Raises:
            ConfigurationError: an option is unknown, missing, or has a value that it does not take.
        """
        return from_dict(cls, values)

    @classmethod
    def from_yaml(cls, path: Path | str) -> Self:
        """Options from a YAML file; what the file does not name keeps its default.

        Args:
            path: of the file, in UTF-8.

        Returns:
            The options.

        Raises:
            ConfigurationError: the file cannot be read or is not YAML, or an option in it is unknown or has a value
                that it does not take.
        """
        return load_yaml(cls, path)

    def override(self, *settings: str) -> Self:
        """The same options with some changed, by settings as `--set` takes them.

        Args:
            settings: texts such as "training.epochs=5"; the value is read as YAML, and later ones win.

        Returns:
            New options; these stay as they are.

        Raises:
            ConfigurationError: a setting is no such text, its option is unknown, or the value does not fit.
        """
        return override(self, settings)

    def to_dict(self) -> dict[str, Any]:
        """All options as nested dicts and lists, which JSON and YAML can hold.

        Returns:
            A new dict; `from_dict` of it, also through JSON, gives equal options.
        """
        return to_dict(self)

    def to_yaml(self, path: Path | str) -> None:
        """Writes all options to a YAML file, from which `from_yaml` reads equal ones.

        Args:
            path: of the file, replaced as a whole where it exists.

        Raises:
            WriteError: the file cannot be written; what was there before is as it was.
        """
        from attrformer.config.words import yaml_text

        write_text(Path(path), yaml_text(to_dict(self)))


def _fields(options: Options) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(options)  # type: ignore[arg-type]


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
