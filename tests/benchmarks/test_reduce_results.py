"""What documents read is left of a folder of results, and the document comes out the same."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from tests.benchmark.builders import add_result, evaluation, random_ranks

from attrformer.benchmark.files import append_line, read_lines
from attrformer.benchmark.results import load_board

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "reduce_results.py"
PAGE = """{{ leaderboard("shop") }}

{{ significance("shop") }}

{{ slices("shop") }}

{{ tuning("shop") }}

{{ gain_chart("shop") }}
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    groups = {"own": "ours", "rival": "paper", "weak": "paper"}
    for number, (row, group) in enumerate(groups.items()):
        date = {"date": f"2025-06-0{3 - number}T12:00:00+00:00"}
        found = evaluation(random_ranks(number, 30 * (number + 1)), above=1)
        validation = {"validation": {seen: {"NDCG@20": {"value": 0.1}, "MRR@20": {}} for seen in SEEN}}
        add_result(folder, row, evaluation(random_ranks(9, 99)), group=group, key=f"shop.{row}.old", **validation)
        add_result(folder, row, found, group=group, **validation, **date)
        for trial in (0, 1, 0):
            told = {"dataset": "shop", "title": row, "row": row, "trial": trial, "value": 0.1 + number, "options": {}}
            append_line(folder / "trials.jsonl", told | {"configuration": {}, "validation": {}})
    (folder / "other.json").write_text("{}")
    return folder


SEEN = ("seen=hidden", "seen=ranked")


def run(tmp_path: Path, *words: str) -> None:
    (tmp_path / "page.in.md").write_text(PAGE)
    (tmp_path / "paper.yaml").write_text("{}")
    named = ["--results", tmp_path / "results", "--plans", tmp_path / "plans", "--template", tmp_path / "page.in.md"]
    sys.argv = [str(SCRIPT), *map(str, named), "--paper", str(tmp_path / "paper.yaml"), *words]
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_superseded_lines_and_files_of_ranks_go(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)
    before = load_board(results)
    run(tmp_path)
    assert "stay the same, byte by byte" in capsys.readouterr().out
    assert len(read_lines(results / "leaderboard.jsonl")) == 6 and (results / "evaluations").is_dir()
    run(tmp_path, "--write")
    lines = read_lines(results / "leaderboard.jsonl")
    assert [line["key"] for line in lines] == ["shop.own.0", "shop.rival.0", "shop.weak.0"]
    assert set(lines[0]["validation"]["seen=hidden"]) == {"NDCG@20"}
    assert [line["trial"] for line in read_lines(results / "trials.jsonl")] == [0, 1] * 3
    assert sorted(path.name for path in results.iterdir()) == [
        *("leaderboard.jsonl", "other.json", "ranks.npz", "trials.jsonl")
    ]
    after = load_board(results)
    assert [result.row for result in after.results] == [result.row for result in before.results]
    table = (results / "ranks.npz").read_bytes()
    run(tmp_path, "--write")
    assert read_lines(results / "leaderboard.jsonl") == lines and (results / "ranks.npz").read_bytes() == table


def test_nothing_is_written_where_the_document_would_change(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setitem(globals(), "PAGE", '{{ leaderboard("shop", metrics=["Recall@50"]) }}')
    with pytest.raises(SystemExit, match=r"The document would change: page\.md\. Nothing is written"):
        run(tmp_path, "--write")
    assert len(read_lines(results / "leaderboard.jsonl")) == 6
