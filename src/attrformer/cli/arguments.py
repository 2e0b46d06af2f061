"""Arguments and options that several commands take, so that they read the same everywhere."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import typer

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `attrformer train` wrote.", show_default=False)]

Users = Annotated[
    list[str] | None,
    typer.Option(
        "--users",
        "--user",
        "-u",
        help="User ids, separated by commas, or `all`; everyone where nobody is named at all. Double quotes keep the "
        "commas and outer blanks of an id.",
        show_default=False,
    ),
]

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="An option as name=value; may be repeated.", show_default=False),
]

Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="OURS=YOURS",
        help="A column under another name, such as user_id=customer; may be repeated.",
        show_default=False,
    ),
]

Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kinds",
        metavar="COLUMN=KIND",
        help="How a column is read, such as items.year=numeric: categorical, multi, numeric, time, vector, text, "
        "hierarchy, weighted, location, or ignore; may be repeated.",
        show_default=False,
    ),
]

Separators = Annotated[
    list[str] | None,
    typer.Option(
        "--separators",
        metavar="COLUMN=TEXT",
        help="What stands between the values of a text column, such as 'genres=, '; may be repeated.",
        show_default=False,
    ),
]


Vectors = Annotated[
    list[str] | None,
    typer.Option(
        "--vectors",
        metavar="ATTRIBUTE=FILE",
        help="A file of vectors of items, such as image=image.npz, or of users, such as users.taste=taste.npz; "
        "may be repeated.",
        show_default=False,
    ),
]


class Repeated(str, Enum):
    """What becomes of rows of interactions that repeat an earlier one."""

    KEEP = "keep"
    DROP = "drop"
    COUNT = "count"


Duplicates = Annotated[
    Repeated | None,
    typer.Option(
        "--duplicates",
        help="Rows that repeat an earlier one in every column: keep them, leave them out, or count them.",
        show_default=False,
    ),
]

DateFirst = Annotated[
    Literal["day", "month", "year"] | None,
    typer.Option(
        "--date-order",
        help="What stands first in dates such as 05/11/2019; needed only where their values do not tell.",
        show_default=False,
    ),
]

Delimited = Annotated[
    Literal["comma", "semicolon", "tab", "pipe"] | None,
    typer.Option(
        "--delimiter",
        help="What stands between the values of csv files; needed only where their headers do not tell.",
        show_default=False,
    ),
]

Decimals = Annotated[
    Literal["point", "comma"] | None,
    typer.Option(
        "--decimal",
        help="What stands before the fraction of numbers in csv files; needed only where their values do not tell.",
        show_default=False,
    ),
]

Encoding = Annotated[
    str | None, typer.Option("--encoding", help="Of csv files, such as latin-1; UTF-8 by default.", show_default=False)
]

Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--headers",
        metavar="TABLE=NAMES",
        help="Columns of a csv file without a header, such as interactions=user_id,item_id,timestamp; may be repeated.",
        show_default=False,
    ),
]

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]
