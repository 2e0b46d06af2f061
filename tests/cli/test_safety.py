"""What hinders a command: full disks, limits of memory, hostile files, folders in the place of files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.cli.commands import call
from tests.cli.tiny import content, refused, train
from tests.support.limits import little_memory, small_disk, small_files
from typer.testing import Result

from attrformer.recommender import Recommender


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Raw files that `prepare` reads."""
    rows = "".join(
        f"{user}\t{item}\t5\t{user * item * 7919 % 10**8}\n" for user in range(1, 90) for item in range(1, 90)
    )
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "x.inter").write_text("user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + rows)
    return folder


def writers(run: Path, shop: Path, raw: Path) -> dict[str, Callable[[Path], Result]]:
    """Every command that writes, told where to."""
    found: dict[str, Callable[[Path], Result]] = {
        f"recommend {ending}": lambda place, ending=ending: call(
            "recommend", run, "-k", 30, "--quiet", "--out", place / f"a.{ending}"
        )
        for ending in ("csv", "parquet", "json")
    }
    found |= {
        "train": lambda place: train(shop, place / "run"),
        "explain": lambda place: call("explain", run, "--out", place / "parts.csv"),
        "plot": lambda place: call("explain", run, "--user", "user-0001", "--plot", place / "shares.svg"),
        "index": lambda place: call("index", run, "--method", "approximate", "--quiet", "--out", place / "index"),
        "prepare": lambda place: call("prepare", raw, "--out", place / "data"),
    }
    return found


WRITERS = ("recommend csv", "recommend parquet", "recommend json", "train", "explain", "plot", "index", "prepare")


@pytest.mark.slow
@pytest.mark.parametrize("what", WRITERS)
@pytest.mark.parametrize("limit", ["disk", "file"])
def test_a_full_disk_is_one_line_and_leaves_nothing_half(
    run: Path, shop: Path, raw: Path, tmp_path: Path, what: str, limit: str
) -> None:
    if what == "index":
        pytest.importorskip("usearch")
    write = writers(run, shop, raw)[what]
    place = tmp_path / "place"
    full: AbstractContextManager[object] = small_disk(place, "12k") if limit == "disk" else small_files(600)
    with full:
        place.mkdir(exist_ok=True)
        assert "cannot be written" in refused(write(place))
        left = [path.name for path in place.rglob("*") if path.is_file()]
        assert not [name for name in left if name.endswith((".tmp", ".lock", ".csv", ".svg", ".json.tmp"))], left


@pytest.mark.slow
def test_what_was_there_stays_when_the_disk_is_full(run: Path, shop: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        copy = disk / "run"
        shutil.copytree(run, copy)
        before = content(copy)
        with (disk / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                pass
        for command in (
            ("evaluate", copy, "--data", shop),
            ("report", copy),
            ("recommend", copy, "--quiet", "--out", copy / "model" / "a.csv"),
            ("train", "--data", shop, "--out", copy, "--resume", "--set", "training.epochs=4", "--quiet"),
        ):
            result = call(*command)
            assert "No space left" in refused(result), command
            assert ("NDCG@20" in result.stdout) == (command[0] == "evaluate"), "figures are not lost for want of space"
            assert {name: text for name, text in content(copy).items() if name in before} == before
        model = Recommender.load(copy / "model")
        with pytest.raises(OSError, match="No space left"):
            model.save(copy / "model")
        assert content(copy / "model") == content(run / "model")


def test_too_little_memory_is_one_line(shop: Path, run: Path, tmp_path: Path) -> None:
    with little_memory(300 << 20):
        assert "not enough memory" in refused(train(shop, tmp_path / "run", "--set", "model.width=60000"))
    assert content(tmp_path) == {}


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"a": ' + "[" * 50_000 + "]" * 50_000 + "}"])
def test_deeply_nested_files_are_one_line(shop: Path, run: Path, tmp_path: Path, text: str) -> None:
    nested = tmp_path / "nested.json"
    nested.write_text(text)
    (tmp_path / "options.yaml").write_text(text)
    assert "nested too deeply" in refused(call("recommend", run, "--histories", nested))
    assert "nested too deeply" in refused(call("recommend", run, "--user-attributes", nested))
    assert "nested too deeply" in refused(train(shop, tmp_path / "new", "--config", tmp_path / "options.yaml"))
    assert "nested too deeply" in refused(train(shop, tmp_path / "new", "--set", f"model.width={text[:5000]}"))
    copy, data = tmp_path / "run", tmp_path / "data"
    shutil.copytree(shop, data)
    (data / "dataset.json").write_text(text)
    assert "nested too deeply" in refused(train(data, tmp_path / "new"))
    for name in ("model/model.json", "config.json", "data.json", "figures.json"):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(run, copy)
        (copy / name).write_text(text)
        asked = {
            "model/model.json": ("recommend", copy),
            "config.json": ("train", "--data", shop, "--out", copy, "--resume"),
            "data.json": ("evaluate", copy),
            "figures.json": ("report", copy),
        }
        assert "nested too deeply" in refused(call(*asked[name])), name
    assert not (tmp_path / "new").exists()


def test_aliases_that_stand_for_millions_of_values_are_refused(shop: Path, tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 8)}]\n" for level in range(1, 12)
    )
    for text, problem in ((bomb, "too many values"), ("a: &a [*a]", "nested too deeply"), ("seed: &s 3\n", None)):
        (tmp_path / "options.yaml").write_text(text)
        asked = train(shop, tmp_path / "new", "--config", tmp_path / "options.yaml", "--set", "model.width=0")
        assert (problem or "width") in refused(asked)


@pytest.mark.slow
def test_a_folder_in_the_place_of_a_file_is_one_line(run: Path, raw: Path, tmp_path: Path) -> None:
    for ending in ("csv", "parquet", "json"):
        (tmp_path / f"a.{ending}").mkdir()
        assert "is a folder" in refused(call("recommend", run, "--out", tmp_path / f"a.{ending}"))
    (tmp_path / "file").write_text("mine")
    for words in (
        ("index", run, "--out", tmp_path / "file"),
        ("prepare", raw, "--out", tmp_path / "file"),
        ("recommend", run, "--out", tmp_path / "file" / "a.csv"),
        ("recommend", run, "--quiet", "--out", "/proc/nowhere/a.csv"),
        ("recommend", run, "--quiet", "--out", "/proc/nowhere/a.json"),
    ):
        refused(call(*words))
    assert (tmp_path / "file").read_text() == "mine"
