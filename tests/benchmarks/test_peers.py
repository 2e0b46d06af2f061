"""The comparison with other libraries, as far as it runs without them: export, scores, environments, results."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from benchmarks.peers import environments, handover, run
from benchmarks.peers.environments import PEERS, interpreter
from benchmarks.peers.exchange import HandedScores, export

from attrformer.data import Dataset, Sequences, leave_one_out
from attrformer.data.sample import make_sample
from attrformer.errors import DataError
from attrformer.evaluation import UNREACHABLE_RANK, evaluate

HISTORIES = {"ann": "dabce", "bob": "ecba", "cat": "bac"}


def tiny(histories: dict[str, str] = HISTORIES) -> Dataset:
    """Everybody acts in one second, so that only the order of the rows tells first from last."""
    rows = [(user, item, 0) for user, items in histories.items() for item in items]
    return Dataset.from_frames(
        pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"), name="tiny"
    )


def named(dataset: Dataset, table: np.ndarray) -> list[tuple[str, str, int]]:
    users, items = dataset.user_ids.decode(table[:, 0]), dataset.item_ids.decode(table[:, 1])
    return list(zip(users, items, table[:, 2].tolist(), strict=True))


def test_export_keeps_the_order_and_the_test_targets_to_itself(tmp_path: Path) -> None:
    dataset = tiny()
    export(dataset, leave_one_out(dataset), tmp_path)
    train = named(dataset, handover.read_part(tmp_path, "train"))
    assert train == [
        ("ann", "d", 0),
        ("ann", "a", 1),
        ("ann", "b", 2),
        ("bob", "e", 0),
        ("bob", "c", 1),
        ("cat", "b", 0),
    ]
    validation = named(dataset, handover.read_part(tmp_path, "validation"))
    assert validation == [("ann", "c", 3), ("bob", "b", 2), ("cat", "a", 1)]
    assert handover.read_split(tmp_path)["users"] == 3 and handover.read_split(tmp_path)["items"] == 5
    assert sorted(file.name for file in tmp_path.iterdir()) == ["split.json", "train.csv", "validation.csv"]


def test_exported_contexts_are_those_of_the_test_targets(tmp_path: Path) -> None:
    sample = make_sample(users=50, items=40, brands=5)
    dataset = Dataset.from_frames(sample.interactions, name="shop")
    split = leave_one_out(dataset)
    export(dataset, split, tmp_path)
    contexts = handover.read_contexts(tmp_path)
    assert contexts[:, 1].tolist() == split.test.contexts.items.tolist()
    assert contexts[:, 0].tolist() == split.test.contexts.row_of_position().tolist()


def test_digest_tells_splits_apart(tmp_path: Path) -> None:
    digests = []
    for number, histories in enumerate((HISTORIES, HISTORIES, HISTORIES | {"cat": "abc"})):
        dataset = tiny(histories)
        digests.append(export(dataset, leave_one_out(dataset), tmp_path / str(number)))
        assert handover.read_split(tmp_path / str(number))["digest"] == digests[-1]
    assert digests[0] == digests[1] != digests[2]


def test_export_refuses_users_without_a_target(tmp_path: Path) -> None:
    dataset = tiny(HISTORIES | {"dan": "ab"})
    with pytest.raises(DataError, match=r"1 users have no target.*--core"):
        export(dataset, leave_one_out(dataset), tmp_path)


def handed(result: dict[str, Any] | None = None) -> handover.Handover:
    """Vectors of users 2 and 0; item 3 was never seen."""
    return handover.Handover(
        users=np.array([2, 0]),
        vectors=np.array([[1, 0], [2, 3]], dtype=np.float32),
        item_vectors=np.array([[1, 1], [0, 2], [-1, 0], [9, 9]], dtype=np.float32),
        known=np.array([True, True, True, False]),
        result=result or {},
    )


def no_contexts(count: int) -> Sequences:
    return Sequences(np.zeros(count + 1, dtype=np.int64), np.zeros(0, dtype=np.int32))


def test_scores_are_products_of_the_vectors_that_were_handed_over(tmp_path: Path) -> None:
    handed({"split": "x"}).write(tmp_path)
    read = handover.Handover.read(tmp_path)
    assert read.result == {"split": "x"}
    scores = HandedScores(read, 4).score(np.array([0, 1, 2]), no_contexts(3))
    nothing = -torch.inf
    assert scores.tolist() == [[5, 6, -2, nothing], [0, 0, 0, nothing], [1, 0, -1, nothing]]


def test_scores_of_another_catalogue_are_refused() -> None:
    with pytest.raises(DataError, match="4 items, the catalogue has 5"):
        HandedScores(handed(), 5)


def perfect(dataset: Dataset, folder: Path) -> handover.Handover:
    """Every user's vector is that of the test target; the target of cat was never seen."""
    split = leave_one_out(dataset)
    items = np.eye(dataset.item_count, dtype=np.float32)
    known = np.ones(dataset.item_count, dtype=bool)
    known[split.test.items[2]] = False
    result = {
        "split": export(dataset, split, folder),
        "threads": 1,
        "epochs": 3,
        "best_epoch": 2,
        "seconds": {"train": 12.0},
        "seconds_per_epoch": 4.0,
        "peak_memory_bytes": 1 << 20,
    }
    return handover.Handover(split.test.users, items[split.test.items], items, known, result)


