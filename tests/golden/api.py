"""The public API as text: Python names with their signatures, commands with their options, routes with their fields."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import functools
import inspect
import io
import itertools
import os
import re
import runpy
import sys
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from tests.golden import store, tables
from tests.golden.kinds import KINDS
from tests.golden.names import ELSEWHERE, find

import attrformer

ACCEPT = "python -m tests.golden.make --api"
_STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
TITLE = re.compile(r"^## (.+)$", re.MULTILINE)


def python() -> str:
    """Every exported name, what is reached by way of it, and all options with their defaults."""
    lines = ["exported by attrformer", *(f"  {name}" for name in sorted(attrformer.__all__)), ""]
    for name in sorted(attrformer.__all__):
        if name != "__version__":
            lines += [*_described(name, getattr(attrformer, name)), ""]
    for name in ELSEWHERE:
        lines += [*_described(name, find(name)), ""]
    dataset = tables.dataset()
    split = attrformer.leave_one_out(dataset)
    reached = {"of Dataset.check()": dataset.check(), "of leave_one_out()": split, "of Split.test": split.test}
    for where, value in reached.items():
        lines += [*_described(f"{type(value).__name__} ({where})", type(value)), ""]
    lines += ["options of Config", *_options(attrformer.Config(), "  "), ""]
    for options in sorted({options["model"]["name"] for options in KINDS.values()}):
        model = attrformer.Recommender(options).config.model
        lines += [f"options of the model {options}", *_options(model, "  "), ""]
    return "\n".join(lines)


def _described(name: str, value: Any) -> list[str]:
    if not inspect.isclass(value):
        return [f"def {name}{_signature(value)}"]
    # Classes that nobody is given to import may be renamed.
    public = [
        base for base in value.__mro__[1:-1] if base.__module__ == "builtins" or base.__name__ in attrformer.__all__
    ]
    bases = ", ".join(base.__name__ for base in public[:1])
    lines = [f"class {name}({bases})" if bases else f"class {name}"]
    fields = {field.name for field in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set()
    if not issubclass(value, Warning):
        lines.append(f"  __init__{_signature(value.__init__)}")
    for member in sorted(dir(value)):
        owner = next((base for base in value.__mro__ if member in vars(base)), object)
        if not member.startswith("_") and owner.__module__ != "builtins" and member not in fields:
            lines.append("  " + _member(member, vars(owner)[member]))
    if name in ("AttrFormer", "Recommender"):
        lines += [f"  attribute {field}" for field in sorted(vars(value())) if not field.startswith("_")]
    return lines


def _member(name: str, found: Any) -> str:
    if isinstance(found, (classmethod, staticmethod)):
        return f"{type(found).__name__} {name}{_signature(found.__func__)}"
    if isinstance(found, (property, functools.cached_property)):
        computed = found.fget if isinstance(found, property) else found.func
        returned = inspect.signature(computed).return_annotation if computed is not None else ""
        return f"property {name}: {_annotation(returned)}"
    return f"{name}{_signature(found)}" if inspect.isfunction(found) else f"{name} = {found!r}"


def _signature(value: Any) -> str:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return "(...)"
    words, named = [], False
    for parameter in signature.parameters.values():
        text = f"{_STARS.get(parameter.kind, '')}{parameter.name}"
        if parameter.kind is parameter.KEYWORD_ONLY and not named:
            words.append("*")
        named = named or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        if parameter.annotation is not parameter.empty:
            text += f": {_annotation(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {_default(parameter.default)}"
        words.append(text)
    returned = signature.return_annotation
    arrow = "" if returned in (signature.empty, None, "None") else f" -> {_annotation(returned)}"
    if len(words) <= 4:
        return f"({', '.join(words)}){arrow}"
    lines = "".join(f"\n      {word}," for word in words)
    return f"({lines}\n  ){arrow}"


def _annotation(value: Any) -> str:
    return value if isinstance(value, str) else getattr(value, "__name__", str(value))


def _default(value: Any) -> str:
    # What dataclasses put in place of a factory has the address of no use in its text.
    return "<factory>" if "factory" in repr(value) else repr(value)


def _options(options: Any, indent: str) -> Iterator[str]:
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            yield f"{indent}{field.name}: {type(value).__name__}"
            # The options of models are listed by themselves.
            if field.name != "model":
                yield from _options(value, indent + "  ")
        else:
            yield f"{indent}{field.name}: {_annotation(field.type)} = {value!r}"


def commands() -> str:
    """Every command with its arguments and options, as `--help` lists them."""
    lines: list[str] = []
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        words = waiting.pop(0)
        sections = _help(words)
        lines.append(" ".join(("attrformer", *words)))
        lines += [f"  {kind} {name}" for kind in ("argument", "option") for name in sections[kind]]
        waiting += [(*words, name) for name in sections["command"]]
    return "\n".join([*lines, ""])


def _help(words: tuple[str, ...]) -> dict[str, list[str]]:
    """The first column of each part of a help text."""
    text = io.StringIO()
    wide = {"COLUMNS": "400", "TERMINAL_WIDTH": "400", "TERM": "dumb", "NO_COLOR": "1"}
    arguments = ["attrformer", *words, "--help"]
    changed = patch.dict(os.environ, wide), patch.object(sys, "argv", arguments)
    with contextlib.redirect_stdout(text), changed[0], changed[1], contextlib.suppress(SystemExit):
        runpy.run_module("attrformer.cli", run_name="__main__")
    found: dict[str, list[str]] = {"argument": [], "option": [], "command": []}
    kind = ""
    for line in text.getvalue().splitlines():
        title = re.match(r"╭─ (Argument|Option|Command)s ─", line)
        kind = title[1].lower() if title else kind
        if kind and line.startswith("│"):
            found[kind] += _entry(kind, re.split(r" {2,}", line.strip("│ *")))
    return found


def _entry(kind: str, cells: list[str]) -> list[str]:
    """What a line of a help text lists; nothing where it only says more about the line before."""
    if kind == "option":
        names = [
            name for cell in itertools.takewhile(lambda cell: cell.startswith("-"), cells) for name in cell.split(",")
        ]
        return [", ".join(names)] if names else []
    return [] if cells[0].startswith("[") else [cells[0]]


def http(document: dict[str, Any]) -> str:
    """Every route with what it takes and answers, and the fields of all of these, from an OpenAPI document."""
    lines = []
    for path, methods in sorted(document["paths"].items()):
        for method, route in sorted(methods.items()):
            lines += [f"{method.upper()} {path}", *_route(route)]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += [f"schema {name}", *_fields(schema)]
    return "\n".join([*lines, ""])


def _route(route: dict[str, Any]) -> Iterator[str]:
    for parameter in route.get("parameters", ()):
        yield f"  {parameter['in']} " + _field(parameter["name"], parameter["schema"], parameter.get("required", False))
    if "requestBody" in route:
        yield f"  body {_type(route['requestBody']['content']['application/json']['schema'])}"
    by_content: dict[str, list[str]] = {}
    for status, answer in sorted(route["responses"].items()):
        content: dict[str, Any] = next(iter(answer.get("content", {}).values()), {})
        by_content.setdefault(_type(content.get("schema", {})), []).append(status)
    for kind, statuses in by_content.items():
        yield f"  {' '.join(statuses)}: {kind}"


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        yield "  " + _field(name, field, name in schema.get("required", ()))


def _field(name: str, schema: dict[str, Any], required: bool) -> str:
    default = "" if required else f" = {schema.get('default')!r}"
    return f"{name}: {_type(schema)}{default}"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    if "enum" in schema:
        return " | ".join(map(repr, schema["enum"]))
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"{{string: {_type(schema['additionalProperties'])}}}"
    return str(schema.get("const", schema.get("type", "any")))


def joined(sections: dict[str, str]) -> str:
    """The sections of the snapshot as one text."""
    return "\n".join(f"## {title}\n\n{text}" for title, text in sections.items())


def parted(text: str) -> dict[str, str]:
    """The sections of a snapshot by title."""
    parts = TITLE.split(text)[1:]
    return {title: body.strip("\n") + "\n" for title, body in zip(parts[::2], parts[1::2], strict=True)}


def assert_section(title: str, found: str) -> None:
    """Whether a part of the public API is as stored; the difference, and how to accept it, where it is not."""
    stored = parted(store.API.read_text(encoding="utf-8"))[title].splitlines()
    lines = found.strip("\n").splitlines()
    difference = difflib.unified_diff(stored, lines, "tests/golden/api.txt", "today", lineterm="")
    assert lines == stored, "\n".join(
        [f"The public API ({title}) has changed.", *difference, f"Is it meant to be so? Accept it: {ACCEPT}"]
    )
