"""Commands with `--engine ray`: the files of one machine, also where a node is lost in the middle."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest
from tests.cli.commands import call
from tests.cli.tiny import refused
from tests.support.held_tasks import waiting
from tests.support.ray_nodes import Nodes, two_nodes
from tests.support.recommenders import small_config, small_dataset

from attrformer.cluster import RayOptions, Work, connected
from attrformer.data.sample import make_sample
from attrformer.errors import ClusterError, ShortListWarning
from attrformer.recommender import AttrFormer
from attrformer.recommender.on_ray import on_ray
from attrformer.recommender.shards import Shard, join_shards
from attrformer.recommender.streaming import unfinished_folder, write_recommendations

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")]

USERS = 1500
MARK = "ATTRFORMER_TEST_MARK"


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with two_nodes() as started:
        yield started


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "shop"
    AttrFormer(small_config("training.epochs=1")).fit(small_dataset(USERS), progress=False).save(folder / "model")
    return folder


def needs_ray() -> None:
    if find_spec("ray") is None:
        pytest.skip("needs Ray")


def started(*words: object, mark: str = "", program: Sequence[str] = ("-m", "attrformer.cli")) -> subprocess.Popen[str]:
    command = [sys.executable, *program, *map(str, words)]
    environment = os.environ | {MARK: mark, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if mark:
        # A command that starts Ray by itself, and that no other of this machine has prepared for it.
        environment = {name: value for name, value in environment.items() if not name.startswith("RAY_")}
        environment |= {"HOME": mark, "RAY_USAGE_STATS_ENABLED": "0"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)


def lost_in_the_middle(nodes: Nodes, place: Path, folder: Path, pattern: str, *words: object) -> tuple[str, str]:
    """What a command says whose second node is lost while a task runs there, once three files are in a folder."""
    go = place / "go"
    nodes.ensure()
    held = ("-m", "tests.support.held_tasks", str(folder), pattern, str(go))
    process = started(*words, "--engine", "ray", "--address", nodes.address, program=held)
    wait_for(lambda: nodes.kill_in_the_middle(lambda worker: waiting(go, worker).exists()), process)
    go.touch()
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return said, errors


def wait_for(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def pieces(out: Path) -> int:
    return len(list(unfinished_folder(out).glob("*.parquet")))


def test_a_lost_node_changes_nothing(
    trained: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, nodes: Nodes
) -> None:
    whole, out = tmp_path / "whole.parquet", tmp_path / "a.parquet"
    words = ("recommend", trained, "--users", "all", "-k", 3, "--save-every", 3, "--threads", 1, "--quiet", "--out")
    assert call(*words, whole).exit_code == 0
    place = tmp_path_factory.mktemp("held")
    said, errors = lost_in_the_middle(nodes, place, unfinished_folder(out), "*.parquet", *words, out)
    assert said == f"{out}\n", errors
    assert "Note: tasks lost with their node or process and run again: " in errors
    assert out.read_bytes() == whole.read_bytes()
    answered = pl.read_parquet(out).group_by("user_id").len()
    assert len(answered) == USERS and answered["len"].unique().to_list() == [3]
    assert sorted(path.name for path in tmp_path.iterdir()) == [out.name, whole.name]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Interactions in many files, each of which is a part, and items."""
    folder = tmp_path_factory.mktemp("tables") / "shop"
    sample = make_sample(0, users=USERS)
    (folder / "interactions").mkdir(parents=True)
    for number, start in enumerate(range(0, len(sample.interactions), 100)):
        sample.interactions[start : start + 100].write_parquet(folder / "interactions" / f"{number:05d}.parquet")
    sample.items.write_parquet(folder / "items.parquet")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_lost_node_changes_nothing_of_a_preparation(
    tables: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, nodes: Nodes
) -> None:
    whole, out, kept = tmp_path / "whole", tmp_path / "out", tmp_path / ".out.preparing"
    assert call("prepare", tables, "--out", whole, "--quiet").exit_code == 0
    place, words = tmp_path_factory.mktemp("held"), ("prepare", tables, "--quiet", "--out", out)
    said, errors = lost_in_the_middle(nodes, place, kept, "survey-*.json", *words)
    assert said == f"{out}\n", errors
    assert "Note: tasks lost with their node or process and run again: " in errors
    assert content(out) == content(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]


def test_errors_of_tables_are_those_of_one_machine(tmp_path: Path, nodes: Nodes) -> None:
    (tmp_path / "interactions").mkdir()
    for number, users in enumerate((["a", "b"], ["a", None])):
        frame = pl.DataFrame({"user_id": users, "item_id": ["x", "y"], "timestamp": [1, 2]})
        frame.write_parquet(tmp_path / "interactions" / f"{number}.parquet")
    words = ("prepare", tmp_path, "--out", tmp_path / "out", "--quiet")
    expected = refused(call(*words))
    assert "user_id" in expected
    assert refused(call(*words, "--engine", "ray", "--address", nodes.address)) == expected


def test_without_ray_the_message_names_the_extra(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    line = refused(call("recommend", trained, "--out", tmp_path / "a.csv", "--engine", "ray"))
    assert "pip install 'attrformer[ray]'" in line and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--engine", "ray"), "--engine ray writes pieces of a file"),
        (("--engine", "ray", "--out", "a.json"), "--engine ray writes pieces of a file"),
        (("--address", "auto"), "Give --engine ray, or leave it out"),
        (("--engine", "ray", "--out", "a.csv", "--address", "ray://head:10001"), "one of Ray Client"),
        (("--engine", "ray", "--out", "a.csv", "--address", "127.0.0.1:1"), "No Ray cluster answers at"),
    ],
)
def test_what_ray_cannot_do_is_refused(trained: Path, tmp_path: Path, more: tuple[str, ...], words: str) -> None:
    needs_ray()
    given = [tmp_path / word if word.startswith("a.") else word for word in more]
    assert words in refused(call("recommend", trained, "--quiet", *given))
    assert list(tmp_path.iterdir()) == []


