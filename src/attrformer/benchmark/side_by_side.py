"""Runs of a plan side by side, where a machine has room for several: cores, or an accelerator that one leaves idle."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from typing import Any

from attrformer.benchmark.jobs import Job
from attrformer.benchmark.runner import OUTCOMES, Runner, stoppable

Task = tuple[int, Job, str] | None


def side_by_side(runner: Runner, jobs: Sequence[Job], count: int) -> dict[str, list[Job]]:
    """Carries out jobs, so many at a time; one that fails does not end the others.

    Args:
        runner: carries each of them out.
        jobs: in the order in which they are begun.
        count: at a time.

    Returns:
        The jobs by what became of them, as `Runner` does.

    Raises:
        AttrFormerError: what a runner raises; no further job is begun.
        KeyboardInterrupt: after an interrupt, once the jobs that were running have saved their state.
    """
    outcomes: dict[str, list[Job]] = {what: [] for what in OUTCOMES}
    context = multiprocessing.get_context("spawn")
    tasks: SimpleQueue[Task] = context.SimpleQueue()
    results: SimpleQueue[tuple[int, str | Exception]] = context.SimpleQueue()
    workers = [context.Process(target=_work, args=(runner, tasks, results)) for _ in range(min(count, len(jobs)))]
    with stoppable():
        for worker in workers:
            worker.start()
        try:
            for number, job in enumerate(jobs):
                tasks.put((number, job, f"[{number + 1}/{len(jobs)}] {job}"))
            for _ in workers:
                tasks.put(None)
            for _ in jobs:
                number, outcome = results.get()
                if isinstance(outcome, Exception):
                    raise outcome
                outcomes[outcome].append(jobs[number])
        except BaseException:
            _stop(workers)
            raise
        for worker in workers:
            worker.join()
    return outcomes


def _work(runner: Runner, tasks: Any, results: Any) -> None:
    # An interrupt of the terminal reaches the process that hands out the jobs, which passes it on once.
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        while (task := tasks.get()) is not None:
            number, job, title = task
            try:
                results.put((number, runner.one(job, title)))
            except Exception as error:
                results.put((number, error))
    except KeyboardInterrupt:
        return


def _stop(workers: Sequence[BaseProcess]) -> None:
    for worker in workers:
        if worker.pid is not None and worker.is_alive():
            os.kill(worker.pid, signal.SIGINT)
    for worker in workers:
        worker.join()
