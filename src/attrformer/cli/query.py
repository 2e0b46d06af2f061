"""The users that a command answers, and what it may recommend: shared options, and how they are read."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attrformer.cli import tables
from attrformer.errors import DataError
from attrformer.io import read_json

if TYPE_CHECKING:
    from attrformer.recommender import Recommender

EVERYONE = "all"

Histories = Annotated[
    Path | None,
    typer.Option(
        help="Histories of users the model need not know: a csv or parquet table of user_id and item_id (oldest first, "
        "or with timestamp), or JSON, an object of lists of item ids.",
        show_default=False,
    ),
]

UserAttributes = Annotated[
    Path | None,
    typer.Option(
        help="Attributes of users the model need not know: a csv or parquet table with user_id, or JSON, an object of "
        "objects of values by attribute.",
        show_default=False,
    ),
]

Candidates = Annotated[
    list[str] | None,
    typer.Option(help="Item ids to choose from, separated by commas; the catalogue by default.", show_default=False),
]

Exclude = Annotated[
    list[str] | None,
    typer.Option(help="Item ids never to recommend, separated by commas.", show_default=False),
]


AsOf = Annotated[
    str | None,
    typer.Option(
        help="When items have the values of attributes that change, seconds since 1970 or ISO 8601 text; the time of "
        "each history by default.",
        show_default=False,
    ),
]


HideSeen = Annotated[
    bool, typer.Option("--hide-seen/--no-hide-seen", help="Leave out what the user already had, or not.")
]


class Unknown(str, Enum):
    """What becomes of ids that the model does not know."""

    RAISE = "raise"
    WARN = "warn"
    SKIP = "skip"


OnUnknown = Annotated[Unknown, typer.Option(help="What becomes of ids and values that the model does not know.")]


def asked_users(
    model: Recommender, users: list[str] | None, histories: Path | None, user_attributes: Path | None
) -> dict[str, Any]:
    """The arguments of `Recommender.recommend` that say which users are meant.

    Args:
        model: the model; its users are meant by "all".
        users: ids as given on the command line.
        histories: a file, or None.
        user_attributes: a file, or None.

    Raises:
        DataError: a file cannot be read.
        ConfigurationError: an option names no id.
    """
    named: Any = tables.split_ids(users)
    if named == [EVERYONE]:
        alone = histories is None and user_attributes is None
        named = None if alone else model.fitted.knowledge.user_ids.values
    return {
        "users": named,
        "histories": tables.read_histories(histories),
        "user_attributes": read_attributes(user_attributes),
    }


def read_attributes(path: Path | None) -> Any:
    """User attributes as `Recommender.recommend` takes them, from a csv or parquet table or a JSON file.

    Raises:
        DataError: the file cannot be read.
    """
    if path is None:
        return None
    if path.suffix.lower() != ".json":
        from attrformer.data import read_table

        return read_table(path)
    fix = 'Write {"user": {"attribute": value, ...}, ...}'
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"the file cannot be read ({error})", fix=fix, source=str(path)) from error
    if not isinstance(content, dict):
        raise DataError("the file holds no object of users", fix=fix, source=str(path))
    return content
