"""Plans carried out: real models in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.benchmark.builders import SASREC, carried_out, counts

from attrformer.benchmark import execute, runner
from attrformer.benchmark.files import claim, read_lines
from attrformer.benchmark.jobs import jobs
from attrformer.benchmark.options import Overrides
from attrformer.benchmark.plan import Plan
from attrformer.benchmark.ranks import load_ranks
from attrformer.benchmark.runner import BEFORE, DONE, ELSEWHERE, FAILED, Runner
from attrformer.evaluation.evaluation import Evaluation
from attrformer.recommender import Recommender

MakePlan = Callable[..., Plan]
BROKEN = "name: broken, set: {model.name: sasrec, data.core: 1000}"


@pytest.mark.slow
def test_a_plan_goes_on_after_a_failure_and_skips_what_is_finished(
    make_plan: MakePlan, data: Path, said: list[str]
) -> None:
    plan = make_plan(BROKEN, SASREC)
    results = Path(plan.results)
    run = Runner(results, allow_dirty=True, threads=1, say=said.append)
    wanted = jobs(plan, overrides=Overrides(threads=1), root=data)
    begun = time.perf_counter()
    assert counts(run(wanted)) == {DONE: ["sasrec"], FAILED: ["broken"]}
    elapsed = time.perf_counter() - begun
    assert "1000-core filter" in runner.last_words(wanted[0].folder)
    assert any("epoch 1/1" in text for text in said)
    (line,) = read_lines(results)
    assert (line["row"], line["title"], line["group"], line["dataset"]) == ("sasrec", "SASRec", "paper", "shop")
    assert (line["key"], line["seed"], line["plan"]) == (wanted[1].key, 0, "plan")
    assert line["configuration"]["model"]["name"] == "sasrec"
    assert line["hardware"]["threads"] == 1
    assert line["cost"]["complete"] and line["cost"]["sittings"] == 1
    assert 0 < line["cost"]["optimising_seconds"] < line["cost"]["training_seconds"] < elapsed
    assert 100 < line["cost"]["peak_memory_mib"] < 4000
    # The figures of the line are those of the model in the run folder, target by target.
    ranks = load_ranks(results.parent / "evaluations" / f"{line['key']}.npz")
    for seen in ("hidden", "ranked"):
        stored = line["test"][f"seen={seen}"]["NDCG@20"]
        assert stored["value"] == pytest.approx(ranks.per_target("NDCG@20", seen).mean(), abs=1e-6)
        assert stored["low"] <= stored["value"] <= stored["high"]
    figures = json.loads((wanted[1].folder / "figures.json").read_text())
    assert line["test"]["seen=ranked"]["Recall@5"]["value"] == pytest.approx(
        figures["seen=ranked"]["Recall@5"]["value"], abs=1e-6
    )
    assert counts(run(wanted[1:])) == {BEFORE: ["sasrec"]}
    assert len(read_lines(results)) == 1


def test_a_run_of_another_process_is_left_alone(make_plan: MakePlan, data: Path, said: list[str]) -> None:
    plan = make_plan(SASREC)
    (job,) = jobs(plan, root=data)
    with claim(job.folder):
        outcomes = Runner(Path(plan.results), allow_dirty=True, say=said.append)([job])
    assert counts(outcomes) == {ELSEWHERE: ["sasrec"]}
    assert not Path(plan.results).exists()


def test_a_run_that_only_lacks_its_line_is_not_repeated(
    make_plan: MakePlan, data: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(SASREC)
    (job,) = jobs(plan, root=data)
    line = carried_out(job)
    monkeypatch.setattr(subprocess, "Popen", None)
    run = Runner(Path(plan.results), allow_dirty=True, say=said.append)
    monkeypatch.setattr(runner.environment, "commit", lambda unimportant: runner.environment.Commit("abc1234"))
    assert counts(run([job])) == {DONE: ["sasrec"]}
    assert read_lines(Path(plan.results)) == [line]


@pytest.mark.slow
def test_the_line_of_the_full_model(make_plan: MakePlan, data: Path) -> None:
    (job,) = jobs(make_plan("name: attrformer, group: ours, set: {training.epochs: 3}"), root=data)
    line = carried_out(job)
    assert line["commits"] == ["abc1234"] and line["changed"] == []
    assert line["cost"]["epochs"] == 3
    epochs = [json.loads(text) for text in (job.folder / "metrics.jsonl").read_text().splitlines()]
    variants = [epoch["validation"].values() for epoch in epochs]
    means = [sum(figures["NDCG@20"] for figures in both) / 2 for both in variants]
    assert line["selected"]["epoch"] == 1 + means.index(max(means))
    assert line["selected"]["value"] == pytest.approx(max(means), abs=1e-6)
    # All sixty users are in the sample that training looks at, so both say the same.
    for seen in ("seen=hidden", "seen=ranked"):
        chosen = line["selected"]["figures"][seen]["NDCG@20"]
        assert line["validation"][seen]["NDCG@20"]["value"] == pytest.approx(chosen, abs=1e-6)
    network = Recommender.load(job.folder / "model").fitted.network
    assert line["cost"]["parameters"] == sum(value.numel() for value in network.parameters())
    for slices in line["slices"].values():
        assert {name: sum(part["targets"] for part in parts) for name, parts in slices.items()} == {
            "history_length": 60,
            "item_popularity": 60,
            "time_since_last": 60,
            "repeats": 60,
        }
        assert slices["repeats"][1]["targets"] == round(60 * line["repeated_share"]) > 0
    assert "leave-one-out test" in line["protocol"] and "all 40 items ranked" in line["protocol"]


def test_the_line_of_a_run_that_is_evaluated_within_epochs(make_plan: MakePlan, data: Path) -> None:
    options = "{model.name: sasrec, training.epochs: 2, training.evaluations_per_epoch: 2, training.batch_targets: 64}"
    (job,) = jobs(make_plan(f"name: sasrec, group: paper, set: {options}"), root=data)
    line = carried_out(job)
    found = [json.loads(text) for text in (job.folder / "metrics.jsonl").read_text().splitlines()]
    means = [sum(figures["NDCG@20"] for figures in each["validation"].values()) / 2 for each in found]
    assert len(found) == 4 and line["cost"]["epochs"] == 2
    assert line["selected"]["epoch"] == pytest.approx(found[means.index(max(means))]["passes"])
    seconds = sum(each["seconds"] for each in found)
    assert line["cost"]["seconds_per_epoch"] == pytest.approx(seconds / 2, rel=1e-4)


def test_a_trial_sees_no_test_interaction(make_plan: MakePlan, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = jobs(make_plan(SASREC), root=data)
    asked: list[Evaluation] = []
    evaluate = Recommender.evaluate

    def watched(self: Recommender, *arguments: Any, **more: Any) -> Evaluation:
        asked.append(evaluate(self, *arguments, **more))
        return asked[-1]

    monkeypatch.setattr(Recommender, "evaluate", watched)
    notes = {"trial": 3, "options": {"training.clip": 2.0}}
    tried = replace(job, part="validation", notes=notes)
    trial = carried_out(tried)
    real = carried_out(job)
    assert len(asked) == 3
    of_trial, test, validation = asked
    assert of_trial.items.tolist() == validation.items.tolist() != test.items.tolist()
    assert "test" not in trial and "slices" not in trial and not (tried.folder / execute.RANKS).exists()
    assert trial["trial"] == 3 and trial["options"] == {"training.clip": 2.0}
    values = [validation.value("NDCG@20", seen) for seen in ("hidden", "ranked")]
    assert trial["value"] == pytest.approx(sum(values) / 2, abs=1e-6)
    assert real["selected"]["value"] == pytest.approx(trial["value"], abs=1e-6)


SCRIPT = """
import sys
from pathlib import Path
from attrformer.benchmark.jobs import jobs
from attrformer.benchmark.plan import load_plan
from attrformer.benchmark.runner import Runner
plan = load_plan(sys.argv[1])
run = Runner(Path(plan.results), allow_dirty=True, threads=1, say=lambda text: print(text, flush=True))
try:
    run(jobs(plan, root=Path(sys.argv[2])))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.slow
