"""A plan that names a file of metrics: reported, selected on, and written into the line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.benchmark.builders import carried_out
from tests.benchmark.conftest import OPTIONS

from attrformer.benchmark.jobs import jobs
from attrformer.benchmark.plan import Plan

FILE = """
import numpy as np
from attrformer.evaluation.metrics import Metric, register


class Place(Metric):
    name = "Place"
    bounds = (1.0, float("inf"))
    higher_is_better = False

    def per_target(self, ranking, k):
        return np.minimum(ranking.ranks, k + 1).astype(float)


register(Place)
"""


def test_a_plan_with_a_metric_of_ones_own(
    make_plan: Callable[..., Plan],
    data: Path,
    tmp_path: Path,
    known_models: None,
) -> None:
    (tmp_path / "place_of_mine.py").write_text(FILE)
    options = f"{OPTIONS}, training.epochs: 3, training.metric: Place@10, evaluation.metrics: [NDCG, Recall, Place]"
    options = options.replace("training.epochs: 1, ", "")
    row = "name: sasrec, set: {model.name: sasrec}"
    plan = make_plan(row, options=options, plugins=f"[{tmp_path / 'place_of_mine.py'}]")
    (job,) = jobs(plan, root=data)
    line = carried_out(job)
    assert list(line["plugins"]) == ["place_of_mine.py"] and "models" not in line
    assert {name.partition("@")[0] for name in line["test"]["seen=hidden"]} == {"NDCG", "Recall", "Place"}
    epochs = [json.loads(text) for text in (job.folder / "metrics.jsonl").read_text().splitlines()]
    means = [sum(figures["Place@10"] for figures in epoch["validation"].values()) / 2 for epoch in epochs]
    assert len(means) == 3 and line["selected"]["epoch"] == 1 + means.index(min(means))
    assert line["selected"]["value"] == pytest.approx(min(means), abs=1e-5)
