"""Files whose ids say whose an item is, from the raw file to a trained model."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from tests.cli.commands import call, settings
from tests.data.numbered import numbered

from attrformer.columns import ITEM, USER

pytestmark = pytest.mark.slow

OPTIONS = settings("training.epochs=1", "relations.similar_users=false")


def write_s3rec(folder: Path, name: str, users: int, items: int, mean: int, first: int = 1) -> None:
    """`NAME.txt` and its attributes, numbered by first appearance from 1 on, as these files are."""
    frame = numbered("first appearance", users=users, items=items, mean=mean)
    lines = [
        " ".join(map(str, [user + first, *(item + 1 for item in taken)]))
        for user, taken in frame.group_by(USER, maintain_order=True).agg(ITEM).iter_rows()
    ]
    folder.mkdir()
    (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    attributes = {str(item + 1): [item % 7, 7 + item % 3] for item in frame[ITEM].unique().to_list()}
    (folder / f"{name}_item2attributes.json").write_text(json.dumps(attributes))


@pytest.mark.parametrize(
    ("name", "users", "items", "mean"),
    [("LastFM", 60, 90, 20), ("Yelp", 150, 200, 8), ("Sports_and_Outdoors", 200, 400, 6)],
)
def test_defaults_read_no_id_order_of_an_s3rec_file_and_asking_for_it_is_refused(
    name: str, users: int, items: int, mean: int, tmp_path: Path
) -> None:
    write_s3rec(tmp_path / "raw", name, users, items, mean)
    prepared = call("prepare", tmp_path / "raw", "--out", tmp_path / "data")
    assert prepared.exit_code == 0, prepared.stderr
    train = ("train", "--data", tmp_path / "data", "--out")
    trained = call(*train, tmp_path / "run", *OPTIONS)
    assert trained.exit_code == 0, trained.stderr
    strengths = json.loads((tmp_path / "run" / "relations.json").read_text())["strengths"]
    assert "item_attributes" in strengths and "item_id_order" not in strengths
    protocol = json.loads((tmp_path / "run" / "figures.json").read_text())["protocol"]
    assert "order of ids" not in protocol["selection"]
    for value in ("true", "null"):
        refused = call(*train, tmp_path / "other", *OPTIONS, "--set", f"relations.id_order={value}")
        assert refused.exit_code != 0
        assert "number of a test item says whose it is" in refused.stderr
        assert "Set relations.id_order=false" in refused.stderr
        assert not (tmp_path / "other").exists()


def test_edge_tables_that_are_not_read_are_named_before_training(tmp_path: Path) -> None:
    interactions = numbered("listing", users=60, items=60)
    ids = interactions[ITEM].unique().sort().to_list()
    folder = tmp_path / "data"
    folder.mkdir()
    interactions.write_parquet(folder / "interactions.parquet")
    edges = pl.DataFrame({"source_item_id": ids[:-1], "target_item_id": ids[1:], "relation": "also_bought"})
    edges.write_parquet(folder / "item_relations.parquet")
    trained = call("train", "--data", folder, "--out", tmp_path / "run", *OPTIONS)
    assert trained.exit_code == 0, trained.stderr
    note = "Note: The edge tables 'also_bought' are not read"
    assert note in trained.stderr and 'relations.edges=["also_bought"]' in trained.stderr
    asked = call(
        "train", "--data", folder, "--out", tmp_path / "asked", *OPTIONS, "--set", 'relations.edges=["also_bought"]'
    )
    assert asked.exit_code == 0, asked.stderr
    assert "are not read" not in asked.stderr
    assert "edge_also_bought" in json.loads((tmp_path / "asked" / "relations.json").read_text())["strengths"]