def test_results_hold_figures_of_both_variants_with_intervals(tmp_path: Path) -> None:
    dataset = tiny()
    split = leave_one_out(dataset)
    perfect(dataset, tmp_path).write(tmp_path / "out")
    evaluation = run.measure("rectools", tmp_path / "out", dataset, split, seed=5)
    # Ann and bob are found at once. The peer does not know cat's target, so that it can never recommend it.
    for seen in ("hidden", "ranked"):
        assert evaluation.ranks[seen].tolist() == [1, 1, UNREACHABLE_RANK]
    results = tmp_path / "results" / "peers.jsonl"
    for _ in range(2):
        run.append(results, run.line("rectools", evaluation, handover.read_result(tmp_path / "out"), "the command"))
    lines = [json.loads(text) for text in results.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 2
    assert lines[0]["peer"] == "rectools" and lines[0]["command"] == "the command"
    assert lines[0]["best_epoch"] == 2 and lines[0]["hardware"]["threads"] == 1
    figures = lines[0]["figures"]
    assert figures["protocol"]["seed"] == 5 and "seen=ranked" in figures["protocol"]["selection"]
    for seen in ("hidden", "ranked"):
        found = figures[f"seen={seen}"]["NDCG@20"]
        assert found["value"] == pytest.approx(2 / 3)
        assert found["low"] <= found["value"] <= found["high"]
    assert run.words(lines[0]).startswith(
        "rectools   NDCG@20 hidden 0.6667  NDCG@20 ranked 0.6667  Recall@20 hidden 0.6"
    )


def test_evaluation_takes_the_scores_in_any_order_of_users() -> None:
    dataset = tiny()
    split = leave_one_out(dataset)
    rows = np.array([2, 0, 1])
    items = np.eye(dataset.item_count, dtype=np.float32)
    shuffled = handover.Handover(
        split.test.users[rows], items[split.test.items[rows]], items, np.ones(dataset.item_count, dtype=bool), {}
    )
    scores = HandedScores(shuffled, dataset.item_count)
    evaluation = evaluate(scores, split.test, item_count=dataset.item_count, dataset="tiny")
    assert evaluation.ranks["ranked"].tolist() == [1, 1, 1]


@pytest.mark.slow
def test_peak_memory_is_that_of_the_own_process() -> None:
    large = np.ones(25_000_000)
    parent = handover.peak_memory()
    assert parent > large.nbytes
    code = "import numpy as np, handover as h; a = h.peak_memory(); b = np.ones(5_000_000); print(a, h.peak_memory())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=environments.FOLDER, capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    assert 0 < before < parent - large.nbytes // 2
    assert 38_000_000 < after - before < 60_000_000


def test_stopwatch() -> None:
    watch = handover.Stopwatch()
    with watch.stage("train"):
        for _ in range(3):
            watch.epoch()
    assert len(watch.epochs) == 3 and 0 < sum(watch.epochs) <= watch.seconds["train"]
    assert watch.processor_seconds["train"] >= 0


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_scripts_use_what_the_handover_offers(peer: environments.Peer) -> None:
    tree = ast.parse((environments.FOLDER / peer.script).read_text(encoding="utf-8"))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "handover"
    }
    assert {"parse", "measurements", "peak_memory"} <= used
    assert not [name for name in used if not hasattr(handover, name)]


