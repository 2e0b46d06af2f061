"""Several runs or searches of a plan at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.benchmark.builders import SASREC, counts, quiet

from attrformer.benchmark import runner
from attrformer.benchmark.files import claim, read_lines
from attrformer.benchmark.jobs import jobs
from attrformer.benchmark.options import Overrides
from attrformer.benchmark.plan import Plan
from attrformer.benchmark.runner import BEFORE, DONE, FAILED, Runner
from attrformer.benchmark.workers import carry_out

pytestmark = pytest.mark.slow

MakePlan = Callable[..., Plan]
ROWS = (SASREC, "name: gru4rec, set: {model.name: gru4rec}", "name: broken, set: {relations.item_attributes: [none]}")


def test_all_jobs_come_to_their_end_whatever_becomes_of_one(make_plan: MakePlan, data: Path) -> None:
    plan = make_plan(*ROWS)
    found = jobs(plan, overrides=Overrides(threads=1), root=data)
    run = Runner(Path(plan.results), allow_dirty=True, threads=1, say=quiet)
    outcomes = counts(run(found, 2))
    assert {what: sorted(rows) for what, rows in outcomes.items()} == {DONE: ["gru4rec", "sasrec"], FAILED: ["broken"]}
    assert {line["row"] for line in read_lines(Path(plan.results))} == {"sasrec", "gru4rec"}
    assert counts(run(found[:2], 8)) == {BEFORE: ["sasrec", "gru4rec"]}


def test_an_interrupt_is_passed_on_and_the_runs_go_on_from_there(make_plan: MakePlan, data: Path) -> None:
    plan = make_plan(
        *(row.replace("set: {", "set: {training.epochs: 1000000, training.patience: 1000000, ") for row in ROWS[:2])
    )
    found = jobs(plan, overrides=Overrides(threads=1), root=data)
    run = Runner(Path(plan.results), allow_dirty=True, threads=1, say=quiet)

    def interrupt() -> None:
        while not all((job.folder / "metrics.jsonl").is_file() for job in found):
            if ended.wait(0.05):
                return
        os.kill(os.getpid(), signal.SIGINT)

    ended, asking = threading.Event(), threading.Thread(target=interrupt)
    asking.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(found, 2)
    finally:
        # An interrupt that comes later would end other tests.
        ended.set()
        asking.join()
    assert not read_lines(Path(plan.results))
    assert all((job.folder / "checkpoint" / "state.json").is_file() for job in found)


class Interrupting:
    """Work that interrupts whoever starts processes for it, while the second of them is told of it."""

    told = 0

    def __call__(self, task: int) -> int:
        return task

    def __reduce__(self) -> tuple[type, tuple[()]]:
        Interrupting.told += 1
        if Interrupting.told == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return Interrupting, ()


def test_an_interrupt_while_processes_are_started_leaves_none() -> None:
    with pytest.raises(KeyboardInterrupt):
        carry_out(Interrupting(), [1, 2, 3], 3)
    left = multiprocessing.active_children()
    for process in left:
        process.kill()
    assert not left


def test_an_interrupt_right_after_a_run_was_started_reaches_it(
    make_plan: MakePlan, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(threading.Thread):
        def start(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            super().start()

    (job,) = jobs(make_plan(SASREC), root=data)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runner.threading, "Thread", Interrupted)
        Runner(job.folder.parent / "results.jsonl", allow_dirty=True, say=quiet)([job])
    # A run that goes on holds its folder.
    with claim(job.folder) as descriptor:
        assert descriptor is not None
