"""`attrformer options`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from attrformer.cli import console

if TYPE_CHECKING:
    from attrformer.config import Option


def options(
    part: Annotated[
        str,
        typer.Argument(
            metavar="PART", help="Only options whose name starts so, such as `training`.", show_default=False
        ),
    ] = "",
    model: Annotated[
        str, typer.Option("--model", "-m", help="Whose options `model.` lists, such as `sasrec`.")
    ] = "attrformer",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead of a table.")] = False,
) -> None:
    """List every configuration option: name, values, default and meaning.

    Set them with `--set name=value`, as often as needed, or in a YAML file given to `--config`.

    Example:  attrformer options training
    """
    from attrformer.config import describe
    from attrformer.errors import ConfigurationError
    from attrformer.recommender import Config

    known = [one for option in describe(Config, {"model": model}) for one in (option, *_of_entries(option))]
    chosen = [option for option in known if option.name.startswith(part)]
    if not chosen:
        parts = ", ".join(dict.fromkeys(option.name.partition(".")[0] for option in known))
        raise ConfigurationError(f"No option starts with '{part}'. The parts are {parts}.")
    if as_json:
        typer.echo(json.dumps([option._asdict() for option in chosen], indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("option", "values", "default", "meaning", title_justify="left")
    for option in chosen:
        default = "" if option.default is None else json.dumps(option.default)
        table.add_row(*map(Text, (option.name, option.type, default, option.help)))
    console.show(table)


def _of_entries(option: Option) -> Iterator[Option]:
    """What each entry of `relations.own` can have beside its name, for the relations that are registered."""
    from attrformer.config import describe, variants_of
    from attrformer.relations import RelationOptions

    for name, kind in variants_of(RelationOptions).items() if option.name == "relations.own" else ():
        for one in describe(kind):
            if one.name != "name":
                yield one._replace(name=f"{option.name}[{name}].{one.name}")
