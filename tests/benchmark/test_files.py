"""Claims and lines that several processes share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from attrformer.benchmark.files import LOCK, append_line, claim, read_lines, read_object
from attrformer.errors import CheckpointError

HOLDER = """
import sys, time
from pathlib import Path
from attrformer.benchmark.files import claim
with claim(Path(sys.argv[1])) as descriptor:
    print("held" if descriptor is not None else "busy", flush=True)
    sys.stdin.read()
"""
WRITER = """
import sys
from pathlib import Path
from attrformer.benchmark.files import append_line
for number in range(50):
    append_line(Path(sys.argv[1]), {"writer": sys.argv[2], "number": number, "text": "x" * 3000})
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    path = str(Path(__file__).parents[2] / "src")
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
    )


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_one_process_holds_a_folder_until_it_is_killed(tmp_path: Path) -> None:
    holder = start(HOLDER, tmp_path / "run")
    try:
        assert says(holder) == "held"
        assert (tmp_path / "run" / LOCK).read_text() == f"{holder.pid}\n"
        with claim(tmp_path / "run") as descriptor:
            assert descriptor is None
        with claim(tmp_path / "other") as descriptor:
            assert descriptor is not None
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with claim(tmp_path / "run") as descriptor:
        assert descriptor is not None
        assert (tmp_path / "run" / LOCK).read_text() == f"{os.getpid()}\n"


def test_a_child_keeps_the_claim_of_a_parent_that_is_gone(tmp_path: Path) -> None:
    with claim(tmp_path) as descriptor:
        assert descriptor is not None
        child = subprocess.Popen(["sleep", "3600"], pass_fds=(descriptor,))
    try:
        with claim(tmp_path) as other:
            assert other is None
    finally:
        child.kill()
        child.wait()
    with claim(tmp_path) as descriptor:
        assert descriptor is not None


@pytest.mark.slow
def test_lines_of_two_writers_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "results" / "lines.jsonl"
    writers = [start(WRITER, path, name) for name in "ab"]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    lines = read_lines(path)
    assert [line["number"] for line in lines if line["writer"] == "a"] == list(range(50))
    assert len(lines) == len(path.read_text().splitlines()) == 100


def test_half_a_line_of_a_killed_writer_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    append_line(path, {"a": 1})
    with path.open("a") as file:
        file.write('{"a": 2, "b"')
    append_line(path, {"a": "drei ä"})
    assert read_lines(path) == [{"a": 1}, {"a": "drei ä"}]
    assert read_lines(tmp_path / "absent.jsonl") == []


def test_lines_of_before_have_the_names_of_today(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    configuration = {"seed": 1, "relations": {"near": {"window": 2}, "moments": 8}}
    append_line(path, {"configuration": configuration, "options": {"relations.identity": False, "seed": 2}})
    (line,) = read_lines(path)
    assert line["configuration"] == {"seed": 1, "relations": {"cooccurrence_near": {"window": 2}, "time_buckets": 8}}
    assert line["options"] == {"relations.repeat": False, "seed": 2}


def test_damaged_objects_are_named(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"job\.json holds no object"):
        read_object(tmp_path / "job.json")
    with pytest.raises(CheckpointError, match=r"absent\.json cannot be read"):
        read_object(tmp_path / "absent.json")
