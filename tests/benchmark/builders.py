"""Results folders made of true evaluations of invented ranks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrformer.benchmark import execute, runner
from attrformer.benchmark.files import append_line
from attrformer.benchmark.jobs import Job
from attrformer.benchmark.ranks import save_ranks
from attrformer.config import override, to_dict
from attrformer.evaluation.evaluation import Evaluation
from attrformer.evaluation.protocol import Protocol
from attrformer.recommender import Config

USERS, ITEMS = 60, 200
SASREC = "name: sasrec, title: SASRec, group: paper, set: {model.name: sasrec}"
"""A row of a plan."""


def evaluation(
    hidden: NDArray[np.int64] | list[int], above: int = 0, *, dataset: str = "shop", first_item: int = 0
) -> Evaluation:
    """An evaluation of users 0, 1, ... with these ranks; so many seen items stand above each target."""
    ranks = np.asarray(hidden, dtype=np.int64)
    count = len(ranks)
    return Evaluation(
        protocol=Protocol(dataset, count, count, ITEMS, "leave-one-out", "test", resamples=200),
        cutoffs=(20,),
        users=np.arange(count),
        items=np.arange(count) + first_item,
        history_lengths=np.arange(count) % 7 + 1,
        ranks={"hidden": ranks, "ranked": ranks + above},
        popularity=np.arange(ITEMS) % 9,
    )


def carried_out(job: Job) -> dict[str, Any]:
    """Carries a job out in this process; gives its line."""
    job.folder.mkdir(parents=True)
    description = runner._description(job, runner.environment.Commit("abc1234"))
    (job.folder / execute.JOB).write_text(json.dumps(description))
    execute.execute(job.folder, progress=False)
    line = json.loads((job.folder / execute.LINE).read_text())
    assert isinstance(line, dict)
    return line


def counts(outcomes: dict[str, list[Job]]) -> dict[str, list[str]]:
    """The rows by what became of them."""
    return {what: [job.row.name for job in found] for what, found in outcomes.items() if found}


def quiet(text: str) -> None:
    """Says nothing; unlike a lambda it can go to other processes."""


def random_ranks(seed: int, worst: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(1, worst + 1, USERS)


def add_result(
    results: Path, row: str, found: Evaluation, *settings: str, group: str = "reference", seed: int = 0, **more: Any
) -> dict[str, Any]:
    """Adds a line and its ranks as a plan would, and returns the line."""
    dataset = found.protocol.dataset
    config = override(Config(), [f"seed={seed}", *settings])
    line = {
        "key": f"{dataset}.{row}.{seed}",
        "plan": "leaderboard",
        "row": row,
        "title": row.upper(),
        "group": group,
        "dataset": dataset,
        "seed": seed,
        "date": "2025-06-01T12:00:00+00:00",
        "commits": ["abc1234"],
        "changed": [],
        "selected": {"epoch": 3, "value": found.value("NDCG@20")},
        "cost": {
            "training_seconds": 120.0,
            "seconds_per_epoch": 24.0,
            "evaluation_seconds": 2.5,
            "epochs": 5,
            "peak_memory_mib": 512.0,
            "parameters": 1234,
        },
        "hardware": {
            "cpu": "Abacus",
            "cores": 4,
            "threads": 2,
            "memory_gib": 8.0,
            "accelerator": None,
            "torch": "2.9",
            "python": "3.12",
        },
        "configuration": to_dict(config),
    }
    line |= execute.described(found) | more
    append_line(results / "leaderboard.jsonl", line)
    save_ranks(found, results / "evaluations" / f"{line['key']}.npz")
    return line
