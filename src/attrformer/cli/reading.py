"""How a command is told to read the tables of `--data`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attrformer.cli.arguments import Repeated
from attrformer.errors import ConfigurationError

if TYPE_CHECKING:
    from attrformer.recommender import Config


def configured(
    config: Config,
    columns: Iterable[str] | None,
    kinds: Iterable[str] | None,
    separators: Iterable[str] | None,
    duplicates: Repeated | None,
    vectors: Iterable[str] | None = None,
    forms: Mapping[str, Any] | None = None,
) -> Config:
    """The options with what a command says of columns, which goes before what they said.

    Args:
        config: of a file, or of an earlier run.
        columns: texts such as `user_id=customer`.
        kinds: texts such as `items.year=numeric`.
        separators: texts such as `genres=, `.
        duplicates: what becomes of repeated rows.
        vectors: texts such as `image=image.npz`.
        forms: of dates and text files, by the names of the options.

    Raises:
        ConfigurationError: a text is no assignment.
    """
    data = replace(
        config.data,
        columns={**config.data.columns, **_pairs("--columns", columns)},
        kinds={**config.data.kinds, **_pairs("--kinds", kinds)},
        separators={**config.data.separators, **_pairs("--separators", separators, listed=False)},
        vectors={**config.data.vectors, **_pairs("--vectors", vectors, listed=False)},
        duplicates=config.data.duplicates if duplicates is None else duplicates.value,
        **_given(forms),
    )
    return config if data == config.data else replace(config, data=data)


def as_given(
    columns: Iterable[str] | None,
    kinds: Iterable[str] | None,
    separators: Iterable[str] | None,
    duplicates: Repeated | None,
    vectors: Iterable[str] | None = None,
    forms: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What a command says of columns as arguments of `Dataset.load`; arguments as `configured`."""
    return {
        "columns": _pairs("--columns", columns),
        "kinds": _pairs("--kinds", kinds),
        "separators": _pairs("--separators", separators, listed=False),
        "vectors": _pairs("--vectors", vectors, listed=False),
        "duplicates": None if duplicates is None else duplicates.value,
        **_given(forms),
    }


def forms_of(
    date_order: str | None,
    delimiter: str | None,
    decimal: str | None,
    encoding: str | None,
    headers: Iterable[str] | None,
) -> dict[str, Any]:
    """What a command says of the forms of dates and text files, by the names of the options.

    Args:
        date_order: what stands first in dates.
        delimiter: between two values.
        decimal: before the fraction of a number.
        encoding: of text.
        headers: texts such as `interactions=user_id,item_id`.

    Raises:
        ConfigurationError: a text is no assignment.
    """
    said = {"date_order": date_order, "delimiter": delimiter, "decimal": decimal, "encoding": encoding}
    return {**said, "headers": _pairs("--headers", headers, listed=False) or None}


def _given(forms: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (forms or {}).items() if value is not None}


def as_words(config: Config) -> str:
    """The options that say how tables are read, as they are given to a command; begins with a blank where any are."""
    data = config.data
    words = [
        f"{option} {shlex.quote(f'{name}={value}')}"
        for option, given in (
            ("--columns", data.columns),
            ("--kinds", data.kinds),
            ("--separators", data.separators),
            ("--vectors", data.vectors),
        )
        for name, value in given.items()
    ]
    said = data.tables.told
    words += [f"--headers {shlex.quote(f'{name}={names}')}" for name, names in said.pop("headers", {}).items()]
    words += [f"--{name.replace('_', '-')} {value}" for name, value in said.items()]
    words += [f"--duplicates {data.duplicates}"] if data.duplicates else []
    return "".join(f" {word}" for word in words)


def _pairs(option: str, given: Iterable[str] | None, *, listed: bool = True) -> dict[str, str]:
    """Assignments by what they assign to; several may stand in one text, separated by commas, where `listed`."""
    found = {}
    for text in given or ():
        parts = text.split(",") if listed and all("=" in part for part in text.split(",")) else [text]
        for part in parts:
            name, equals, value = part.partition("=")
            if not equals or not name.strip() or not value:
                raise ConfigurationError(f"{option} '{part}' assigns nothing. Write it as name=value.")
            found[name.strip()] = value.strip() if listed else value
    return found
