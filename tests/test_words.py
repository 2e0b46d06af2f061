"""Coined words stay out of what users read: public names, options, help, messages, reasons and documents.

docs/glossary.md has the terms to use instead. A few places still have old words because their renaming is pending.
`PENDING` lists them one by one, and an entry that is no longer needed fails the test, so that the list can only shrink.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import attrformer
import attrformer.models
import attrformer.report
from attrformer.cli.app import app
from attrformer.config import describe
from attrformer.recommender import Config

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "attrformer"

COINED = {
    # Words that stand for a concept of this library and that no engineer of the field would look for.
    r"voices?": "component, attribution",
    r"loud\w*": "strong, influence",
    r"speakers?": "attributor",
    r"speak(s|ing)?|spoke|spoken": "contribute",
    r"moments?": "time bucket; a point in time",
    r"whom": "users, query",
    r"holders?": "inverted index",
    r"knows": "reads, contains, depends on",
    r"knowledge(?! graph)": "model metadata",
    r"asking|asked about|who asks": "query, request",
    r"silent": "contributes nothing",
    r"told(?! apart)": "reported, given",
    r"sight": "target leakage",
    r"company": "a batch",
    r"newcomers?": "new users",
    r"touched": "without interactions",
    r"makes? known": "registers",
}
"""What a text must not contain, and what to write instead."""

OLD_NAMES = {
    "voice": "component, attribution",
    "voices": "component, attribution",
    "loudest": "strongest",
    "speakers": "attributor",
    "moment": "time_bucket",
    "moments": "time_buckets",
    "whom": "query",
    "holders": "inverted_index",
    "know": "metadata",
    "knowledge": "metadata",
    "asking": "query",
    "question": "query",
    "answering": "query",
    "places": "target_positions",
    "owners": "user_codes",
    "identity": "repeat",
    "near": "cooccurrence_near",
    "wide": "cooccurrence_wide",
    "PREFIXES": "a spelled-out flag",
    "PARTNERS": "a spelled-out flag",
    "POSTERIOR": "a spelled-out flag",
    "fillers": "a spelled-out flag",
    "prepared": "inference",
    "newcomers": "new_users",
}
"""Words that a public name must not contain (its parts between underscores and capitals), and the new name."""

PENDING = {
    # Contributions and attributions, called parts and voices before.
    ("reason", "speaks"),
    ("reason", "spoke"),
    # Sentences to be rewritten.
    ("docstring update", "knows"),
    ("docstring pair_attributes", "knows"),
    ("docstring check_network", "sight"),
    ("message", "asked about"),
    ("message", "told"),
    ("OpenAPI", "knows"),
    ("OpenAPI", "whom"),
}
"""Where which old word is left: its renaming is pending."""

UNREVISED = ("docs/benchmarks.md", "docs/lab-notes.md")
"""Documents that are revised when their figures have been measured again."""


def coined(text: str) -> Iterator[str]:
    """The coined words of a text, in lower case."""
    for pattern in COINED:
        for match in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-])", text, flags=re.IGNORECASE):
            yield match[0].lower()


def old_names(name: str) -> Iterator[str]:
    """The old words of a name: of `a.b_c` and `KnownIds` those between dots, "_" and capitals; of `ALL` itself."""
    # The new names of two relations end in the old ones.
    for part in re.split(r"[^A-Za-z]+", re.sub(r"cooccurrence_(near|wide)(?![a-z])", "cooccurrence", name)):
        words = [part] if part.isupper() else re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", part)
        yield from (word for word in (w if w.isupper() else w.lower() for w in words) if word in OLD_NAMES)


def test_coined_words_are_found_as_whole_words() -> None:
    assert list(coined("A Moment, whom; an invoice, told apart, in a knowledge graph, knowledge.")) == [
        "moment",
        "whom",
        "knowledge",
    ]
    assert list(old_names("relations.moment_reach")) == ["moment"]
    assert list(old_names("PREFIXES")) == ["PREFIXES"] and list(old_names("KnowMoments")) == ["know", "moments"]
    assert list(old_names("nearest_unknown")) == []


def public_names() -> Iterator[tuple[str, Any]]:
    """Names, and what they are, of the modules that documents import from, methods and properties included."""
    for module in (attrformer, attrformer.models, attrformer.report):
        for name in module.__all__:
            thing = getattr(module, name)
            yield name, thing
            if inspect.isclass(thing):
                for member in (m for m in dir(thing) if not m.startswith("_")):
                    static = inspect.getattr_static(thing, member)
                    yield member, getattr(static, "__func__", static)


def arguments(thing: Any) -> list[str]:
    try:
        return list(inspect.signature(thing).parameters)
    except (TypeError, ValueError):
        return []


def options() -> Iterator[tuple[str, str]]:
    """Name and help of every option, of every model."""
    (models,) = [option.type for option in describe(Config) if option.name == "model.name"]
    for model in models.split(" | "):
        for option in describe(Config, {"model": model}):
            yield option.name, option.help


def help_texts(command: Any) -> Iterator[str]:
    """What `--help` shows of a command and of those below it."""
    yield command.help or ""
    yield from (str(getattr(parameter, "help", "") or "") for parameter in command.params)
    for below in getattr(command, "commands", {}).values():
        yield from help_texts(below)


def messages() -> Iterator[str]:
    """Texts within calls that make errors and warnings, one a call."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if re.search(r"(Error|Warning|Refused)$", called) or called in ("require", "warn"):
                    given = [*node.args, *(keyword.value for keyword in node.keywords)]
                    yield " ".join(text for value in given for text in texts(value))


