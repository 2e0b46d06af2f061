"""Several runs or searches of a plan at a time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.benchmark.builders import SASREC, counts, quiet

from attrformer.benchmark.files import read_lines
from attrformer.benchmark.jobs import jobs
from attrformer.benchmark.options import Overrides
from attrformer.benchmark.plan import Plan
from attrformer.benchmark.runner import BEFORE, DONE, FAILED, Runner

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
