from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from attrformer.server import model_store as folders


def put(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(text)


def held(run: Path) -> dict[str, str]:
    return {path.name: (path / "model.json").read_text() for path in sorted(run.iterdir())}


def test_the_next_model_takes_its_place_and_the_old_one_is_kept(tmp_path: Path) -> None:
    put(tmp_path / "model", "one")
    put(tmp_path / "next", "two")
    assert folders.waiting(tmp_path) == tmp_path / "next"
    folders.promote(tmp_path)
    assert held(tmp_path) == {"model": "two", "previous": "one"}
    assert folders.waiting(tmp_path) == tmp_path / "model"
    put(tmp_path / "next", "three")
    folders.promote(tmp_path)
    assert held(tmp_path) == {"model": "three", "previous": "two"}


def test_a_move_that_was_cut_off_is_undone(tmp_path: Path) -> None:
    put(tmp_path / "previous", "old")
    put(tmp_path / "next", "new")
    assert folders.recover(tmp_path)
    assert held(tmp_path) == {"model": "old", "next": "new"}
    assert not folders.recover(tmp_path)


def test_where_there_is_nothing_to_move_the_model_stays(tmp_path: Path) -> None:
    put(tmp_path / "model", "one")
    with pytest.raises(FileNotFoundError):
        folders.promote(tmp_path)
    assert held(tmp_path) == {"model": "one"}


def test_links_to_models_are_moved_as_links(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        put(tmp_path / "models" / name, name)
    run = tmp_path / "run"
    run.mkdir()
    (run / "model").symlink_to(tmp_path / "models" / "a")
    for name in ("b", "c"):
        (run / "next").symlink_to(tmp_path / "models" / name)
        folders.promote(run)
    assert held(run) == {"model": "c", "previous": "b"}
    assert held(tmp_path / "models") == {"a": "a", "b": "b", "c": "c"}


class Killed(BaseException):
    """What no code of the product catches, as it could not catch a kill."""


@pytest.mark.parametrize("before", [True, False], ids=["with previous", "without previous"])
@pytest.mark.parametrize("steps", range(5))
def test_whenever_a_move_is_cut_off_no_model_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, before: bool
) -> None:
    put(tmp_path / "model", "one")
    put(tmp_path / "next", "two")
    if before:
        put(tmp_path / "previous", "zero")
    left = [steps]

    def until(real: Any) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            if not left[0]:
                raise Killed
            left[0] -= 1
            return real(*given, **more)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(folders.os, "replace", until(os.replace))
        patch.setattr(folders.shutil, "rmtree", until(shutil.rmtree))
        with contextlib.suppress(Killed):
            folders.promote(tmp_path)
    folders.recover(tmp_path)
    undone = {"model": "one", "next": "two"} | ({"previous": "zero"} if before else {})
    assert held(tmp_path) in (undone, {"model": "two", "previous": "one"})
    # Whatever was left, the next move goes through.
    if (tmp_path / "next").exists():
        folders.promote(tmp_path)
    assert held(tmp_path) == {"model": "two", "previous": "one"}


def test_a_model_that_changes_while_it_is_read_is_seen(tmp_path: Path) -> None:
    put(tmp_path / "next", "two")
    state = folders.state(tmp_path / "next")
    assert folders.state(tmp_path / "next") == state and folders.state(tmp_path / "nothing") == ()
    (tmp_path / "next" / "model.json").write_text("three and more")
    assert folders.state(tmp_path / "next") != state
