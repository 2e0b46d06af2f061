"""The rules of a shop at the command line: shared options, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from attrformer.errors import ConfigurationError, DataError
from attrformer.io import read_json
from attrformer.rules.options import NewItemsRule, help_of


def _help(name: str, more: str) -> str:
    text = help_of(name)
    return f"{text[0].upper()}{text[1:]}. {more}".strip()


Where = Annotated[str | None, typer.Option("--where", help=_help("where", ""), show_default=False)]

Boost = Annotated[
    list[str] | None,
    typer.Option(
        "--boost",
        metavar="CONDITION:AMOUNT",
        help=_help("boost", "A condition, a colon and an amount; may be repeated."),
        show_default=False,
    ),
]

AtMost = Annotated[
    list[str] | None,
    typer.Option("--at-most", metavar="COLUMN=COUNT", help=_help("at_most", "May be repeated."), show_default=False),
]

Diversity = Annotated[float | None, typer.Option("--diversity", help=_help("diversity", ""), show_default=False)]

NewItems = Annotated[
    str | None,
    typer.Option(
        "--new-items",
        metavar="share=0.1,within=30d",
        help=_help("new_items", "New is what nobody took in training, or first within that time."),
        show_default=False,
    ),
]

Pinned = Annotated[
    list[str] | None,
    typer.Option(
        "--pinned",
        metavar="POSITION=ITEM",
        help=_help("pinned", "An id without a position takes the next one; may be repeated."),
        show_default=False,
    ),
]

RulesFile = Annotated[
    Path | None,
    typer.Option("--rules", help="A YAML file with rules by name; options here go before it.", show_default=False),
]

ItemValues = Annotated[
    Path | None,
    typer.Option(
        "--item-values",
        help="Attribute values that have changed, such as price and stock: a csv or parquet table with item_id, or "
        "JSON, an object of objects of values by column.",
        show_default=False,
    ),
]

CandidatesFile = Annotated[
    Path | None,
    typer.Option(
        "--candidates-file",
        help="Items to choose from for each user: a csv or parquet table of user_id and item_id, or JSON, an object of "
        "lists of item ids. Others get everything.",
        show_default=False,
    ),
]

ExcludeFile = Annotated[
    Path | None,
    typer.Option(
        "--exclude-file", help="Items never to recommend to a user, as for --candidates-file.", show_default=False
    ),
]

_POSITION: Final = re.compile(r"(\d{1,9})=(.+)", re.DOTALL)


def rules_of(
    where: str | None,
    boost: list[str] | None,
    at_most: list[str] | None,
    diversity: float | None,
    new_items: str | None,
    pinned: list[str] | None,
    rules: Path | None,
    item_values: Path | None,
) -> dict[str, Any]:
    """The rules as `Recommender.recommend` takes them; those that were not given are left out.

    Args:
        where: a condition.
        boost: texts such as `price < 10: 0.5`.
        at_most: texts such as `brand=2`.
        diversity: from 0 to 1.
        new_items: a text such as `share=0.1,within=30d`.
        pinned: texts such as `1=item-3`, or ids.
        rules: a YAML file.
        item_values: a file.

    Raises:
        ConfigurationError: a text cannot be read.
        DataError: a file cannot be read.
    """
    given = {
        "where": where,
        "boost": None if not boost else [_boost(text) for text in boost],
        "at_most": None if not at_most else dict(_at_most(text) for text in at_most),
        "diversity": diversity,
        "new_items": None if new_items is None else NewItemsRule().override(*new_items.split(",")),
        "pinned": None if not pinned else _pinned(pinned),
        "rules": rules,
        "item_values": mapping_or_table(item_values, '{"item": {"column": value, ...}, ...}', dict),
    }
    return {name: value for name, value in given.items() if value is not None}


def each_or_all(ids: list[str] | None, file: Path | None, option: str) -> Any:
    """Items for everybody or, from a file, for each user; None where neither is given.

    Args:
        ids: given on the command line.
        file: a table or JSON.
        option: its name, for the error.

    Raises:
        ConfigurationError: both are given.
        DataError: the file cannot be read.
    """
    if file is None:
        return ids
    if ids is not None:
        raise ConfigurationError(f"Both --{option} and --{option}-file are given. Give one of them.")
    return mapping_or_table(file, '{"user": ["item", ...], ...}', list)


def mapping_or_table(path: Path | None, form: str, inner: type) -> Any:
    """What a csv or parquet table holds, or a JSON object; None for no file.

    Args:
        path: the file.
        form: of the object, for the error.
        inner: type of its values.

    Raises:
        DataError: the file cannot be read.
    """
    if path is None:
        return None
    if path.suffix.lower() != ".json":
        from attrformer.data import read_table

        return read_table(path)
    fix = f"Write {form}"
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"the file cannot be read ({error})", fix=fix, source=str(path)) from error
    if not isinstance(content, dict) or not all(isinstance(value, inner) for value in content.values()):
        raise DataError("the file holds something else", fix=fix, source=str(path))
    return content


def _boost(text: str) -> tuple[str, float]:
    condition, colon, amount = text.rpartition(":")
    if not colon or not condition.strip():
        raise ConfigurationError(f"--boost is '{text}'. Give a condition, a colon and an amount: 'price<10: 0.5'.")
    return condition.strip(), _number(amount, float, "--boost")


def _at_most(text: str) -> tuple[str, int]:
    column, sign, count = text.rpartition("=")
    if not sign or not column:
        raise ConfigurationError(f"--at-most is '{text}'. Give a column and a count, such as brand=2.")
    return column, _number(count, int, "--at-most")


def _number(text: str, kind: Callable[[str], Any], option: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise ConfigurationError(f"{option} has '{text.strip()}' for a number. Write one such as 2.") from error


def _pinned(texts: list[str]) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for text in texts:
        match = _POSITION.fullmatch(text)
        after = found[-1][0] + 1 if found else 1
        found.append((after, text) if match is None else (int(match[1]), match[2]))
    return found
