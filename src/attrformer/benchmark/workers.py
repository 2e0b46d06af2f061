"""Runs and searches one after the other, or several at a time where a machine has room: cores, an idle accelerator."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from typing import Any, TypeVar

from attrformer.processes import handling, raise_terminated

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


def carry_out(work: Callable[[Task], Outcome], tasks: Sequence[Task], count: int = 1) -> list[Outcome]:
    """Does some work for each task.

    Args:
        work: what is done; where several are done at a time it goes to other processes, as tasks and outcomes do.
        tasks: in the order in which they are begun.
        count: at a time.

    Returns:
        What came of each task, in their order.

    Raises:
        Exception: what the work raised first; no further task is begun.
        KeyboardInterrupt: after an interrupt or a request to end, once the work that was under way has ended.
    """
    with stoppable():
        return [work(task) for task in tasks] if count == 1 else _side_by_side(work, tasks, count)


def stoppable() -> AbstractContextManager[None]:
    """Lets both an interrupt and a request to end raise KeyboardInterrupt, also in a background process."""
    return handling({signal.SIGINT: signal.default_int_handler, signal.SIGTERM: raise_terminated})


def _side_by_side(work: Callable[[Task], Outcome], tasks: Sequence[Task], count: int) -> list[Outcome]:
    context = multiprocessing.get_context("spawn")
    waiting: SimpleQueue[tuple[int, Task] | None] = context.SimpleQueue()
    results: SimpleQueue[tuple[int, Outcome | None, Exception | None]] = context.SimpleQueue()
    workers = [context.Process(target=_serve, args=(work, waiting, results)) for _ in range(min(count, len(tasks)))]
    try:
        for worker in workers:
            worker.start()
        for numbered in enumerate(tasks):
            waiting.put(numbered)
        for _ in workers:
            waiting.put(None)
        outcomes: dict[int, Any] = {}
        for _ in tasks:
            number, outcome, error = results.get()
            if error is not None:
                raise error
            outcomes[number] = outcome
    except BaseException:
        _stop(workers)
        raise
    for worker in workers:
        worker.join()
    return [outcomes[number] for number in range(len(tasks))]


def _serve(work: Callable[[Any], Any], waiting: Any, results: Any) -> None:
    # An interrupt of the terminal reaches the process that hands out the tasks, which passes it on once.
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        while (numbered := waiting.get()) is not None:
            number, task = numbered
            try:
                results.put((number, work(task), None))
            except Exception as error:
                results.put((number, None, error))
    except KeyboardInterrupt:
        return


def _stop(workers: Sequence[BaseProcess]) -> None:
    # An interrupt may come before all of them were started.
    started = [(worker, worker.pid) for worker in workers if worker.pid is not None]
    for worker, number in started:
        if worker.is_alive():
            os.kill(number, signal.SIGINT)
    for worker, _ in started:
        worker.join()
