"""Shards of a query: together they are the file that one machine writes, and nothing else can be joined."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attrformer.errors import BusyError, ConfigurationError, ShardError
from attrformer.io import with_checksum
from attrformer.locks import locked_place
from attrformer.recommender import AttrFormer
from attrformer.recommender.pieces import Piece, pieces_of
from attrformer.recommender.shards import Shard, join_shards, shards_folder
from attrformer.recommender.streaming import unfinished_folder, write_recommendations


def write(model: AttrFormer, out: Path, shard: str | None = None, save_every: int = 20, **asked: object) -> int:
    request, choice = model.query(**asked)  # type: ignore[arg-type]
    part = None if shard is None else Shard.parse(shard)
    return write_recommendations(model.fitted, request, choice, out, save_every=save_every, shard=part)


def test_pieces_of_a_query() -> None:
    assert pieces_of(10, 4) == [Piece(0, 0, 4), Piece(1, 4, 8), Piece(2, 8, 10)]
    assert pieces_of(8, 4) == [Piece(0, 0, 4), Piece(1, 4, 8)]
    assert pieces_of(0, 4) == [Piece(0, 0, 0)]
    assert [len(piece) for piece in pieces_of(10, 4)] == [4, 4, 2]


def test_pieces_of_a_shard() -> None:
    pieces = pieces_of(70, 10)
    assert [[piece.number for piece in Shard(i, 3).among(pieces)] for i in (1, 2, 3)] == [[0, 1], [2, 3], [4, 5, 6]]


@pytest.mark.slow
@given(st.integers(0, 500), st.integers(1, 60), st.data())
def test_every_user_is_in_one_shard(users: int, save_every: int, data: st.DataObject) -> None:
    pieces = pieces_of(users, save_every)
    of = data.draw(st.integers(1, len(pieces)))
    shards = [Shard(number, of).among(pieces) for number in range(1, of + 1)]
    assert [piece for shard in shards for piece in shard] == pieces
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert [place for piece in pieces for place in range(piece.start, piece.stop)] == list(range(users))


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "0/0"])
def test_shards_that_there_are_not(text: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"shard is {text}\. The first of .* add 1"):
        Shard.parse(text)


@pytest.mark.parametrize("text", ["3", "a/b", "1/2/3", "-1/2", "1/", "", "1.0/2", "\u0661/2"])
def test_texts_that_name_no_shard(text: str) -> None:
    with pytest.raises(ConfigurationError, match="Write it as i/n"):
        Shard.parse(text)
    assert Shard.parse(" 3 / 8 ") == Shard(3, 8) and str(Shard(3, 8)) == "3/8" and Shard(3, 16).name == "03-of-16"


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_shards_together_are_the_file_of_one_machine(model: AttrFormer, tmp_path: Path, ending: str) -> None:
    whole, out = tmp_path / f"whole.{ending}", tmp_path / "new" / f"a.{ending}"
    rows = write(model, whole, k=4)
    # In another order than that of the users, and with one of them computed twice.
    counts = {i: write(model, out, f"{i}/3", k=4) for i in (3, 1, 2, 1)}
    assert sum(counts.values()) == rows == 600
    assert not out.exists()
    parts = pl.read_parquet(shards_folder(out) / "*" / "*.parquet")
    assert parts.equals(pl.read_parquet(whole) if ending == "parquet" else parts)
    joined = join_shards(out)
    assert (joined.rows, joined.notes) == (rows, ())
    assert out.read_bytes() == whole.read_bytes()
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.slow
def test_a_shard_computes_its_pieces_only_and_goes_on(model: AttrFormer, tmp_path: Path) -> None:
    out = tmp_path / "a.parquet"
    request, choice = model.query(k=2)
    done: list[int] = []

    def stop(count: int) -> None:
        done.append(count)
        if count == 40:
            raise KeyboardInterrupt

    shard = Shard(2, 2)
    with pytest.raises(KeyboardInterrupt):
        write_recommendations(model.fitted, request, choice, out, save_every=20, shard=shard, progress=stop)
    folder = unfinished_folder(out, shard)
    assert done == [0, 20, 40] and not (folder / "manifest.json").exists()
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    assert len(before) == 2
    with pytest.raises(ShardError, match="2-of-2 is no finished shard") as caught:
        join_shards(out)
    assert caught.value.shards == (2,)
    write(model, out, "2/2", k=2)
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [file["piece"] for file in manifest["files"]] == [4, 5, 6, 7]
    assert [file["rows"] for file in manifest["files"]] == [40, 40, 40, 20]
    assert (manifest["shard"], manifest["of"], manifest["pieces"]) == (2, 2, 8)
    assert manifest["computed_with"]["threads"] == 1


def test_more_shards_than_pieces(model: AttrFormer, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"shard is 3/9, and the 150 users make 8 pieces .* save_every"):
        write(model, tmp_path / "a.parquet", "3/9")
    assert list(tmp_path.iterdir()) == []


def test_nobody_is_one_shard(model: AttrFormer, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.csv", tmp_path / "a.csv"
    assert write(model, whole, users=[]) == write(model, out, "1/1", users=[]) == 0
    assert join_shards(out).rows == 0
    assert out.read_bytes() == whole.read_bytes() == b"user_id,item_id,score,rank\n"


def test_a_shard_has_one_writer_and_others_may_write_beside_it(model: AttrFormer, tmp_path: Path) -> None:
    out = tmp_path / "a.parquet"
    request, choice = model.query(k=2)
    said: list[str] = []

    def compute(shard: str) -> None:
        try:
            said.append(f"{shard}: {write(model, out, shard, k=2)}")
        except BusyError:
            said.append(f"{shard}: busy")

    def beside(done: int) -> None:
        for shard in ("1/2", "2/2") if done == 20 else ():
            thread = threading.Thread(target=compute, args=(shard,))
            thread.start()
            thread.join()

    write_recommendations(model.fitted, request, choice, out, save_every=20, shard=Shard(1, 2), progress=beside)
    assert said == ["1/2: busy", "2/2: 140"] and join_shards(out).rows == 300


@pytest.fixture
def out(model: AttrFormer, tmp_path: Path) -> Path:
    """A file of which all three shards are there."""
    for number in (1, 2, 3):
        write(model, tmp_path / "a.parquet", f"{number}/3", save_every=50, k=1)
    return tmp_path / "a.parquet"


def folder_of(out: Path, number: int) -> Path:
    return shards_folder(out) / f"{number}-of-3"


def lose(model: AttrFormer, out: Path) -> None:
    shutil.rmtree(folder_of(out, 2))


def double(model: AttrFormer, out: Path) -> None:
    shutil.copytree(folder_of(out, 2), shards_folder(out) / "2-of-3 (copy)")


def ask_otherwise(model: AttrFormer, out: Path) -> None:
    write(model, out, "2/3", save_every=50, k=2)


def cut_otherwise(model: AttrFormer, out: Path) -> None:
    write(model, out, "2/2", save_every=50, k=1)


def damage_a_piece(model: AttrFormer, out: Path) -> None:
    (path,) = folder_of(out, 2).glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def lose_a_piece(model: AttrFormer, out: Path) -> None:
    (path,) = folder_of(out, 2).glob("*.parquet")
    path.unlink()


def damage_the_manifest(model: AttrFormer, out: Path) -> None:
    path = folder_of(out, 2) / "manifest.json"
    path.write_text(path.read_text().replace('"shard": 2', '"shard": 1'))


def another_version(model: AttrFormer, out: Path) -> None:
    path = folder_of(out, 2) / "manifest.json"
    path.write_text(json.dumps(with_checksum({**json.loads(path.read_text()), "version": 99})))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "words", "shards"),
    [
        (lose, "lacks shard 2/3. Compute", (2,)),
        (double, "Shard 2/3 is there twice", (2,)),
        (ask_otherwise, "Shard 2/3 in .* and shard 1/3 in .* are of different queries", (1, 2)),
        (cut_otherwise, "is shard 2/2, and .* is shard 1/3", (1, 2)),
        (damage_a_piece, "Shard 2/3 lacks piece .* or it is damaged", (2,)),
        (lose_a_piece, "Shard 2/3 lacks piece", (2,)),
        (damage_the_manifest, "manifest.json is damaged", (2,)),
        (another_version, "manifest.json is of another version", (2,)),
    ],
)
def test_what_cannot_be_joined_is_named_and_stays(
    model: AttrFormer, out: Path, harm: Callable[[AttrFormer, Path], None], words: str, shards: tuple[int, ...]
) -> None:
    harm(model, out)
    out.write_bytes(b"older")
    there = sorted(path for path in shards_folder(out).rglob("*"))
    with pytest.raises(ShardError, match=words) as caught:
        join_shards(out)
    assert caught.value.shards == shards
    assert out.read_bytes() == b"older"
    assert sorted(path for path in shards_folder(out).rglob("*")) == there
    # The advice helps: what is superfluous is removed, and the shard computed again.
    shutil.rmtree(shards_folder(out) / "2-of-3 (copy)", ignore_errors=True)
    shutil.rmtree(shards_folder(out) / "2-of-2", ignore_errors=True)
    write(model, out, "2/3", save_every=50, k=1)
    assert join_shards(out).rows == 150 and list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("left", ["renaming", "removing"])
def test_a_call_that_was_killed_after_the_file_was_there_is_made_again(
    model: AttrFormer, out: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    inner = {"renaming": Path.rename, "removing": shutil.rmtree}[left]
    called: list[Path] = []

    def killed(path: Path, *more: Path) -> object:
        called.append(path)
        if len(called) == 2:
            raise KeyboardInterrupt
        return inner(path, *more)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(*((Path, "rename") if left == "renaming" else (shutil, "rmtree")), killed)
        join_shards(out)
    content = out.read_bytes()
    assert len(list(shards_folder(out).iterdir())) == (3 if left == "renaming" else 2)
    assert join_shards(out).rows == 150
    assert out.read_bytes() == content and list(out.parent.iterdir()) == [out]
    with pytest.raises(ShardError, match="There is no shard in"):
        join_shards(out)


def test_no_shard_at_all(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="There is no shard in") as caught:
        join_shards(tmp_path / "a.parquet")
    assert caught.value.shards == () and list(tmp_path.iterdir()) == []


def test_shards_of_unlike_machines_are_joined_with_a_note(model: AttrFormer, out: Path) -> None:
    path = folder_of(out, 2) / "manifest.json"
    described = json.loads(path.read_text())
    described["computed_with"]["threads"] = 16
    path.write_text(json.dumps(with_checksum(described)))
    (note,) = join_shards(out).notes
    assert note.startswith("shards were computed with different values of threads (1, 16), so that the last digits")


def test_a_file_that_is_being_written_is_not_joined(out: Path) -> None:
    caught: list[BaseException] = []

    def join() -> None:
        try:
            join_shards(out)
        except BusyError as error:
            caught.append(error)

    with locked_place(out):
        thread = threading.Thread(target=join)
        thread.start()
        thread.join()
    assert len(caught) == 1 and join_shards(out).rows == 150
