"""`recommend` and `explain` at the command line give what the calls give, for anybody and in every form."""

from __future__ import annotations

import json
import re
import signal
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.support.recommenders import small_config, small_dataset
from tests.support.signalled import signalled
from typer.testing import CliRunner, Result

from attrformer.cli.app import app
from attrformer.recommender import AttrFormer
from attrformer.recommender.streaming import unfinished_folder


def run_command(*arguments: object) -> Result:
    result = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def model() -> AttrFormer:
    return AttrFormer(small_config("training.epochs=1")).fit(small_dataset(), progress=False)


@pytest.fixture(scope="module")
def run(model: AttrFormer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "shop"
    model.save(folder / "model")
    return folder


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".json"])
def test_everyone_into_a_file_is_what_the_call_gives(model: AttrFormer, run: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"recs{ending}"
    result = run_command("recommend", run, "--users", "all", "--out", out, "-k", 4, "--exclude", "item-0001,item-0002")
    assert (result.exit_code, result.stdout) == (0, f"{out}\n"), result.stderr
    expected = model.recommend(k=4, exclude=["item-0001", "item-0002"])
    assert result.stderr.endswith(f"{len(expected):,} rows\n")
    read = {".csv": pl.read_csv, ".parquet": pl.read_parquet, ".json": pl.read_json}[ending]
    assert_frame_equal(read(out).cast(expected.schema), expected, abs_tol=1e-5)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == [out]


def test_people_of_every_kind_in_one_command(model: AttrFormer, run: Path, tmp_path: Path) -> None:
    histories = {"anna": ["item-0003", "item-0010"], "ben": []}
    attributes = {"anna": {"age_band": "18-24"}, "ben": {"region": "North"}}
    (tmp_path / "histories.json").write_text(json.dumps(histories))
    (tmp_path / "people.json").write_text(json.dumps(attributes))
    arguments = ("--histories", tmp_path / "histories.json", "--user-attributes", tmp_path / "people.json", "-k", 3)
    result = run_command("recommend", run, "--user", "user-0007", *arguments)
    assert result.exit_code == 0, result.stderr
    expected = model.recommend(["user-0007"], histories, user_attributes=attributes, k=3)
    assert_frame_equal(pl.read_csv(result.stdout.encode()).cast(expected.schema), expected, abs_tol=1e-5)  # type: ignore[arg-type]


def test_attributes_from_a_table(model: AttrFormer, run: Path, tmp_path: Path) -> None:
    table = pl.DataFrame({"user_id": ["anna", "user-0001"], "age_band": ["18-24", "65+"]})
    table.write_csv(tmp_path / "people.csv")
    result = run_command("recommend", run, "--user-attributes", tmp_path / "people.csv", "-k", 3)
    expected = model.recommend(user_attributes=table, k=3)
    assert pl.read_csv(result.stdout.encode())["item_id"].to_list() == expected["item_id"].to_list()
    everyone = run_command("recommend", run, "-u", "all", "--user-attributes", tmp_path / "people.csv", "-k", 1)
    frame = pl.read_csv(everyone.stdout.encode())
    assert frame["user_id"].to_list() == model.fitted.knowledge.user_ids.to_list()
    assert frame["item_id"][0] == expected.filter(pl.col("user_id") == "user-0001")["item_id"][0]


@pytest.mark.parametrize(
    ("content", "words"), [("{", "cannot be read"), ("[]", "no object"), ('{"a": 3}', "something else than attributes")]
)
def test_attributes_that_cannot_be_used(run: Path, tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "people.json").write_text(content)
    result = run_command("recommend", run, "--user-attributes", tmp_path / "people.json")
    assert result.exit_code == 2
    assert words in result.stderr and "Traceback" not in result.stderr


def test_unknown_ids_are_refused_warned_of_or_skipped(run: Path) -> None:
    asked = ("recommend", run, "--users", "user-0001,ghost", "-k", 2)
    refused = run_command(*asked)
    assert refused.exit_code == 2 and "'ghost'" in refused.stderr
    warned = run_command(*asked, "--on-unknown", "warn")
    assert warned.stderr == "Warning: users: 'ghost' not among the users of this model. Left out.\n"
    skipped = run_command(*asked, "--on-unknown", "skip")
    assert (skipped.stdout, skipped.stderr) == (warned.stdout, "")
    assert len(pl.read_csv(skipped.stdout.encode())) == 2


def test_candidates(run: Path) -> None:
    asked = ("recommend", run, "--users", "user-0001", "--candidates", "item-0004, item-0005")
    result = run_command(*asked, "--no-hide-seen")
    assert set(pl.read_csv(result.stdout.encode())["item_id"]) == {"item-0004", "item-0005"}
    before = run_command(*asked, "--seen")
    assert before.stdout == result.stdout and "--seen is called --no-hide-seen now" in before.stderr


def test_explanations_as_text(model: AttrFormer, run: Path) -> None:
    result = run_command("explain", run, "--user", "user-0003", "-k", 2, "--text")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "user-0003"
    best = model.recommend("user-0003", k=2)
    headings = [line for line in lines if re.match(r" +\d+\. ", line)]
    for heading, item, score in zip(headings, best["item_id"], best["score"], strict=True):
        assert f"({item}), score {score:.2f}" in heading
    reasons = model.explain("user-0003", k=2).sort(pl.col("contribution").abs(), descending=True)["reason"]
    assert reasons[0] in result.stdout
    assert re.search(r"^ +[+-]\d\.\d\d █+ +item price ", result.stdout, re.MULTILINE)


def test_explanations_as_a_drawing(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawings" / "why.svg"
    result = run_command("explain", run, "--users", "user-0003", "-k", 2, "--plot", out)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"Drawing: {out}\n")
    assert ET.fromstring(out.read_text(encoding="utf-8")).tag.endswith("svg")
    refused = run_command("explain", run, "--users", "user-0003", "--plot", tmp_path / "why.png")
    assert refused.exit_code == 2 and ".svg" in refused.stderr


def test_explanations_as_a_table(model: AttrFormer, run: Path, tmp_path: Path) -> None:
    (tmp_path / "people.json").write_text('{"anna": {"age_band": "18-24"}}')
    out = tmp_path / "why.parquet"
    arguments = ("--user-attributes", tmp_path / "people.json", "--exclude", "item-0001", "-k", 3, "--out", out)
    assert run_command("explain", run, *arguments).exit_code == 0
    expected = model.explain(user_attributes={"anna": {"age_band": "18-24"}}, exclude=["item-0001"], k=3)
    assert_frame_equal(pl.read_parquet(out), expected, abs_tol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_an_interrupted_file_is_gone_on_with(model: AttrFormer, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "recs.csv"
    words = ["recommend", str(run), "--users", "all", "--out", str(out), "-k", "3", "--save-every", "1", "--quiet"]
    ended = signalled(signal.SIGINT, "attrformer.recommender.pieces:PieceFiles.keep", 7, *words)
    assert ended.returncode == 130, ended.stderr
    assert "The same command goes on where it stopped" in ended.stderr and "Traceback" not in ended.stderr
    assert not out.exists()
    assert len(list(unfinished_folder(out).glob("*.parquet"))) == 7
    assert run_command(*words).exit_code == 0
    expected = model.recommend(k=3)
    assert_frame_equal(pl.read_csv(out).cast(expected.schema), expected, abs_tol=1e-4)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == [out]
