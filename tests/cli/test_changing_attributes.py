"""A folder with a table of changes through the commands: check, train, recommend, explain, evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from tests.support.offers import CHANGES, LOG, START, WEEK, offered_at
from tests.support.recommenders import SMALL
from typer.testing import CliRunner, Result

from attrformer.cli.app import app
from attrformer.recommender import Recommender


def run_command(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


NOW = START + 45 * WEEK


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offers")
    LOG.rename({"user_id": "visitor"}).write_csv(folder / "interactions.csv")
    CHANGES.rename({"column": "property"}).write_csv(folder / "item_changes.csv")
    return folder


COLUMNS = ("--columns", "user_id=visitor,column=property")


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "offers"
    settings = [part for setting in SMALL for part in ("--set", setting)]
    result = run_command("train", "--data", data, *COLUMNS, "--out", folder, *settings)
    assert result.exit_code == 0, result.stderr
    assert "item_changes: offer" in result.stderr
    return folder


def test_the_check_lists_what_changes(data: Path) -> None:
    result = run_command("check", data, *COLUMNS)
    assert result.exit_code == 0 and "offer" in result.stdout and "changes are known" in result.stdout


def test_commands_answer_as_of_a_time(run: Path) -> None:
    model = Recommender.load(run / "model")
    out = run_command("recommend", run, "--users", "u001", "-k", 5, "--as-of", str(NOW))
    assert out.exit_code == 0, out.stderr
    answers = pl.read_csv(out.stdout.encode())
    assert answers["item_id"].to_list() == model.recommend("u001", k=5, as_of=NOW)["item_id"].to_list()
    assert answers["item_id"].to_list() != model.recommend("u001", k=5)["item_id"].to_list()
    reasons = run_command("explain", run, "--users", "u001", "-k", 2, "--as-of", str(NOW), "--text")
    assert reasons.exit_code == 0 and "had when it was taken: yes" in reasons.stdout
    wrong = run_command("recommend", run, "--users", "u001", "--as-of", "soon")
    assert wrong.exit_code != 0 and "as_of is 'soon'. Give whole seconds since 1970" in wrong.stderr
    assert len(offered_at(NOW)) > 5


def test_the_run_is_evaluated_again_on_its_folder(run: Path) -> None:
    result = run_command("evaluate", run)
    assert result.exit_code == 0 and "NDCG" in result.stdout, result.stderr


def test_figures_under_rules_are_shown_and_not_kept(run: Path, tmp_path: Path) -> None:
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    (tmp_path / "rules.yaml").write_text("where: offer == 'yes'\n")
    result = run_command("evaluate", run, "--rules", tmp_path / "rules.yaml", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    # Everybody takes what is on offer at the time: no target is forbidden, and most other items are.
    assert found["protocol"]["forbidden"] == 0
    assert found["protocol"]["rules"].endswith("as of each target's time")
    shown = run_command("evaluate", run, "--rules", tmp_path / "rules.yaml")
    assert "they forbid 0 targets (0.0 %)" in " ".join(shown.stdout.split())
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == kept
    plain = json.loads(run_command("evaluate", run, "--json").stdout)
    # Fifteen items are on offer at a time.
    assert found["seen=ranked"]["Recall@20"]["value"] == 1
    assert found["seen=ranked"]["NDCG@5"]["value"] >= plain["seen=ranked"]["NDCG@5"]["value"]
    (tmp_path / "rules.yaml").write_text("where: ofer == 'yes'\n")
    wrong = run_command("evaluate", run, "--rules", tmp_path / "rules.yaml")
    assert wrong.exit_code != 0 and "Did you mean 'offer'?" in wrong.stderr