INTERRUPTED = """
import os, signal, sys, threading
from attrformer.cli import main
from attrformer.recommender.pieces import PieceFiles

kept, made = PieceFiles.keep, []
interrupt = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))

def keep(files, number, answers):
    kept(files, number, answers)
    made.append(number)
    if len(made) == 3:
        # Until somebody has looked at what was started.
        sys.stdin.readline()
        interrupt.start()
    # It comes whatever this process does then, and not at its end.
    if len(made) == 100:
        interrupt.join()

PieceFiles.keep = keep
main()
"""


def test_an_interrupt_ends_what_was_started_and_keeps_what_is_finished(trained: Path, tmp_path: Path) -> None:
    needs_ray()
    whole, out = tmp_path / "whole.csv", tmp_path / "a.csv"
    words = ("recommend", trained, "-k", 2, "--save-every", 3, "--threads", 1, "--quiet", "--out")
    process = started(*words, out, "--engine", "ray", mark=str(tmp_path), program=("-c", INTERRUPTED))
    wait_for(lambda: pieces(out) >= 3, process)
    assert len(marked(str(tmp_path))) > 1
    said, errors = process.communicate("\n", timeout=300)
    assert (process.returncode, said) == (130, ""), errors
    assert errors.endswith("Interrupted. The same command goes on where it stopped.\n")
    deadline = time.monotonic() + 120
    while marked(str(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert marked(str(tmp_path)) == [] and not (tmp_path / ".ray").exists()
    kept = {path: path.stat().st_mtime_ns for path in unfinished_folder(out).glob("*.parquet")}
    assert 3 <= len(kept) <= 101 and not out.exists()
    done: list[int] = []
    model = AttrFormer.load(trained / "model", device="cpu")
    request, choice = model.query(k=2)

    def progress(count: int) -> None:
        done.append(count)
        assert all(path.stat().st_mtime_ns == written for path, written in kept.items())

    # Which engine computed a piece makes no difference.
    write_recommendations(model.fitted, request, choice, out, save_every=3, progress=progress)
    assert call(*words, whole).exit_code == 0
    assert out.read_bytes() == whole.read_bytes()


def test_what_runs_ends_with_the_connection(nodes: Nodes) -> None:
    waits = Work(set, signal.sigtimedwait, [signal.SIGUSR2])
    nodes.ensure()
    with connected(RayOptions(nodes.address)) as cluster:
        results = cluster.run(waits, [0, *[7200] * 8])
        assert next(results) == (0, None)
        results.close()  # type: ignore[attr-defined]
    began = time.monotonic()
    with connected(RayOptions(nodes.address)) as cluster:
        assert sorted(cluster.run(Work(list, operator.getitem, "ab"), [0, 1])) == [(0, "a"), (1, "b")]
    assert time.monotonic() - began < 1800


def marked(mark: str) -> list[int]:
    """Processes that have inherited a variable."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}\0".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_nodes_need_the_folder_with_the_same_model(trained: Path, tmp_path: Path, nodes: Nodes) -> None:
    model = AttrFormer.load(trained / "model", device="cpu")
    request, choice = model.query(k=2)
    changed = AttrFormer.load(trained / "model", device="cpu").update(
        pl.DataFrame({"user_id": ["user-0001"], "item_id": ["item-0002"], "timestamp": [2_000_000_000]})
    )
    with connected(RayOptions(nodes.address)) as cluster:
        for fitted, folder, words in (
            (model.fitted, tmp_path / "nowhere", r"Node .*: There is no folder .*nowhere"),
            (changed.fitted, trained / "model", r"Node .*: .* holds another model"),
        ):
            compute = on_ray(cluster, folder, request, choice)
            with pytest.raises(ClusterError, match=words):
                write_recommendations(fitted, request, choice, tmp_path / "a.csv", compute=compute)


def test_shards_of_either_engine_are_joined(trained: Path, tmp_path: Path, nodes: Nodes) -> None:
    model = AttrFormer.load(trained / "model", device="cpu")
    request, choice = model.query(k=2)
    whole, out = tmp_path / "whole.parquet", tmp_path / "a.parquet"
    write_recommendations(model.fitted, request, choice, whole, save_every=100)
    with connected(RayOptions(nodes.address)) as cluster:
        compute = on_ray(cluster, trained / "model", request, choice, save_every=100)
        for number, given in ((1, compute), (2, None)):
            shard = Shard(number, 2)
            write_recommendations(model.fitted, request, choice, out, save_every=100, shard=shard, compute=given)
    assert join_shards(out).notes == () and out.read_bytes() == whole.read_bytes()


def test_short_lists_are_told_as_on_one_machine(trained: Path, tmp_path: Path, nodes: Nodes) -> None:
    model = AttrFormer.load(trained / "model", device="cpu")
    said = []
    with connected(RayOptions(nodes.address)) as cluster:
        for number in (1, 2):
            request, choice = model.query(k=40, at_most={"category": 1}, exclude=["item-0003"])
            compute = on_ray(cluster, trained / "model", request, choice, save_every=100) if number == 1 else None
            out = tmp_path / f"{number}.csv"
            write_recommendations(model.fitted, request, choice, out, save_every=100, compute=compute)
            with pytest.warns(ShortListWarning) as warned:
                choice.warn()
            said.append(str(warned[0].message))
    assert said[0] == said[1] and (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
