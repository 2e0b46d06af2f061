"""A plan that names a file of metrics or relations: read, reported, selected on, and written into the line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.benchmark.builders import add_result, carried_out, evaluation, random_ranks
from tests.benchmark.conftest import OPTIONS

from attrformer.benchmark.jobs import jobs
from attrformer.benchmark.outsiders import PaperTable
from attrformer.benchmark.plan import Plan
from attrformer.benchmark.results import load_board
from attrformer.benchmark.tables import Tables
from attrformer.errors import ConfigurationError
from attrformer.evaluation import metrics
from attrformer.evaluation.metrics import Metric, Ranking
from attrformer.recommender import Recommender

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


GROUPS = {"own": "ours", "rival": "paper", "weak": "paper", "counts": "reference"}


def cells(table: str) -> list[list[str]]:
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in row] for row in rows]


def tables_of(folder: Path) -> Tables:
    return Tables(load_board(folder), PaperTable())


RELATION = """
from dataclasses import dataclass
from typing import ClassVar, Literal
from scipy import sparse
from attrformer.relations import RelationOptions, RowRelation, register


@dataclass(frozen=True)
class ListedOptions(RelationOptions):
    name: Literal["listed"] = "listed"
    steps: tuple[int, ...] = (1,)


@dataclass(frozen=True, slots=True, eq=False)
class ListedRelation(RowRelation):
    kind: ClassVar[str] = "listed"

    @classmethod
    def build(cls, sources, options, built):
        ends = [1.0] * len(options.steps)
        near = sparse.diags_array(ends, offsets=options.steps, shape=(sources.n_items, sources.n_items))
        return [cls.of_items("listed", [sparse.csr_array(near)], sources.top_k)]


register(ListedOptions, ListedRelation)
"""


class Hit(Metric):
    """Recall under another name."""

    name = "Hit"

    def per_target(self, ranking: Ranking, k: int) -> NDArray[np.float64]:
        return metrics.recall(ranking.ranks, k)


def test_metrics_of_ones_own_get_a_column_and_paired_tests(tmp_path: Path, known_models: None) -> None:
    metrics.register(Hit)
    found = {row: evaluation(random_ranks(number, 30 * number)) for number, row in enumerate(GROUPS, start=1)}
    for row, one in found.items():
        add_result(tmp_path, row, one, group=GROUPS[row])
    add_result(tmp_path, "own", replace(found["own"], metrics=("Recall", "NDCG", "Hit")), group="ours")
    header, *rows = cells(tables_of(tmp_path).leaderboard("shop"))
    assert header[3:5] == ["Recall@20 hidden / ranked", "Hit@20 hidden / ranked"]
    # The others did not report it: it is made from their ranks.
    assert [row[4] for row in rows] == [row[3] for row in rows]
    assert cells(tables_of(tmp_path).leaderboard("shop", metrics=[]))[0][4] == "seeds"
    ours, theirs = (
        tables_of(tmp_path).significance("shop", "Hit@20"),
        tables_of(tmp_path).significance("shop", "Recall@20"),
    )
    assert ours.replace("Hit@20", "Recall@20") == theirs and "Hit@20 `seen=hidden` of OWN" in ours
    metrics.registry._known.pop("Hit")
    _, *rows = cells(tables_of(tmp_path).leaderboard("shop"))
    assert [row[4] == "-" for row in rows] == [False, True, True, True]
    with pytest.raises(ConfigurationError, match="Unknown metric 'Hit@20'"):
        tables_of(tmp_path).significance("shop", "Hit@20")


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


def test_a_plan_with_a_relation_of_ones_own(
    make_plan: Callable[..., Plan], data: Path, tmp_path: Path, known_models: None
) -> None:
    (tmp_path / "listed_of_mine.py").write_text(RELATION)
    own = "set: {model.name: attrformer, relations.own: [{name: listed, steps: [1, 2]}]}"
    plan = make_plan(f"name: listed, {own}", plugins=f"[{tmp_path / 'listed_of_mine.py'}]")
    (job,) = jobs(plan, root=data)
    line = carried_out(job)
    assert list(line["plugins"]) == ["listed_of_mine.py"] and "models" not in line
    assert line["configuration"]["relations"]["own"] == [{"name": "listed", "steps": [1, 2]}]
    assert "listed" in Recommender.load(job.folder / "model").relation_strengths()
