"""Metrics of one's own: registered by name, reported, selected on, saved, and refused where the name is taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.evaluation.scorers import ITEMS, make_targets, run
from tests.support.recommenders import small_config, small_dataset

from attrformer import Config, Recommender
from attrformer.config import override
from attrformer.errors import ConfigurationError
from attrformer.evaluation import Evaluation, Interval, metrics
from attrformer.evaluation.metrics import CatalogueMetric, Metric, Ranking

pytestmark = pytest.mark.usefixtures("known_models")


class Surprise(Metric):
    """How far behind the first place a target is: less is better."""

    name = "Surprise"
    higher_is_better = False
    bounds = (0.0, float("inf"))

    def per_target(self, ranking: Ranking, k: int) -> NDArray[np.float64]:
        return np.minimum(ranking.ranks, k + 1).astype(np.float64)


class Novelty(Metric):
    """The share of items in a list that nobody had."""

    name = "Novelty"
    reads = ("lists", "popularity")
    follows_rank = False

    def per_target(self, ranking: Ranking, k: int) -> NDArray[np.float64]:
        return ((ranking.lists >= 0) & (ranking.popularity[ranking.lists] == 0)).mean(1)


class Listed(CatalogueMetric):
    """How many distinct items are recommended."""

    name = "Listed"
    reads = ("lists",)
    bounds = (0.0, float("inf"))

    def overall(self, ranking: Ranking, k: int, confidence: float) -> Interval:
        count = float(len(np.unique(ranking.lists[ranking.lists >= 0])))
        return Interval(count, count, count)


ALL = (*metrics.BUILT_IN, "Surprise", "Novelty", "Listed")


def test_metrics_of_ones_own_are_reported_with_intervals_and_leave_the_others_as_they_are(tmp_path: Path) -> None:
    for metric in (Surprise, Novelty(), Listed):
        metrics.register(metric)
    plain, found = run(make_targets(times=True)), run(make_targets(times=True), metrics=ALL)
    assert found.names == (*plain.names, *(f"{name}@{k}" for name in ALL[-3:] for k in found.cutoffs))
    for seen in ("hidden", "ranked"):
        for name in plain.names:
            assert found.metric(name, seen) == plain.metric(name, seen)
    assert found.value("Surprise@5") == np.minimum(found.ranks["hidden"], 6).mean()
    assert found.value("Novelty@5") == pytest.approx((found.lists["hidden"][:, :5] == 0).mean(), abs=1e-12)
    assert found.metric("Surprise@5").low < found.value("Surprise@5") < found.metric("Surprise@5").high
    assert found.metric("Listed@20").value == ITEMS
    assert "Surprise@5" in str(found) and found.compare(plain, "Surprise@5").difference.value == 0
    brief = [name for name in found.groups["repeats"]["repeated"].figures["hidden"] if name.startswith("S")]
    assert brief == [f"Surprise@{k}" for k in found.cutoffs]
    assert found.by_history_length("Surprise@20")[0].interval.value > 0
    found.save(tmp_path / "one.safetensors")
    loaded = Evaluation.load(tmp_path / "one.safetensors")
    assert loaded.metrics == ALL and loaded.to_json() == found.to_json()
    metrics.registry._known.pop("Novelty")
    with pytest.raises(ConfigurationError, match=r"Unknown metric 'Novelty'.*--plugins FILE"):
        Evaluation.load(tmp_path / "one.safetensors")


def test_a_selection_of_metrics_is_reported_in_its_order() -> None:
    found = run(metrics=("MRR", "Recall"), cutoffs=(5,))
    assert found.names == ("MRR@5", "Recall@5")
    assert found.metric("MRR@5") == run(cutoffs=(5,)).metric("MRR@5")
    assert found.value("NDCG@20") == run().value("NDCG@20")


def test_a_metric_of_lists_is_left_out_where_there_are_none() -> None:
    metrics.register(Novelty)
    found = run(metrics=("NDCG", "Novelty"), lists=False)
    assert {name.partition("@")[0] for name in found.names} == {"NDCG"}
    with pytest.raises(ConfigurationError, match=r"Novelty@5 needs recommended lists\. Evaluate with `lists=True`"):
        found.metric("Novelty@5")


def test_epochs_are_selected_by_a_metric_of_which_less_is_better(tmp_path: Path) -> None:
    metrics.register(Surprise)
    settings = ["training.metric=Surprise@10", "training.epochs=3", "training.select_on=seen=hidden"]
    config = override(small_config(), [*settings, "evaluation.metrics=[Recall, Surprise]"])
    model = Recommender(config).fit(small_dataset(), run=tmp_path / "run", progress=False)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    values = [line["validation"]["seen=hidden"]["Surprise@10"] for line in lines]
    state = json.loads((tmp_path / "run" / "checkpoint" / "state.json").read_text())
    progress = state.get("progress", state)
    assert progress["best"] == -min(values) and progress["best_epoch"] == values.index(min(values))
    assert model.evaluation is not None
    assert "best epoch by validation Surprise@10 (seen=hidden)" in model.evaluation.protocol.selection
    figures = json.loads((tmp_path / "run" / "figures.json").read_text())["seen=hidden"]
    assert [name for name in figures if name.endswith("@5")] == ["Recall@5", "Surprise@5"]
    assert list(model.evaluate(small_dataset(), metrics=["MRR"]).values()["seen=ranked"]) == [
        "MRR@5",
        "MRR@10",
        "MRR@20",
    ]


def test_unknown_metrics_are_refused_before_training() -> None:
    for setting, message in (
        ("evaluation.metrics=[NDGC]", "Unknown metric 'NDGC'. Did you mean NDCG"),
        ("training.metric=Hits@5", "Unknown metric 'Hits@5'"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            Recommender(override(small_config(), [setting])).fit(small_dataset(), progress=False)
    for setting in (
        "evaluation.metrics=[]",
        "evaluation.metrics=[NDCG@5]",
        "training.metric=NDCG",
        "training.metric='@5'",
    ):
        with pytest.raises(ConfigurationError, match=r"metrics? is"):
            override(Config(), [setting])


def test_names_are_unique() -> None:
    metrics.register(Surprise)
    metrics.register(Surprise)

    def named(given: Any) -> type[Metric]:
        class Other(Surprise):
            name: ClassVar[str] = given

        return Other

    for taken, whose in (("NDCG", "of the library"), ("ndcg", "of the library"), ("surprise", r"of .*test_registry")):
        with pytest.raises(ConfigurationError, match=f"The name '{taken}' is that of a metric {whose}"):
            metrics.register(named(taken))
    with pytest.raises(ConfigurationError, match=r"The name 'Surprise' is that of a metric"):
        metrics.register(named("Surprise"))
    for wrong in ("", "A@5", "a b", "5", None):
        with pytest.raises(ConfigurationError, match="Give it letters, digits"):
            metrics.register(named(wrong))
    for wrong in (3, "NDCG", int):
        with pytest.raises(ConfigurationError, match=r"is no metric\. Derive it"):
            metrics.register(wrong)  # type: ignore[arg-type]
    assert metrics.known_metrics() == (*metrics.BUILT_IN, "Surprise")


def test_metric_names_are_read():
    assert metrics.parse_metric("NDCG@20") == ("NDCG", 20)
    assert metrics.parse_metric("PopularityBias@5") == ("PopularityBias", 5)


@pytest.mark.parametrize("name", ["NDCG", "NDCG@", "NDCG@0", "NDCG@-1", "ndcg@5", "Hits@5", "NDCG@5.0", "@5"])
def test_other_metric_names_are_refused(name):
    with pytest.raises(ConfigurationError, match="such as NDCG@20"):
        metrics.parse_metric(name)