def sentences(file: str) -> Iterator[str]:
    """Every text of the files of a name: the reasons of explanations, what the OpenAPI document says."""
    paths = sorted(SOURCE.rglob(file))
    assert paths, file
    for path in paths:
        yield from texts(ast.parse(path.read_text(encoding="utf-8")))


def pages() -> Iterator[str]:
    """The text of HTML pages, without tags."""
    for path in sorted(SOURCE.rglob("*.html")):
        yield re.sub(r"<[^>]*>|{[{%#].*?[}%#]}", " ", path.read_text(encoding="utf-8"))


def texts(node: ast.AST) -> list[str]:
    constants = (inner for inner in ast.walk(node) if isinstance(inner, ast.Constant))
    return [constant.value for constant in constants if isinstance(constant.value, str)]


def without_code(text: str) -> str:
    return re.sub(r"`[^`]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def documents() -> dict[str, str]:
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def in_code() -> set[tuple[str, str]]:
    """Every place of the code that has a word of the lists, and the word."""
    places = set()
    for name, thing in public_names():
        for text in (name, *arguments(thing)):
            places |= {(f"name {text}", word) for word in old_names(text)}
        if str(getattr(thing, "__module__", "")).startswith("attrformer"):
            places |= {(f"docstring {name}", word) for word in coined(thing.__doc__ or "")}
    for name, text in options():
        # All options of a part are renamed together.
        places |= {(f"option {'.'.join(name.split('.')[:2])}", word) for word in old_names(name)}
        places |= {(f"help of option {name}", word) for word in coined(text)}
    shown = {
        "help of commands": help_texts(typer.main.get_command(app)),
        "message": messages(),
        "reason": sentences("wording.py"),
        "OpenAPI": [*sentences("schemas.py"), *sentences("answer_schemas.py")],
        "page": pages(),
    }
    return places | {(kind, word) for kind, given in shown.items() for text in given for word in coined(text)}


def test_code_has_no_coined_words_but_those_that_are_pending() -> None:
    places = in_code()
    assert sorted(places - PENDING) == []
    # Done: take the entry out of the list.
    assert sorted(PENDING - places) == []


@pytest.mark.parametrize("name", [name for name in documents() if name not in UNREVISED])
def test_documents_have_no_coined_words(name: str) -> None:
    assert list(coined(without_code(documents()[name]))) == []


@pytest.mark.parametrize("name", UNREVISED)
def test_documents_that_are_not_revised_need_their_exception(name: str) -> None:
    assert list(coined(without_code(documents()[name]))) != []
