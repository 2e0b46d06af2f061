"""The benchmark of kinds of attributes on a tiny shop and tiny tables, and its parts by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl
import pytest
from tests.benchmarks.test_benchmarks import FOLDER, run

from attrformer.data.sample import make_sample

sys.path.insert(0, str(FOLDER))

import attribute_kinds

TINY = [word for setting in ("width=8", "layers=1", "heads=2") for word in ("--set", f"model.{setting}")]
TINY += ["--set", "evaluation.resamples=5", "--epochs", "1"]


@pytest.mark.slow
def test_every_kind_of_the_generated_shop_has_its_rows(tmp_path: Path) -> None:
    out = tmp_path / "kinds.json"
    done = run("attribute_kinds", "--users", 60, "--items", 45, "--rows", "all", "only", "none", *TINY, "--out", out)
    found = json.loads(out.read_text())
    assert {"vector", "text", "hierarchy", "weighted", "location"} <= set(found["kinds"].values())
    assert list(found["rows"]) == ["all", *(f"only {column}" for column in found["kinds"]), "none"]
    assert len(done.stdout.splitlines()) == 2 + len(found["rows"])
    for name, row in found["rows"].items():
        told = row["seeds"]["0"]
        figure = told["validation"]["hidden"]
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
        columns = {relation for relation in told["strengths"] if relation.startswith("item_")}
        if name.startswith("only "):
            assert columns == {f"item_{name.removeprefix('only ')}"}
        else:
            assert columns == ({f"item_{column}" for column in found["kinds"]} if name == "all" else set())
        difference = figure["value"] - found["rows"]["all"]["seeds"]["0"]["validation"]["hidden"]["value"]
        if name != "all":
            assert row["against the first row"]["validation"]["difference"]["value"] == pytest.approx(difference)


@pytest.mark.slow
def test_declared_kinds_of_a_folder_are_compared_with_inferred_ones(tmp_path: Path) -> None:
    sample = make_sample(users=60, items=45)
    folder = tmp_path / "shop"
    folder.mkdir()
    sample.interactions.write_parquet(folder / "interactions.parquet")
    sample.items.write_parquet(folder / "items.parquet")
    told = ("--kinds", "category=hierarchy", "title=text", "--broadest-first", "category", "--latest", 6, "--users", 50)
    options = ("--seeds", 0, 1, "--test", *TINY, "--json")
    found = json.loads(run("attribute_kinds", "--data", folder, *told, *options).stdout)
    assert found["data"] == "shop" and found["kinds"]["category"] == "hierarchy"
    assert found["users"] == 50 and found["items"] >= 40 and found["interactions"] <= 6 * 50
    assert list(found["rows"]) == ["inferred", "all"]
    for row in found["rows"].values():
        assert set(row["seeds"]) == {"0", "1"} and {"validation", "test"} <= set(row["seeds"]["1"])
    for part in ("validation", "test"):
        means = [
            sum(told[part]["hidden"]["value"] for told in row["seeds"].values()) / 2 for row in found["rows"].values()
        ]
        compared = found["rows"]["all"]["against the first row"][part]
        assert compared["difference"]["value"] == pytest.approx(means[1] - means[0])
    missing = run("attribute_kinds", "--data", folder, "--kinds", "none=text", code=2)
    assert "none" in missing.stderr and "Traceback" not in missing.stderr


def test_rows() -> None:
    kinds = {"brand": "categorical", "image": "vector"}
    rows = attribute_kinds.rows_of(kinds, ["none", "only", "without", "all", "inferred"])
    assert [(row.name, row.declared, row.attributes) for row in rows] == [
        ("inferred", False, None),
        ("all", True, None),
        ("without image", True, ("brand",)),
        ("only brand", True, ("brand",)),
        ("only image", True, ("image",)),
        ("none", True, ()),
    ]


def test_unordered_names_of_levels_are_ordered_by_how_many_items_have_them() -> None:
    paths = [["Nails", "Beauty", "Makeup"], ["Makeup", "Beauty"], None, ["Hair", "Beauty"], []]
    items = pl.DataFrame({"item_id": range(5), "path": paths})
    found = attribute_kinds.broadest_first(items, "path")["path"].to_list()
    assert found == [["Beauty", "Makeup", "Nails"], ["Beauty", "Makeup"], None, ["Beauty", "Hair"], []]
