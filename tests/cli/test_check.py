"""`attrformer check` as people and scripts run it, and what `attrformer train` says of the data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from tests.data.check.clean import log
from typer.testing import CliRunner

from attrformer.cli.app import app
from attrformer.data.sample import make_sample


class Answer(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str


def run_command(*arguments: object) -> Answer:
    result = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without an error or a warning."""
    sample = make_sample(users=300, items=80, brands=6)
    folder = tmp_path_factory.mktemp("data") / "shop"
    folder.mkdir()
    sample.interactions.write_parquet(folder / "interactions.parquet")
    sample.items.write_parquet(folder / "items.parquet")
    sample.users.write_csv(folder / "users.csv")
    return folder


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All there twice, one user in a future."""
    folder = tmp_path_factory.mktemp("data") / "spoiled"
    folder.mkdir()
    twice = pl.concat([log(300), log(300)])
    twice.with_columns(
        timestamp=pl.when(pl.int_range(pl.len()) == 0).then(9_000_000_000).otherwise("timestamp")
    ).write_csv(folder / "interactions.csv")
    return folder


def test_the_command_starts_without_torch(shop: Path) -> None:
    code = (
        "import sys; from attrformer.cli.app import app; app(['check', sys.argv[1]], standalone_mode=False); "
        "print([name for name in ('torch', 'scipy') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(shop)], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert done.stdout.startswith("shop: 0 errors, 0 warnings, ")


def test_json_is_one_object_and_nothing_else(spoiled: Path) -> None:
    answer = run_command("check", spoiled, "--json")
    assert (answer.exit_code, answer.stderr) == (0, "")
    report = json.loads(answer.stdout)
    assert report["dataset"] == "spoiled" and report["facts"]["interactions"] == 2 * 300 * 8
    found = {finding["id"]: finding for finding in report["findings"]}
    assert found["duplicate-interactions"]["evidence"]["duplicates"] == 300 * 8 - 1
    assert found["implausible-times"]["severity"] == "warning"
    assert set(found["implausible-times"]) == {
        *("id", "severity", "title", "detail", "evidence", "columns", "examples", "fix")
    }
    assert sum(report["counts"].values()) == len(report["findings"])
    assert [use["column"] for use in report["columns"]] == ["user_id", "item_id", "timestamp"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "severity", "code"),
    [
        ("shop", None, 0),
        ("shop", "warning", 0),
        ("spoiled", None, 0),
        ("spoiled", "error", 0),
        ("spoiled", "warning", 1),
        ("spoiled", "note", 1),
    ],
)
def test_strict_fails_from_its_severity_on(
    name: str, severity: str | None, code: int, request: pytest.FixtureRequest
) -> None:
    strict = () if severity is None else ("--strict", severity)
    assert run_command("check", request.getfixturevalue(name), *strict).exit_code == code


def test_a_dataset_that_cannot_be_made_is_a_finding_with_a_code_of_its_own(tmp_path: Path) -> None:
    log().with_columns(user_id=pl.when(pl.int_range(pl.len()) == 7).then(None).otherwise("user_id")).write_parquet(
        tmp_path / "interactions.parquet"
    )
    answer = run_command("check", tmp_path, "--json")
    (finding,) = json.loads(answer.stdout)["findings"]
    assert (answer.exit_code, finding["id"], finding["severity"]) == (2, "unreadable", "error")
    assert (finding["columns"], finding["examples"]) == (["user_id"], ["row 7"])
    assert "the id is null" in finding["title"] and finding["fix"] == "Give every row an id or drop the row"
    assert "ERROR" in run_command("check", tmp_path).stdout


@pytest.mark.slow
@pytest.mark.parametrize("content", [None, "", "a,b\n1,2\n", "user_id,item_id\n"])
def test_what_cannot_be_read_is_one_message_without_a_trace(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "interactions.csv"
    if content is not None:
        file.write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "attrformer.cli", "check", str(file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stderr.startswith("Error: ") or "unreadable" in done.stdout


def test_a_folder_without_interactions_says_what_to_write_there(tmp_path: Path) -> None:
    pl.DataFrame({"item_id": [1]}).write_csv(tmp_path / "items.csv")
    answer = run_command("check", tmp_path)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "there is no table of interactions" in answer.stderr and "Write interactions.parquet" in answer.stderr


def test_one_table_and_raw_files_are_read_too(tmp_path: Path, spoiled: Path) -> None:
    report = json.loads(run_command("check", spoiled / "interactions.csv", "--json").stdout)
    assert report["facts"]["users"] == 300
    folder = tmp_path / "ml-1m"
    folder.mkdir()
    (folder / "ratings.dat").write_text(
        "".join(f"{u}::{1 + (u + i) % 9}::5::{978_000_000 + 60 * i + u}\n" for u in range(1, 9) for i in range(5))
    )
    (folder / "movies.dat").write_text("".join(f"{i}::Film {i} (199{i})::Drama|War\n" for i in range(1, 10)))
    (folder / "users.dat").write_text("".join(f"{u}::F::25::1::0141{u}\n" for u in range(1, 9)))
    report = json.loads(run_command("check", folder, "--json").stdout)
    uses = {f"{use['table']}.{use['column']}": use["used_as"] for use in report["columns"]}
    assert report["facts"]["interactions"] == 40
    assert uses["items.genres"].startswith(("item attribute, multi", "not used")) and "users.zip_code" in uses


def test_columns_are_named_as_for_train(tmp_path: Path) -> None:
    log().rename({"user_id": "customer"}).write_csv(tmp_path / "interactions.csv")
    assert run_command("check", tmp_path).exit_code == 2
    answer = run_command("check", tmp_path, "--columns", "user_id=customer", "--json")
    assert answer.exit_code == 0 and json.loads(answer.stdout)["facts"]["users"] == 60


def test_the_page_holds_every_finding(spoiled: Path, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "check.html"
    answer = run_command("check", spoiled, "--out", page)
    assert answer.exit_code == 0 and f"Page: {page}" in answer.stderr
    text = page.read_text()
    assert text.startswith("<!doctype html>") and "AttrFormer check" in text
    assert "the whole log seems to be there twice" in text and "interactions.user_id" in text
    assert run_command("check", spoiled, "--out", tmp_path / "check.pdf").exit_code == 2


TINY = ("training.epochs=1", "training.threads=1", "training.precision=float32", "model.width=16", "model.layers=1")


@pytest.mark.slow
def test_train_says_first_what_columns_are_used_as_and_what_is_suspicious(spoiled: Path, tmp_path: Path) -> None:
    settings = [word for setting in (*TINY, "evaluation.resamples=50") for word in ("--set", setting)]
    answer = run_command("train", "--data", spoiled, "--out", tmp_path / "run", *settings)
    assert answer.exit_code == 0, answer.stderr
    lines = answer.stderr.splitlines()
    assert "interactions: user_id user; item_id item; timestamp time" in lines
    told = [line for line in lines if line.startswith(("Warning: ", "Note: "))]
    assert any("interactions are there again" in line for line in told)
    assert any(f"attrformer check {spoiled}" in line for line in lines)
    stored = json.loads((tmp_path / "run" / "check.json").read_text())
    assert stored["counts"]["warning"] >= 2
    page = (tmp_path / "run" / "report.html").read_text()
    assert ">The data</h2>" in page and "the whole log seems to be there twice" in page


def test_the_command_takes_what_is_predicted(tmp_path: Path) -> None:
    events = log(300).with_columns(
        event=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("view")).otherwise(pl.lit("sale"))
    )
    events.write_csv(tmp_path / "interactions.csv")
    answer = run_command("check", tmp_path, "--targets", "event=sale", "--json")
    (finding,) = [each for each in json.loads(answer.stdout)["findings"] if each["id"] == "predicted"]
    assert finding["evidence"]["share"] == 0.5
    wrong = run_command("check", tmp_path, "--negative", "event=return")
    assert wrong.exit_code == 2 and "data.negative asks for 'return'" in wrong.stderr
