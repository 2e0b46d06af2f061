"""Options of commands that stand for a class of options have its defaults and its words."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from attrformer import IndexOptions, Recommender, ServeOptions
from attrformer.cli.app import app
from attrformer.cli.earlier import EARLIER, under_names_of_today
from attrformer.config.schema import default_of


def command_of(name: str) -> Any:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return group.commands[name]


def parameters(command: str) -> dict[str, Any]:
    return {str(parameter.name): parameter for parameter in command_of(command).params}


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


@pytest.mark.parametrize(
    ("command", "method"), [("recommend", "recommend"), ("explain", "explain"), ("evaluate", "evaluate")]
)
def test_an_argument_of_python_is_an_option_of_the_same_name(command: str, method: str) -> None:
    # A dataset comes from a folder (--data), and its split from the options of the run.
    elsewhere = {"self", "dataset", "split"}
    named = inspect.signature(getattr(Recommender, method)).parameters
    known = {option for parameter in parameters(command).values() for option in parameter.opts}
    assert not {f"--{name.replace('_', '-')}" for name in named if name not in elsewhere} - known


def test_earlier_names_lead_to_options_of_today_and_are_listed_nowhere() -> None:
    for command, names in EARLIER.items():
        options = {
            name for each in parameters(command).values() for name in (*each.opts, *getattr(each, "secondary_opts", ()))
        }
        assert set(names.values()) <= options and not options & set(names)


def test_earlier_names_are_taken_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    names = EARLIER["recommend"]
    given = ["run", "--seen", "--pin=1=x", "--pin", "y", "--attributes", "a.json", "--where", "seen", "--", "--seen"]
    found = under_names_of_today(given, names)
    assert found == [
        *("run", "--no-hide-seen", "--pinned=1=x", "--pinned", "y", "--user-attributes", "a.json"),
        *("--where", "seen", "--", "--seen"),
    ]
    told = capsys.readouterr().err
    assert "Warning: The option --seen is called --no-hide-seen now. The earlier name is still read." in told
    assert told.count("--pin is called --pinned now") == 2
    assert under_names_of_today(found, names) == found and not capsys.readouterr().err


def test_a_value_that_is_an_earlier_name_stays(capsys: pytest.CaptureFixture[str]) -> None:
    given = [
        "run",
        "--users",
        "--seen",
        "-u",
        "--pin",
        "--attributes",
        "--pin",
        "--where=--pin",
        "--seen",
        "--pin",
        "x",
    ]
    context = command_of("recommend").make_context("recommend", given)
    assert context.params["users"] == ["--seen", "--pin"] and str(context.params["user_attributes"]) == "--pin"
    assert (context.params["where"], context.params["hide_seen"], context.params["pinned"]) == ("--pin", False, ["x"])
    assert capsys.readouterr().err.count("Warning") == 3
