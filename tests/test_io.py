"""Files and folders are whole or not there, whatever ends the writing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.limits import small_disk, small_files

from attrformer import folders, io
from attrformer.errors import WriteError

BLOCK = "x" * 100_000


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_that_cannot_grow_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    io.write_text(path, "old")
    with small_files(1000), pytest.raises(WriteError, match=r"a\.txt cannot be written .*Free some space"):
        io.write_text(path, BLOCK)
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_a_full_disk_leaves_the_old_file_and_folder(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        io.write_text(disk / "a.txt", "old")
        with folders.files_together(disk / "both") as staged:
            (staged / "one").write_text("old")
        with folders.new_folder(disk / "whole") as staged:
            (staged / "one").write_text("old")
        with pytest.raises(WriteError, match=r"No space left on device\). Free some space"):
            io.write_text(disk / "a.txt", BLOCK)
        for folder, write in ((disk / "both", folders.files_together), (disk / "whole", folders.new_folder)):
            with pytest.raises(WriteError, match="No space left"), write(folder) as staged:
                (staged / "one").write_text("new")
                (staged / "two").write_text(BLOCK)
            assert names(folder) == ["one"] and (folder / "one").read_text() == "old"
        assert names(disk) == ["a.txt", "both", "whole"] and (disk / "a.txt").read_text() == "old"


def test_places_that_cannot_be_written_are_one_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path, tmp_path / "file" / "below", Path("/proc/nowhere/file")):
        with pytest.raises(WriteError, match=r"cannot be written \(.+\)\. [A-Z]") as caught:
            io.write_text(place, "text")
        assert isinstance(caught.value, OSError) and "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine" and names(tmp_path) == ["file"]


def test_an_error_of_the_writer_is_its_own(tmp_path: Path) -> None:
    def fail(unfinished: Path) -> None:
        unfinished.write_text("half")
        raise KeyError("mine")

    with pytest.raises(KeyError):
        io.write_atomically(tmp_path / "a", fail)
    assert names(tmp_path) == []


def test_a_file_may_be_named_by_its_content_and_is_whole_or_not_there(tmp_path: Path) -> None:
    def write(unfinished: Path) -> None:
        unfinished.write_text("content")

    def fail(content: Path) -> str:
        raise KeyError(content.read_text())

    with pytest.raises(KeyError, match="content"):
        io.write_by_content(tmp_path / "a", write, fail)
    assert names(tmp_path) == []
    path = io.write_by_content(tmp_path / "a", write, lambda content: f"a-{io.file_checksum(content)[:4]}")
    assert path.read_text() == "content" and names(tmp_path) == [path.name] == ["a-ed70"]


def test_leftovers_of_the_dead_are_removed_and_those_of_the_living_stay(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    mine = io.unfinished_name("a.txt")
    dead = mine.replace(f"-{os.getpid()}-", f"-{int(ended.stdout)}-")
    other = dead.replace(".a.txt.", ".another.txt.")
    for name in (mine, dead, other, ".a.txt.tmp"):
        (tmp_path / name).write_text("half")
    io.write_text(tmp_path / "a.txt", "whole")
    assert names(tmp_path) == sorted([mine, other, ".a.txt.tmp", "a.txt"])


def test_long_names_can_be_written(tmp_path: Path) -> None:
    for name in ("n" * 255, "ü" * 127):
        io.write_text(tmp_path / name, "whole")
    assert len(names(tmp_path)) == 2


def test_files_of_a_folder_change_together_wherever_the_writer_is_killed(tmp_path: Path) -> None:
    def write(word: str) -> None:
        with folders.files_together(tmp_path) as staged:
            for name in ("one", "two"):
                (staged / name).write_text(word)

    write("old")
    (tmp_path / "mine").write_text("mine")
    script = """
import os, sys
from pathlib import Path
from attrformer import folders
calls = [0]
def counted(act):
    def call(*words):
        calls[0] += 1
        if calls[0] > int(sys.argv[2]):
            os.kill(os.getpid(), 9)
        return act(*words)
    return call
os.rename, os.replace = counted(os.rename), counted(os.replace)
with folders.files_together(Path(sys.argv[1])) as staged:
    for name in ("one", "two"):
        (staged / name).write_text("new")
"""
    seen = []
    for moves in range(4):
        ended = subprocess.run([sys.executable, "-c", script, str(tmp_path), str(moves)], check=False).returncode
        found = {folders.standing_file(tmp_path, name).read_text() for name in ("one", "two")}
        assert len(found) == 1, "the files of two writers are mixed"
        seen.append((ended, found.pop()))
        write("old")
        assert (tmp_path / "mine").read_text() == "mine" and names(tmp_path) == ["mine", "one", "two"]
    assert seen == [(-9, "old"), (-9, "new"), (-9, "new"), (0, "new")]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool) -> None:
    if not exchange:
        # As on systems that cannot exchange two names.
        monkeypatch.setattr(folders, "_exchanged", lambda one, other: False)
    place = tmp_path / "place"
    for word in ("old", "new"):
        with folders.new_folder(place) as staged:
            (staged / word).write_text(word)
    assert names(place) == ["new"] and names(tmp_path) == ["place"]
    # Killed between the two renames.
    place.rename(folders._old(place))
    assert names(folders.standing_folder(place)) == ["new"]
    with pytest.raises(KeyError), folders.new_folder(place) as staged:
        raise KeyError
    assert names(place) == ["new"] and names(tmp_path) == ["place"]


def test_hostile_json_is_a_value_error() -> None:
    for text in ("[" * 200_000, '{"a":' * 200_000, "[" * 200_000 + "]" * 200_000, "1" * 10_000, b"\xff\xfe", "{", ""):
        with pytest.raises(ValueError):
            io.parse_json(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40)
@given(content=st.dictionaries(st.text(), VALUES, max_size=4), other=st.dictionaries(st.text(), VALUES, max_size=4))
def test_a_checksum_belongs_to_one_content(content: dict[str, object], other: dict[str, object]) -> None:
    signed = io.with_checksum(content)
    assert io.has_checksum(json.loads(json.dumps(signed)))
    texts = [json.dumps({**given, io.CHECKSUM: 0}, sort_keys=True) for given in (content, other)]
    assert io.has_checksum({**other, io.CHECKSUM: signed[io.CHECKSUM]}) == (texts[0] == texts[1])