def test_an_interrupted_run_goes_on_where_it_was(make_plan: MakePlan, data: Path, tmp_path: Path) -> None:
    # More epochs than any machine makes in the time of the test.
    row = "name: sasrec, set: {model.name: sasrec, training.epochs: 1000000, training.patience: 1000000}"
    plan = make_plan(row)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "plan.yaml"), str(data)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    for text in process.stdout:
        if "epoch 3/" in text:
            break
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait() == 130 and "the run saves its state" in rest
    (job,) = jobs(plan, root=data)
    done = len((job.folder / "metrics.jsonl").read_text().splitlines())
    state = json.loads((job.folder / "checkpoint" / "state.json").read_text())
    assert 3 <= done == state["epoch"] and not Path(plan.results).exists()
    # More epochs may be asked for, fewer too: the run keeps its own options, so the file of options is changed here.
    stored = json.loads((job.folder / "config.json").read_text())
    stored["training"]["epochs"] = done + 2
    (job.folder / "config.json").write_text(json.dumps(stored))
    execute.execute(job.folder, progress=False)
    line = json.loads((job.folder / execute.LINE).read_text())
    assert line["cost"]["epochs"] == done + 2 and line["cost"]["sittings"] == 2
    assert line["cost"]["training_seconds"] > line["cost"]["optimising_seconds"]
    assert line["cost"]["devices"] == ["cpu"] and line["cost"]["complete"]
    # Had the first sitting been killed on another machine, its epochs would be all that is known of its time.
    kept = json.loads((job.folder / execute.SESSIONS).read_text())
    kept["sessions"][0] |= {"seconds": None, "device": "Comet"}
    (job.folder / execute.SESSIONS).write_text(json.dumps(kept))
    execute.execute(job.folder, progress=False)
    cost = json.loads((job.folder / execute.LINE).read_text())["cost"]
    assert cost["devices"] == ["Comet", "cpu"] and not cost["complete"]
    assert cost["training_seconds"] >= cost["optimising_seconds"] > 0


@pytest.mark.slow
def test_again_starts_from_nothing(make_plan: MakePlan, data: Path, said: list[str]) -> None:
    plan = make_plan(SASREC)
    (job,) = jobs(plan, root=data)
    job.folder.mkdir(parents=True)
    (job.folder / "checkpoint").mkdir()
    (job.folder / "config.json").write_text("damaged")
    again = Runner(Path(plan.results), allow_dirty=True, threads=1, again=True, say=said.append)
    assert counts(again([job])) == {DONE: ["sasrec"]}
    assert len(read_lines(Path(plan.results))) == 1
