"""The commands one after the other on a small shop: train, evaluate, recommend, explain, demo."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from tests.cli.commands import ITEMS, USERS, call, settings, write_shop

from attrformer.data.sample import make_sample


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("data") / "shop")


@pytest.fixture(scope="module")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "shop"
    result = call("train", "--data", shop, "--out", folder, *settings())
    assert result.exit_code == 0, result.stderr
    assert "NDCG@20" in result.stdout
    assert f"Report: {folder / 'report.html'}" in result.stderr
    return folder


@pytest.fixture(scope="module")
def interactions(shop: Path) -> pl.DataFrame:
    return pl.read_parquet(shop / "interactions.parquet")


def test_train_leaves_everything_in_the_run_folder(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "config.json",
        "metrics.jsonl",
        "model",
        "figures.json",
        "slices.json",
        "relations.json",
        "report.html",
        "data.json",
    }
    assert json.loads((run / "config.json").read_text())["model"]["width"] == 16
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2
    page = (run / "report.html").read_text()
    assert "NDCG@20 by history length" in page and "Strength of each relation" in page and ">brand<" in page


def test_train_does_not_write_over_a_run(run: Path, shop: Path) -> None:
    before = (run / "model" / "model.safetensors").read_bytes()
    result = call("train", "--data", shop, "--out", run, *settings())
    assert result.exit_code == 2
    assert "holds a run already" in result.stderr and "--resume" in result.stderr
    assert (run / "model" / "model.safetensors").read_bytes() == before


def test_evaluate_prints_one_json_object(run: Path) -> None:
    result = call("evaluate", run, "--json")
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert set(figures) == {"protocol", "seen=hidden", "seen=ranked"}
    assert set(figures["seen=hidden"]["NDCG@20"]) == {"value", "low", "high"}
    assert (figures["protocol"]["part"], figures["protocol"]["items"]) == ("test", items_acted_on(run))
    assert figures == json.loads((run / "figures.json").read_text())


def items_acted_on(run: Path) -> int:
    data = run / json.loads((run / "data.json").read_text())["folder"]
    return pl.read_parquet(data / "interactions.parquet")["item_id"].n_unique()


@pytest.mark.slow
def test_evaluate_on_validation_leaves_the_figures_of_the_run(run: Path, shop: Path) -> None:
    before = (run / "figures.json").read_bytes()
    result = call("evaluate", run, "--data", shop, "--part", "validation", "--json")
    assert json.loads(result.stdout)["protocol"]["part"] == "validation"
    assert (run / "figures.json").read_bytes() == before
    again = call("evaluate", run, "--part", "validation")
    assert "leave-one-out validation" in " ".join(again.stdout.split())


def test_recommend_for_known_users(run: Path, interactions: pl.DataFrame) -> None:
    users = interactions["user_id"].unique(maintain_order=True)[:2].to_list()
    result = call("recommend", run, "--users", ",".join(users), "-k", 3)
    assert result.exit_code == 0, result.stderr
    frame = pl.read_csv(result.stdout.encode())
    assert frame.columns == ["user_id", "item_id", "score", "rank"]
    assert frame["user_id"].to_list() == [user for user in users for _ in range(3)]
    assert frame["rank"].to_list() == [1, 2, 3] * 2
    seen = interactions.select("user_id", "item_id")
    assert frame.join(seen, on=["user_id", "item_id"], how="inner").is_empty()


def test_recommend_for_everyone_into_a_file(run: Path, tmp_path: Path) -> None:
    result = call("recommend", run, "-k", 2, "--out", tmp_path / "all.parquet")
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'all.parquet'}\n")
    assert len(pl.read_parquet(tmp_path / "all.parquet")) == 2 * USERS


def test_recommend_for_histories_as_table_and_as_json_agree(
    run: Path, interactions: pl.DataFrame, tmp_path: Path
) -> None:
    items = interactions["item_id"].unique(maintain_order=True)[:3].to_list()
    pl.DataFrame({"user_id": ["new"] * 3, "item_id": items}).write_csv(tmp_path / "new.csv")
    (tmp_path / "new.json").write_text(json.dumps({"new": items}))
    answers = [call("recommend", run, "--histories", tmp_path / name, "-k", 5) for name in ("new.csv", "new.json")]
    assert answers[0].exit_code == 0, answers[0].stderr
    frame = pl.read_csv(answers[0].stdout.encode())
    assert frame["user_id"].to_list() == ["new"] * 5
    assert set(frame["item_id"]).isdisjoint(items)
    assert answers[1].stdout == answers[0].stdout


def test_unknown_user_and_item_are_named(run: Path, tmp_path: Path) -> None:
    result = call("recommend", run, "--users", "nobody")
    assert result.exit_code == 2
    assert "nobody" in result.stderr
    (tmp_path / "new.json").write_text('{"new": ["no such item"]}')
    result = call("recommend", run, "--histories", tmp_path / "new.json")
    assert result.exit_code == 2
    assert "no such item" in result.stderr


def test_explain_gives_parts_that_sum_to_the_score(run: Path, interactions: pl.DataFrame, tmp_path: Path) -> None:
    user = interactions["user_id"][0]
    result = call("explain", run, "--users", user, "-k", 2, "--out", tmp_path / "why.csv")
    assert result.exit_code == 0, result.stderr
    parts = pl.read_csv(tmp_path / "why.csv")
    sums = parts.group_by("item_id", maintain_order=True).agg(pl.col("score").first(), pl.col("contribution").sum())
    assert len(sums) == 2
    assert sums["contribution"].to_list() == pytest.approx(sums["score"].to_list(), abs=1e-4)


def test_explain_on_the_screen_gives_reasons(run: Path, interactions: pl.DataFrame) -> None:
    user, item = interactions["user_id"][0], interactions["item_id"][20]
    result = call("explain", run, "--users", user, "--items", item)
    assert result.exit_code == 0, result.stderr
    frame = pl.read_csv(result.stdout.encode())
    assert frame.columns == ["user_id", "rank", "item_id", "title", "score", "reasons"]
    assert frame["item_id"].to_list() == [item]
    assert frame["reasons"].str.contains(r"[+-]\d").all()


def test_a_run_without_a_model_says_how_to_get_one(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    result = call("recommend", tmp_path)
    assert result.exit_code == 2
    assert "not finished" in result.stderr and "--resume" in result.stderr
    assert call("explain", tmp_path / "absent").exit_code == 2


def test_options_lists_every_option_with_its_meaning() -> None:
    result = call("options", "--json")
    options = {option["name"]: option for option in json.loads(result.stdout)}
    assert {name.partition(".")[0] for name in options} == {
        "seed",
        "data",
        "relations",
        "model",
        "target",
        "training",
        "evaluation",
    }
    assert [name for name, option in options.items() if not option["help"]] == []
    table = call("options", "training")
    assert "training.learning_rate" in table.stdout and "model.width" not in table.stdout
    assert call("options", "nothing").exit_code == 2


@pytest.mark.slow
def test_demo_shows_metrics_recommendations_and_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attrformer.data.sample.make_sample", small_sample)
    result = call("demo", "--out", tmp_path / "demo", *settings("training.epochs=1"), "--quiet")
    assert result.exit_code == 0, result.stderr
    assert "NDCG@20" in result.stdout
    ranks = [line.split()[1] for line in result.stdout.splitlines() if line[:1] == "│" and " item-" in line]
    assert [rank for rank in ranks if rank.isdigit()] == [str(rank) for rank in range(1, 11)]
    assert f"Report: {tmp_path / 'demo' / 'report.html'}" in result.stderr
    figures = call("evaluate", tmp_path / "demo", "--json")
    assert figures.exit_code == 0, figures.stderr
    assert json.loads(figures.stdout) == json.loads((tmp_path / "demo" / "figures.json").read_text())
    again = call("demo", "--out", tmp_path / "demo", *settings("training.epochs=1"), "--quiet")
    assert f"Report: {tmp_path / 'demo-2' / 'report.html'}" in again.stderr


def small_sample(seed: int = 0) -> object:
    return make_sample(seed, USERS, ITEMS, brands=6)
