"""Answers of many people in one file: those of a call, gone on with after an interruption, whole or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from attrformer.errors import BusyError, ConfigurationError, WriteError
from attrformer.io import file_checksum
from attrformer.locks import locked_place
from attrformer.recommender import AttrFormer
from attrformer.recommender.streaming import unfinished_folder, write_recommendations

pytestmark = pytest.mark.slow


def write(model: AttrFormer, out: Path, save_every: int = 4096, stop_after: int | None = None, **asked: object) -> int:
    request, choice = model.query(**asked)  # type: ignore[arg-type]

    def progress(done: int) -> None:
        if stop_after is not None and done >= stop_after:
            raise KeyboardInterrupt

    return write_recommendations(model.fitted, request, choice, out, save_every=save_every, progress=progress)


def read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_a_file_holds_what_the_call_gives(model: AttrFormer, tmp_path: Path, ending: str) -> None:
    asked = {"histories": {"anna": ["item-0003"], "ben": []}, "users": ["user-0004"], "k": 7, "exclude": ["item-0001"]}
    for question in ({"k": 3}, asked):
        out = tmp_path / "new folder" / f"answers{ending}"
        expected = model.recommend(**question)
        assert write(model, out, **question) == len(expected)
        found = read(out)
        if ending == ".csv":
            found = found.cast(expected.schema)  # type: ignore[arg-type]
        assert_frame_equal(found, expected, abs_tol=1e-5)
        if ending == ".parquet":
            assert found.equals(expected)
        assert [path.name for path in out.parent.iterdir()] == [out.name]


@pytest.mark.slow
def test_small_pieces_give_the_same(model: AttrFormer, tmp_path: Path) -> None:
    write(model, tmp_path / "a.parquet", save_every=11, k=4)
    assert_frame_equal(read(tmp_path / "a.parquet"), model.recommend(k=4), abs_tol=1e-4)


def test_an_interrupted_file_is_gone_on_with(model: AttrFormer, tmp_path: Path) -> None:
    out = tmp_path / "a.parquet"
    out.write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt):
        write(model, out, save_every=20, stop_after=60, k=4)
    assert out.read_bytes() == b"older"
    pieces = sorted(unfinished_folder(out).glob("*.parquet"))
    assert len(pieces) == 3
    # Marked answers tell those that are taken over from those made anew; a damaged piece is made anew.
    marked = pl.read_parquet(pieces[0]).with_columns(pl.lit(-7.0, pl.Float32).alias("score"))
    marked.write_parquet(pieces[0])
    stem = pieces[0].stem.rpartition("-")[0]
    pieces[0].rename(pieces[0].with_name(f"{stem}-{file_checksum(pieces[0])[:16]}.parquet"))
    pieces[1].write_bytes(b"PAR1 half")
    told: list[int] = []
    request, choice = model.query(k=4)
    write_recommendations(model.fitted, request, choice, out, save_every=20, progress=told.append)
    assert told == [0, *range(20, 150, 20), 150]
    found, expected = read(out), model.recommend(k=4)
    assert found.drop("score").equals(expected.drop("score"))
    assert found["score"].head(80).unique().to_list() == [-7.0]
    assert_frame_equal(found.tail(-80), expected.tail(-80), abs_tol=1e-4)
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("other", [{"k": 5}, {"k": 4, "exclude": ["item-0002"]}, {"k": 4, "users": ["user-0001"]}])
def test_answers_of_another_question_are_not_taken_over(
    model: AttrFormer, tmp_path: Path, other: dict[str, object]
) -> None:
    out = tmp_path / "a.parquet"
    with pytest.raises(KeyboardInterrupt):
        write(model, out, save_every=20, stop_after=40, k=4)
    write(model, out, save_every=20, **other)
    assert_frame_equal(read(out), model.recommend(**other), abs_tol=1e-4)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == [out]


def test_pieces_are_saved_one_after_the_other(model: AttrFormer, tmp_path: Path) -> None:
    out, seen = tmp_path / "a.parquet", []

    def progress(done: int) -> None:
        seen.append((done, len(list(unfinished_folder(out).glob("*.parquet")))))

    request, choice = model.query(k=2)
    write_recommendations(model.fitted, request, choice, out, save_every=60, progress=progress)
    assert seen == [(0, 0), (60, 1), (120, 2), (150, 3)]


def test_nobody_makes_an_empty_table(model: AttrFormer, tmp_path: Path) -> None:
    assert write(model, tmp_path / "a.parquet", users=[]) == 0
    assert read(tmp_path / "a.parquet").schema == model.recommend("user-0001").schema
    assert write(model, tmp_path / "a.csv", users=[]) == 0
    assert (tmp_path / "a.csv").read_text() == "user_id,item_id,score,rank\n"


def test_files_that_cannot_be_written(model: AttrFormer, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none of \.csv, \.parquet"):
        write(model, tmp_path / "a.json")
    with pytest.raises(ConfigurationError, match="save_every is 0"):
        write(model, tmp_path / "a.csv", save_every=0)
    foreign = unfinished_folder(tmp_path / "a.csv")
    foreign.mkdir()
    (foreign / "mine.txt").write_text("keep")
    with pytest.raises(ConfigurationError, match="holds something else"):
        write(model, tmp_path / "a.csv")
    assert (foreign / "mine.txt").read_text() == "keep"
    unfinished_folder(tmp_path / "b.csv").write_text("keep")
    with pytest.raises(ConfigurationError, match="holds something else"):
        write(model, tmp_path / "b.csv")
    with pytest.raises(WriteError, match="is a folder"):
        (tmp_path / "c.csv").mkdir()
        write(model, tmp_path / "c.csv")


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_one_writer_at_a_time(model: AttrFormer, tmp_path: Path, ending: str) -> None:
    out, caught = tmp_path / f"two{ending}", []

    def write_another(done: int) -> None:
        thread = threading.Thread(target=lambda: caught.append(refusal(lambda: write(model, out, k=5))))
        thread.start()
        thread.join()

    request, choice = model.query(k=2)
    write_recommendations(model.fitted, request, choice, out, save_every=100, progress=write_another)
    assert [type(error) for error in caught] == [BusyError] * 3
    assert read(out).group_by("user_id").len()["len"].unique().to_list() == [2]
    with locked_place(out):
        pass
    assert list(tmp_path.iterdir()) == [out]


def refusal(work: Callable[[], object]) -> Exception | None:
    try:
        work()
    except Exception as error:
        return error
    return None


KILLED_WRITER = """
import os, sys
from pathlib import Path
from attrformer.recommender import AttrFormer
from attrformer.recommender.streaming import write_recommendations

model = AttrFormer.load(sys.argv[1], device="cpu")
request, choice = model.query(k=4)
killed = lambda done: done < 30 or os.kill(os.getpid(), 9)
write_recommendations(model.fitted, request, choice, Path(sys.argv[2]), save_every=10, progress=killed)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_killed_writer_leaves_no_half_file(model: AttrFormer, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    out = tmp_path / "answers" / "a.parquet"
    ended = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(tmp_path / "model"), str(out)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not out.exists()
    kept = {path: path.stat().st_mtime_ns for path in unfinished_folder(out).glob("*.parquet")}
    assert len(kept) == 3
    loaded, told = AttrFormer.load(tmp_path / "model", device="cpu"), []
    request, choice = loaded.query(k=4)

    def progress(done: int) -> None:
        told.append(done)
        # What the killed writer had kept is as it was.
        assert all(path.stat().st_mtime_ns == written for path, written in kept.items())

    write_recommendations(loaded.fitted, request, choice, out, save_every=10, progress=progress)
    assert told[-1] == 150
    assert_frame_equal(read(out), model.recommend(k=4), abs_tol=1e-4)
    assert list(out.parent.iterdir()) == [out]
