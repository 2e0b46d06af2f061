"""Plans: what a file says, and what it may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from attrformer.benchmark.options import configuration
from attrformer.benchmark.paper import PaperTable
from attrformer.benchmark.plan import DataSource, Range, data_folder, load_plan
from attrformer.config import load_yaml
from attrformer.errors import AttrFormerWarning, ConfigurationError

ROOT = Path(__file__).parents[2]
PLANS = sorted((ROOT / "benchmarks" / "plans").glob("*.yaml"))

WHOLE = """
data:
  shop: {folder: here, set: {relations.edges: [], training.epochs: 3}}
  other: {folder: there}
seeds: [0, 7]
trials: 3
rows:
  - name: attrformer
    group: ours
    space:
      training.learning_rate: {low: 3e-4, high: 3e-3, log: true}
      model.dropout: [0.1, null]
      model.layers: {low: 1, high: 3}
  - name: sasrec
    title: SASRec
    group: paper
    set: {model.name: sasrec}
    on: {shop: {training.clip: 2}}
    only: [shop]
    seeds: [1]
"""


def write(folder: Path, text: str) -> Path:
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return folder / "mine.yaml"


def test_a_whole_plan(tmp_path: Path) -> None:
    plan = load_plan(write(tmp_path, WHOLE))
    first, second = plan.rows
    assert (plan.name, plan.seeds, plan.trials) == ("mine", (0, 7), 3)
    assert plan.data["shop"].set == {"relations.edges": (), "training.epochs": 3}
    assert (first.label, second.label, second.seeds) == ("attrformer", "SASRec", (1,))
    assert first.space == {
        "training.learning_rate": Range(3e-4, 3e-3, log=True),
        "model.dropout": (0.1, None),
        "model.layers": Range(1, 3),
    }
    assert isinstance(first.space["model.layers"].low, int)  # type: ignore[union-attr]
    assert [plan.runs_on(second, name) for name in plan.data] == [True, False]
    assert configuration(plan, second, "shop", 1).training.clip == 2.0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("[{name: a}, {name: a}]", "naming 'a' twice"),
        ("[{name: a, only: [nowhere]}]", "unknown data 'nowhere'. Give one of shop"),
        ("[{name: a, on: {nowhere: {}}}]", "unknown data 'nowhere'"),
        ("[{name: A b}]", "name is 'A b'. Give small letters"),
        ("[{name: a, space: {model.width: {low: 3, high: 3}}}]", r"model.width"),
        ("[{name: a, space: {model.width: []}}]", "space is without values"),
        ("[{name: a, group: mine}]", "group"),
        ("[{name: a, sett: {}}]", "Did you mean .*set"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_plan(write(tmp_path, f"data: {{shop: {{folder: here}}}}\nrows: {rows}\n"))


def test_a_plan_takes_earlier_names_with_a_warning(tmp_path: Path) -> None:
    old = WHOLE.replace("relations.edges: []", "relations.near.window: 3").replace("model.dropout", "relations.moments")
    (tmp_path / "old.yaml").write_text(old, encoding="utf-8")
    with pytest.warns(AttrFormerWarning, match=r"'relations\.near\.window' is called"):
        plan = load_plan(tmp_path / "old.yaml")
    assert plan.data["shop"].set == {"relations.cooccurrence_near.window": 3, "training.epochs": 3}
    assert "relations.time_buckets" in plan.rows[0].space
    assert configuration(plan, plan.rows[0], "shop", 0).relations.cooccurrence_near.window == 3


def test_a_range_has_an_order_and_a_logarithm() -> None:
    with pytest.raises(ConfigurationError, match="low is 2"):
        Range(2, 1)
    with pytest.raises(ConfigurationError, match="logarithmic"):
        Range(0, 1, log=True)


def test_folders_name_environment_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop").mkdir()
    source = DataSource("${ATTRFORMER_DATA}/shop")
    monkeypatch.delenv("ATTRFORMER_DATA", raising=False)
    with pytest.raises(ConfigurationError, match=r"ATTRFORMER_DATA is not set\. .* --data-root"):
        data_folder(source)
    assert data_folder(source, tmp_path) == tmp_path / "shop"
    monkeypatch.setenv("ATTRFORMER_DATA", str(tmp_path))
    assert data_folder(source) == tmp_path / "shop"
    with pytest.raises(ConfigurationError, match="absent, which does not exist"):
        data_folder(DataSource("${ATTRFORMER_DATA}/absent"))


@pytest.mark.slow
@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_the_plans_of_the_repository_can_be_run(path: Path) -> None:
    plan = load_plan(path)
    for row in plan.rows:
        for source in plan.data:
            if plan.runs_on(row, source):
                configuration(plan, row, source, 0)


def test_the_plans_of_the_repository_are_there() -> None:
    assert {"leaderboard", "ablations", "lengths"} <= {path.stem for path in PLANS}


def test_the_published_table() -> None:
    table = load_yaml(PaperTable, ROOT / "benchmarks" / "paper_table.yaml")
    assert set(table.figures) == {"beauty", "toys", "ml-1m"}
    assert all(set(metrics) == {"Recall@5", "Recall@20", "NDCG@5", "NDCG@20"} for metrics in table.figures.values())
    assert table.figure("beauty", "sasrecf", "NDCG@20") == 0.0594
    assert table.figure("toys", "sasrec_ce", "NDCG@20") is None
    assert table.figure("elsewhere", "sasrec", "NDCG@20") is None
    assert table.gain("ml-1m", "attrformer", "NDCG@20") == pytest.approx(0.2088 / 0.1745 - 1)
    assert table.gain("beauty", "absent", "NDCG@20") is None


def test_a_published_table_with_a_gap_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"figures\.shop\.NDCG@20 is 1 long. Give 2"):
        PaperTable(models=("a", "b"), figures={"shop": {"NDCG@20": (0.1,)}})
