"""The public API is the one that was written down; whoever changes it on purpose writes it down again."""

from __future__ import annotations

import difflib

from tests.golden import api, store

ACCEPT = "python -m tests.golden.make --api"


def assert_section(title: str, found: str) -> None:
    """Whether a part of the public API is as stored; the difference, and how to accept it, where it is not."""
    stored = api.parted(store.API.read_text(encoding="utf-8"))[title].splitlines()
    lines = found.strip("\n").splitlines()
    difference = difflib.unified_diff(stored, lines, "tests/golden/api.txt", "today", lineterm="")
    assert lines == stored, "\n".join(
        [f"The public API ({title}) has changed.", *difference, f"Is it meant to be so? Accept it: {ACCEPT}"]
    )


def test_python_names_and_signatures() -> None:
    assert_section("Python", api.python())


def test_commands_and_their_options() -> None:
    assert_section("Commands", api.commands())
