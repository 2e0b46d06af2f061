"""The length of a trip, counted on a package of a few lines, and told of a real call."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.support import trip

FILES = {
    "__init__.py": "",
    "first.py": """
import threading

def start():
    return [double(number) for number in (1, 2)] + list(counted())

def double(number):
    from small_trip import second
    return second.add(number, number)

def counted():
    yield double(3)
    yield double(4)

def beside():
    thread = threading.Thread(target=double, args=(5,))
    thread.start()
    thread.join()

def fails():
    try:
        broken()
    except ValueError:
        return double(6)

def broken():
    raise ValueError

def unused():
    return 0
""",
    "second.py": """
def helper():
    return 0

helper()

def add(left, right):
    return plus(left, right)

def plus(left, right):
    return left + right
""",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    folder = tmp_path / "small_trip"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("small_trip.first")
    for name in [name for name in sys.modules if name.partition(".")[0] == "small_trip"]:
        del sys.modules[name]


def names(found: trip.Trip) -> set[str]:
    return {f"{file}:{name}" for file, _, name in found.functions}


def test_functions_are_counted_once_and_imports_not_at_all(package: ModuleType, tmp_path: Path) -> None:
    found = trip.travelled(package.start, tmp_path / "small_trip")

    whole = {"first.py:start", "first.py:double", "first.py:counted", "second.py:add", "second.py:plus"}
    assert names(found) == whole
    assert found.files == {"first.py": 3, "second.py": 2}
    # start, counted, double, add, plus
    assert found.depth == 5


def test_threads_and_errors_are_followed(package: ModuleType, tmp_path: Path) -> None:
    beside = trip.travelled(package.beside, tmp_path / "small_trip")
    assert names(beside) == {"first.py:beside", "first.py:double", "second.py:add", "second.py:plus"}
    assert beside.depth == 3

    fails = trip.travelled(package.fails, tmp_path / "small_trip")
    assert "first.py:broken" in names(fails)
    # fails, double, add, plus: what was left by an error is closed again.
    assert fails.depth == 4


def test_nothing_goes_on_counting(package: ModuleType, tmp_path: Path) -> None:
    found = trip.travelled(lambda: None, tmp_path / "small_trip")
    package.start()
    assert not found.functions and found.depth == 0 and sys.getprofile() is None


def test_the_command_tells_a_real_trip(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["trip", "recommend", "--files", "--model", "attrformer-few"])
    trip.main()
    first, *rest = capsys.readouterr().out.splitlines()
    told = re.fullmatch(r"recommend: (\d+) files, (\d+) functions, depth (\d+)", first)
    assert told is not None
    files, functions, depth = map(int, told.groups())
    listed = [re.fullmatch(r" +(\d+)  ([\w/]+\.py)", line) for line in rest]
    assert all(listed) and files == len(listed) and depth > 3
    assert functions == sum(int(line[1]) for line in listed if line)
