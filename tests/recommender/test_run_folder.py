from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.recommenders import small_config

from attrformer.config import from_dict
from attrformer.errors import CheckpointError
from attrformer.recommender import AttrFormer, Config
from attrformer.recommender.run_folder import RunFolder
from attrformer.report import write_report


def test_what_a_run_leaves(model: AttrFormer, run: Path) -> None:
    assert from_dict(Config, json.loads((run / "config.json").read_text())) == model.config
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1]
    assert set(lines[0]) >= {"step", "loss", "seconds", "targets_per_second", "learning_rate", "validation"}
    assert 0 <= lines[0]["validation"]["seen=hidden"]["NDCG@20"] <= 1
    assert model.evaluation is not None
    assert json.loads((run / "figures.json").read_text()) == model.evaluation.to_json()
    slices = json.loads((run / "slices.json").read_text())
    assert sum(part["count"] for part in slices["history_length"]) == 150
    assert sum(part["count"] for part in slices["item_popularity"]) == 150
    relations = json.loads((run / "relations.json").read_text())
    assert relations["strengths"] == model.relation_strengths()
    assert list(relations["pairs"]) == model.pair_attributes() == ["brand", "category", "price", "age_band", "region"]
    assert relations["pairs"]["brand"]["names"] == model.strongest_pairs("brand")[0]
    assert not list(run.rglob("*.tmp"))


def test_the_report_reads_it(model: AttrFormer, run: Path, tmp_path: Path) -> None:
    for file in run.glob("*.json*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    page = write_report(tmp_path).read_text()
    assert "item_brand" in page
    assert "age_band" in page


def test_lines_of_an_interrupted_run_are_replaced(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for epoch, loss in ((0, 5.0), (1, 4.0), (2, 3.0), (1, 4.5)):
        folder.add_epoch({"epoch": epoch, "loss": loss})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [{"epoch": 0, "loss": 5.0}, {"epoch": 1, "loss": 4.5}]


def test_so_are_those_within_an_epoch(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for epoch, passes in ((0, 0.5), (0, 1.0), (1, 1.5), (0, 1.0), (1, 1.5), (1, 2.0)):
        folder.add_epoch({"epoch": epoch, "passes": passes})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["passes"] for line in lines] == [0.5, 1.0, 1.5, 2.0]


def test_a_resumed_run_keeps_what_was_settled(tmp_path: Path) -> None:
    folder, config = RunFolder(tmp_path), small_config()
    folder.claim(config, {"precision": "float32", "data": "x"})
    assert folder.settle(config, {"precision": "bfloat16", "data": "x"}, resume=True)["precision"] == "float32"


def test_a_damaged_run_is_refused(tmp_path: Path) -> None:
    folder, config = RunFolder(tmp_path), small_config()
    folder.claim(config, {"data": "x"})
    for content in ("{", "[]"):
        (tmp_path / "run.json").write_text(content)
        with pytest.raises(CheckpointError, match=r"run.json"):
            folder.settle(config, {"data": "x"}, resume=True)
