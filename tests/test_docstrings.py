"""Docstrings of what users call list every argument where it is called."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import attrformer
from attrformer import data, evaluation, models
from attrformer.config import Options
from attrformer.data import check
from attrformer.recommender.query import Query
from attrformer.retrieval import Index

ELSEWHERE = re.compile(r"\bas (in|for) `|\bsee (there|`)|\blikewise\b|\*\*\w+:", re.IGNORECASE)
"""Words that send a reader to another docstring for the meaning of an argument."""


def own_methods(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Public methods that the library wrote for a class; one that replaces another need not repeat what that says."""
    for base in kind.__mro__:
        for name, member in vars(base).items():
            function = inspect.unwrap(getattr(member, "__func__", member))
            first = not any(name in vars(before) for before in base.__mro__[1:])
            ours = inspect.isfunction(function) and function.__module__.startswith("attrformer.")
            if ours and first and not name.startswith("_"):
                yield f"{base.__name__}.{name}", function


def called() -> dict[str, Callable[..., Any]]:
    """Functions of the public modules, and methods of the classes at the root and of networks, by name."""
    found = dict(own_methods(models.Network))
    for module in (attrformer, data, check, evaluation, models):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value):
                found[f"{module.__name__}.{name}"] = value
            elif module is attrformer and isinstance(value, type) and not issubclass(value, BaseException):
                found |= dict(own_methods(value))
    return found


CALLED = called()


def documented(function: Callable[..., Any]) -> list[str]:
    """Names of the arguments that a docstring lists."""
    section = re.search(r"^Args:\n((?:(?: .*)?\n)+)", f"{inspect.getdoc(function)}\n", flags=re.MULTILINE)
    return re.findall(r"^    \*{0,2}(\w+): ", section[1], flags=re.MULTILINE) if section else []


def test_there_is_something_to_check() -> None:
    methods = {name for name in dir(attrformer.AttrFormer) if not name.startswith("_")} - {"fitted"}
    assert {"fit", "recommend", "explain", "evaluate", "similar_items", "update", "add_items", "load"} <= methods
    assert methods <= {name.partition(".")[2] for name in CALLED}
    wanted = {"Dataset.from_frames", "Dataset.load", "Evaluation.compare", "Index.search", "Options.override"}
    assert wanted <= CALLED.keys() and len(CALLED) > 80


@pytest.mark.parametrize("name", CALLED)
def test_every_argument_is_listed(name: str) -> None:
    function = CALLED[name]
    parameters = [key for key in inspect.signature(function).parameters if key not in ("self", "cls")]
    assert inspect.getdoc(function), name
    if parameters:
        assert documented(function) == parameters
    assert not ELSEWHERE.search(inspect.getdoc(function) or ""), name


@pytest.mark.parametrize(
    "kind",
    [getattr(attrformer, name) for name in attrformer.__all__ if isinstance(getattr(attrformer, name), type)],
    ids=lambda kind: kind.__name__,
)
def test_every_field_of_a_public_class_is_explained(kind: type) -> None:
    assert inspect.getdoc(kind)
    if not dataclasses.is_dataclass(kind):
        return
    listed = documented(kind)
    for field in dataclasses.fields(kind):
        if field.init and not (issubclass(kind, Options) and field.name == "name"):
            assert field.metadata.get("help") or field.name in listed, field.name


def test_what_is_asked_is_written_alike_everywhere() -> None:
    fields = {field.name: field.default for field in dataclasses.fields(Query)}
    model = attrformer.AttrFormer
    for method in (model.recommend, model.query, model.explain, Index.search):
        parameters = inspect.signature(method).parameters
        assert {name: parameters[name].default for name in fields} == fields
        assert parameters.keys() - fields.keys() <= {"self", "items"}
        assert said(method, fields) == said(model.recommend, fields)


def test_functions_that_read_tables_are_the_methods() -> None:
    assert data.dataset_from_frames == attrformer.Dataset.from_frames
    assert data.load_dataset == attrformer.Dataset.load


def said(function: Callable[..., Any], names: Any) -> dict[str, str]:
    """What a docstring says of each argument, without line ends."""
    text = inspect.getdoc(function) or ""
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", text, flags=re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in found if name in names}
