"""Options of commands that stand for a class of options have its defaults and its words."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from attrformer import IndexOptions, ServeOptions
from attrformer.cli.app import app
from attrformer.config.schema import default_of


def parameters(command: str) -> dict[str, Any]:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return {str(parameter.name): parameter for parameter in group.commands[command].params}


# The command takes a file in place of the token, and one text in place of a list of names.
@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(ServeOptions) if f.name != "token"])
def test_the_service_has_one_default_and_one_meaning_of_each_option(name: str) -> None:
    (field,) = (field for field in dataclasses.fields(ServeOptions) if field.name == name)
    given = parameters("serve")[name]
    assert given.default == ("" if name == "allowed_hosts" else default_of(field))
    assert given.help.replace(", separated by commas", "") == field.metadata["help"]


def test_an_index_has_one_default_of_each_option() -> None:
    known = {field.name: default_of(field) for field in dataclasses.fields(IndexOptions)}
    given = {name: parameter.default for name, parameter in parameters("index").items() if name in known}
    assert given == {name: known[name] for name in ("method", "content", "connectivity")}
