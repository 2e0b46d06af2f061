"""The HTML report of runs that are unfinished, damaged or none: what is there, or one error."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.report.pages import (
    EPOCHS,
    epoch,
    read,
    write_run,
)

from attrformer.errors import CheckpointError
from attrformer.report import write_report


def test_an_unfinished_run_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    text, page = read(tmp_path)
    assert page.count("svg") == 0
    assert "No figures yet. Run: attrformer evaluate RUN" in text
    assert "No epoch was finished yet" in text


def test_values_that_cannot_be_drawn_leave_a_gap(tmp_path: Path) -> None:
    broken = epoch(2, float("nan"), 0.0) | {"validation": None}
    _, page = read(write_run(tmp_path / "run", metrics=[EPOCHS[0], broken, EPOCHS[2]]))
    assert page.tables[1] == [["Epoch", "loss"], ["1", "8.5000"], ["3", "7.0000"]]
    assert "nan" not in " ".join(str(found.get("d")) for tag, found in page.elements if tag == "path")


def test_evaluations_within_epochs_are_drawn_where_they_were_made(tmp_path: Path) -> None:
    lines = [epoch(1, 9.0, 0.01) | {"passes": 0.5}, epoch(1, 8.0, 0.02) | {"passes": 1.0}]
    text, page = read(write_run(tmp_path / "run", metrics=[*lines, epoch(2, 7.0, 0.03) | {"passes": 1.333333}]))
    assert page.tables[1] == [["Epoch", "loss"], ["0.5", "9.0000"], ["1", "8.0000"], ["1.33", "7.0000"]]
    assert "goes from 9.0000 at epoch 0.5 to 7.0000 at epoch 1.33." in text
    assert "<dd>2</dd>" in text or ">2<" in text


def test_one_epoch_is_enough_for_a_chart(tmp_path: Path) -> None:
    _, page = read(write_run(tmp_path / "run", metrics=EPOCHS[:1]))
    assert page.tables[1] == [["Epoch", "loss"], ["1", "8.5000"]]


def test_half_a_last_line_of_a_killed_run_is_left_out(run: Path) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "lo')
    _, page = read(run)
    assert [row[0] for row in page.tables[1]] == ["Epoch", "1", "2", "3"]


def test_damaged_line_inside_is_an_error_with_its_number(run: Path) -> None:
    (run / "metrics.jsonl").write_text('{"epoch": 0}\nnonsense\n{"epoch": 2}\n')
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl is damaged \(line 2"):
        write_report(run)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_damaged_file_is_an_error_that_names_it(run: Path, content: str) -> None:
    (run / "figures.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"figures\.json is damaged"):
        write_report(run)


def test_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no config\.json.*attrformer train"):
        write_report(tmp_path)
    with pytest.raises(CheckpointError, match="is not a folder"):
        write_report(tmp_path / "absent")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.jsonl", "{}\n{}\n"),
        ("metrics.jsonl", '{"epoch": "x", "loss": [1]}\n{"epoch": 2}\n'),
        ("figures.json", '{"protocol": 3}'),
        ("figures.json", '{"protocol": {"dataset": 3}}'),
        ("slices.json", '{"metric": "NDCG@20", "popularity": [1]}'),
        ("relations.json", '{"strengths": [1], "pairs": {"a": {"names": 3}}}'),
        ("check.json", '{"findings": 3, "columns": [1]}'),
        ("config.json", "[]"),
    ],
)
def test_files_that_hold_something_else_are_one_error(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_text(content)
    with pytest.raises(CheckpointError) as refused:
        write_report(tmp_path)
    assert "\n" not in str(refused.value) and str(tmp_path) in str(refused.value)
    assert not (tmp_path / "report.html").exists()