@pytest.mark.parametrize("peer", [peer for peer in PEERS.values() if peer.requirements], ids=lambda peer: peer.script)
def test_requirements_are_pinned(peer: environments.Peer) -> None:
    assert peer.requirements is not None
    lines = (environments.FOLDER / peer.requirements).read_text(encoding="utf-8").splitlines()
    pins = [*(line for line in lines if not line.startswith("#")), *peer.bare]
    assert pins and all("==" in pin for pin in pins)


@pytest.mark.slow
def test_environments_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert interpreter("attrformer", tmp_path, "python") == "python"
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    (tmp_path / "requirements-rectools.txt").write_text("# nothing\n", encoding="utf-8")
    own = interpreter("rectools", tmp_path, sys.executable)
    prefix = subprocess.run([own, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True)
    assert Path(prefix.stdout.strip()).resolve() == (tmp_path / "venv-rectools").resolve()
    mark = tmp_path / "venv-rectools" / "mark"
    mark.touch()
    assert interpreter("rectools", tmp_path, "an interpreter that is not needed") == own and mark.exists()
    (tmp_path / "requirements-rectools.txt").write_text("# something else\n", encoding="utf-8")
    with pytest.raises(OSError, match="no such interpreter"):
        interpreter("rectools", tmp_path, "no such interpreter")


def test_variables_of_a_training() -> None:
    plain = environments.variables(2, keep_memory=False)
    assert plain == {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    kept = environments.variables(2, keep_memory=True)
    sizes = {name: int(size) for name, size in kept.items() if name not in plain}
    # The same three sizes that training sets for itself.
    assert sizes == {
        "MALLOC_MMAP_THRESHOLD_": 1073741824,
        "MALLOC_TRIM_THRESHOLD_": 2147483647,
        "MALLOC_TOP_PAD_": 67108864,
    }


@pytest.mark.slow
def test_own_model_from_command_to_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = make_sample(users=60, items=50, brands=6)
    Dataset.from_frames(sample.interactions, name="shop").save(tmp_path / "data")
    results = tmp_path / "peers.jsonl"
    places = {"data": tmp_path / "data", "work": tmp_path / "work", "results": results}
    options = [*(f"--{name}={place}" for name, place in places.items()), "--peers=attrformer", "--epochs=2"]
    run.main(options)
    assert capsys.readouterr().out.startswith("attrformer NDCG@20 hidden ")
    (text,) = results.read_text(encoding="utf-8").splitlines()
    found = json.loads(text)
    assert found["command"].startswith("python -m benchmarks.peers.run --data=")
    assert found["settings"]["name"] == "sasrec" and found["settings"]["loss"] == "full"
    assert found["epochs"] == len(found["validation"]) == 2
    assert 0 < found["seconds_per_epoch"] <= found["seconds"]["train"]
    assert found["peak_memory_bytes"] > 50 << 20
    assert found["figures"]["protocol"]["targets"] == 60
    assert found["figures"]["seen=ranked"]["Recall@20"]["value"] > 0
    run.main([*options, "--reuse"])
    first, second = (json.loads(text) for text in results.read_text(encoding="utf-8").splitlines())
    assert first["figures"] == second["figures"] and first["seconds"] == second["seconds"]
    with pytest.raises(SystemExit, match="2"):
        run.main([*options, "--reuse", "--users=40"])
    assert "was trained on another split" in capsys.readouterr().err


def test_a_folder_without_data_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run.main([f"--data={tmp_path / 'none'}", f"--work={tmp_path}"])
    assert f"{tmp_path / 'none'}: there is no such folder" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.slow
def test_a_script_that_fails_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny().save(tmp_path / "data")
    with pytest.raises(SystemExit, match="2"):
        run.main([f"--data={tmp_path / 'data'}", f"--work={tmp_path / 'work'}", "--peers=attrformer", "--epochs=0"])
    assert "train_attrformer.py" in capsys.readouterr().err


@pytest.mark.slow
def test_a_script_that_hands_nothing_over_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PEERS, "idle", environments.Peer("handover.py"))
    tiny().save(tmp_path / "data")
    left = tmp_path / "work" / "idle" / "of an earlier run"
    left.mkdir(parents=True)
    with pytest.raises(SystemExit, match="2"):
        run.main([f"--data={tmp_path / 'data'}", f"--work={tmp_path / 'work'}", "--peers=idle"])
    assert "idle: nothing was handed over" in capsys.readouterr().err.replace("\n", " ") and not left.exists()
