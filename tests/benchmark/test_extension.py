"""Runs that go on from what an earlier run of the same options has learned."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.benchmark.builders import SASREC, carried_out, counts

from attrformer.benchmark.files import claim, read_lines
from attrformer.benchmark.jobs import Job, Selection, jobs
from attrformer.benchmark.options import Overrides
from attrformer.benchmark.plan import Plan
from attrformer.benchmark.ranks import load_ranks
from attrformer.benchmark.runner import BEFORE, DONE, Runner, begin_from_earlier
from attrformer.benchmark.tuner import Tuner

pytestmark = pytest.mark.slow

MakePlan = Callable[..., Plan]


def test_a_run_with_more_epochs_goes_on_from_a_shorter_one(make_plan: MakePlan, data: Path, said: list[str]) -> None:
    plan = make_plan(SASREC)
    run = Runner(Path(plan.results), allow_dirty=True, threads=1, say=said.append)

    def bound_to(epochs: int) -> Job:
        (job,) = jobs(plan, overrides=Overrides((f"training.epochs={epochs}", "training.patience=9"), 1), root=data)
        return job

    short, long = bound_to(2), bound_to(4)
    assert counts(run([short])) == {DONE: ["sasrec"]}
    before = (short.folder / "metrics.jsonl").read_text()
    assert counts(run([long])) == {DONE: ["sasrec"]}
    assert f"  goes on from {short.folder}" in said
    assert (short.folder / "metrics.jsonl").read_text() == before
    line = read_lines(Path(plan.results))[-1]
    assert (line["cost"]["epochs"], line["cost"]["sittings"], line["cost"]["complete"]) == (4, 2, True)
    assert 0 < line["cost"]["optimising_seconds"] < line["cost"]["training_seconds"]
    # It is the run that would have come of a plan of so many epochs.
    at_once = carried_out(replace(long, runs=long.runs / "at-once"))
    assert line["test"] == at_once["test"] and line["selected"] == at_once["selected"]
    assert line["configuration"] == at_once["configuration"]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (["training.epochs=4"], ["training.epochs=2"]),
        (["training.epochs=2"], ["training.epochs=4", "training.clip=2.0"]),
        (["training.epochs=2", "training.schedule=cosine"], ["training.epochs=4", "training.schedule=cosine"]),
    ],
    ids=["fewer epochs", "another option", "another rate"],
)
def test_a_run_that_would_have_gone_otherwise_begins_anew(
    make_plan: MakePlan, data: Path, short: list[str], long: list[str]
) -> None:
    first, second = (jobs(make_plan(SASREC), overrides=Overrides(tuple(s), 1), root=data)[0] for s in (short, long))
    carried_out(first)
    second.folder.mkdir(parents=True)
    assert begin_from_earlier(second) is None
    assert list(second.folder.iterdir()) == []


def test_a_run_of_before_an_option_goes_on_with_that_of_the_plan(make_plan: MakePlan, data: Path) -> None:
    row = "name: own, set: {relations.id_order: false, model.heads: 1}"
    short, long = (
        jobs(make_plan(row), overrides=Overrides((f"training.epochs={n}",), 1), root=data)[0] for n in (1, 2)
    )
    carried_out(short)
    stored = json.loads((short.folder / "config.json").read_text())
    del stored["relations"]["id_order"]
    stored["training"]["threads"] = 2
    (short.folder / "config.json").write_text(json.dumps(stored))
    long.folder.mkdir(parents=True)
    assert begin_from_earlier(long) == short.folder
    # Left out of the file it would be decided anew, by the data.
    found = json.loads((long.folder / "config.json").read_text())
    assert found["relations"]["id_order"] is False
    assert (found["training"]["epochs"], found["training"]["threads"]) == (2, 2)


def test_a_run_that_is_still_going_is_not_copied(make_plan: MakePlan, data: Path) -> None:
    plan = make_plan(SASREC)
    short, long = (jobs(plan, overrides=Overrides((f"training.epochs={n}",), 1), root=data)[0] for n in (2, 4))
    carried_out(short)
    long.folder.mkdir(parents=True)
    with claim(short.folder):
        assert begin_from_earlier(long) is None
    assert begin_from_earlier(long) == short.folder


def test_a_search_trains_neither_the_defaults_nor_the_chosen_options_twice(
    make_plan: MakePlan, data: Path, said: list[str]
) -> None:
    pytest.importorskip("optuna")
    plan = make_plan(f"{SASREC}, space: {{training.learning_rate: [0.003]}}", trials=2)
    run = Runner(Path(plan.results), allow_dirty=True, threads=1, say=said.append)
    one_thread = Overrides(threads=1)
    (own,) = jobs(plan, overrides=one_thread, root=data)
    run([own])
    search = Tuner(plan, replace(run, results=Path(plan.trials_file)), one_thread, data)
    assert search(Selection().of(plan)) == []
    first, second = read_lines(Path(plan.trials_file))
    assert not [text for text in said if text.startswith("  goes on from ")]
    tested = read_lines(Path(plan.results))[0]
    # The trial is judged by what training had selected the row's own weights for.
    assert first["validation"] == tested["validation"] and first["selected"] == tested["selected"]
    assert first["cost"]["optimising_seconds"] == tested["cost"]["optimising_seconds"]

    (Path(plan.chosen) / "shop" / "sasrec.yaml").write_text("set: {training.learning_rate: 0.003}")
    (chosen,) = jobs(plan, overrides=one_thread, root=data)
    assert counts(run([chosen])) == {DONE: ["sasrec"]}
    assert len([text for text in said if text.startswith("  goes on from ")]) == 1
    line = read_lines(Path(plan.results))[-1]
    assert line["cost"]["optimising_seconds"] == second["cost"]["optimising_seconds"]
    anew = carried_out(replace(chosen, runs=chosen.runs / "anew"))
    assert line["test"] == anew["test"] and line["validation"] == second["validation"] == anew["validation"]


def test_a_row_takes_what_another_row_of_the_same_options_has_learned(
    make_plan: MakePlan, data: Path, tmp_path: Path, said: list[str]
) -> None:
    plan = make_plan(SASREC, SASREC.replace("name: sasrec", "name: twin", 1), "name: other, set: {model.name: gru4rec}")
    first, twin, other = jobs(plan, overrides=Overrides(threads=1), root=data)
    elsewhere = Runner(tmp_path / "first.jsonl", allow_dirty=True, threads=1, say=said.append)
    assert counts(elsewhere([first])) == {DONE: ["sasrec"]}
    assert counts(Runner(Path(plan.results), allow_dirty=True, threads=1, say=said.append)([twin, other])) == {
        DONE: ["twin", "other"]
    }
    assert [text for text in said if text.startswith("  goes on from ")] == [f"  goes on from {first.folder}"]
    (trained,), (taken, _) = read_lines(tmp_path / "first.jsonl"), read_lines(Path(plan.results))
    # The sitting that only measured needs less memory than the one that trained.
    assert taken["cost"]["peak_memory_mib"] >= trained["cost"]["peak_memory_mib"] > 0
    assert taken["cost"]["peak_accelerator_mib"] == trained["cost"]["peak_accelerator_mib"]
    assert taken["row"] == "twin" and taken["key"] == twin.key
    assert taken["test"] == trained["test"] and taken["selected"] == trained["selected"]
    assert taken["cost"]["optimising_seconds"] == trained["cost"]["optimising_seconds"]
    assert taken["cost"]["sittings"] == 2


def test_a_row_takes_the_line_of_another_row_of_the_same_options(
    make_plan: MakePlan, data: Path, said: list[str]
) -> None:
    plan = make_plan(SASREC, SASREC.replace("name: sasrec", "name: twin", 1))
    first, twin = jobs(plan, overrides=Overrides(threads=1), root=data)
    run = Runner(Path(plan.results), allow_dirty=True, threads=1, say=said.append)
    assert counts(run([first])) == {DONE: ["sasrec"]}
    shutil.rmtree(plan.runs)
    assert counts(run([twin])) == {DONE: ["twin"]}
    assert f"{twin} is what sasrec was" in said and not (twin.folder / "config.json").exists()
    trained, taken = read_lines(Path(plan.results))
    named = {"key": twin.key, "row": "twin", "title": twin.row.label, "group": twin.row.group}
    assert taken == trained | named
    ranks = [load_ranks(Path(plan.results).parent / "evaluations" / f"{job.key}.npz") for job in (first, twin)]
    assert ranks[0].targets == ranks[1].targets
    assert counts(run([twin])) == {BEFORE: ["twin"]}
    # Another seed is another run.
    other = jobs(plan, Selection(seeds=[1]), Overrides(threads=1), root=data)[1]
    assert not run._take_over(other)
