"""How a command is told to read the tables, and that a run remembers it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from attrformer.cli.arguments import Repeated
from attrformer.cli.reading import as_words, configured
from attrformer.data.sample import make_sample
from attrformer.errors import ConfigurationError
from attrformer.recommender import Config

SMALL = ["--set", "model.name=popularity", "--set", "evaluation.resamples=10", "--quiet"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "attrformer.cli", *arguments], capture_output=True, text=True, check=False
    )


def test_assignments_become_options_and_go_before_earlier_ones() -> None:
    config = configured(
        Config(), ["user_id=customer,item_id=a,b", "timestamp=t"], ["items.year=numeric"], ["g=, "], None
    )
    assert config.data.columns == {"user_id": "customer,item_id=a,b", "timestamp": "t"}
    config = configured(Config(), ["user_id=customer,item_id=sku"], ["a=time"], ["g=, "], Repeated.DROP)
    assert config.data.columns == {"user_id": "customer", "item_id": "sku"} and config.data.kinds == {"a": "time"}
    with pytest.raises(ConfigurationError, match=r"kinds\['a'\]='b=time' is not known"):
        configured(config, None, ["a=b=time"], None, None)
    assert config.data.separators == {"g": ", "} and config.data.duplicates == "drop"
    again = configured(config, ["user_id=other"], None, None, None)
    assert again.data.columns == {"user_id": "other", "item_id": "sku"} and again.data.duplicates == "drop"
    assert configured(config, None, None, None, None) is config


def test_vectors_are_options_as_well(tmp_path: Path) -> None:
    given = ["image=a,b=c.npz", "users.taste=taste.npy"]
    config = configured(Config(), None, None, None, None, given)
    assert config.data.vectors == {"image": "a,b=c.npz", "users.taste": "taste.npy"}
    assert shlex.split(as_words(config)) == ["--vectors", given[0], "--vectors", given[1]]
    again = configured(config, ["place=lat,lon"], None, None, None, ["image=other.npz"])
    assert again.data.vectors == {"image": "other.npz", "users.taste": "taste.npy"}
    assert again.data.columns == {"place": "lat,lon"}


def test_a_hint_gives_the_same_words_again() -> None:
    columns, separators = ["user_id=customer", "item_id=the item's number"], ["items.genres=, "]
    config = configured(Config(), columns, ["items.year=numeric"], separators, Repeated.DROP)
    assert shlex.split(as_words(config)) == [
        *(word for column in columns for word in ("--columns", column)),
        *("--kinds", "items.year=numeric", "--separators", "items.genres=, ", "--duplicates", "drop"),
    ]
    assert as_words(Config()) == ""


@pytest.mark.parametrize("text", ["user_id", "=x", "user_id="])
def test_what_assigns_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--columns .* assigns nothing. Write it as name=value"):
        configured(Config(), [text], None, None, None)


@pytest.mark.slow
def test_train_reads_tables_as_it_is_told_and_evaluate_and_resume_read_them_alike(tmp_path: Path) -> None:
    data, out = tmp_path / "shop", str(tmp_path / "run")
    data.mkdir()
    users = [user for user in range(12) for _ in range(5)] * 2
    items = [(user + place) % 7 for user in range(12) for place in range(5)] * 2
    log = pl.DataFrame({"customer": users, "sku": items, "when": list(range(60)) * 2})
    log.write_csv(data / "interactions.csv")
    pl.DataFrame({"sku": range(7), "year": [1990 + i % 3 for i in range(7)]}).write_csv(data / "items.csv")
    told = ["--columns", "user_id=customer,item_id=sku", "--columns", "timestamp=when", "--kinds", "items.year=numeric",
            "--duplicates", "drop"]  # fmt: skip
    trained = run("train", "--data", str(data), "--out", out, *told, *SMALL)
    assert trained.returncode == 0, trained.stderr
    stored = json.loads((tmp_path / "run" / "config.json").read_text())["data"]
    assert stored["kinds"] == {"items.year": "numeric"} and stored["duplicates"] == "drop"
    evaluated = run("evaluate", out, "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    assert json.loads(evaluated.stdout)["protocol"]
    resumed = run("train", "--data", str(data), "--out", out, "--resume", "--quiet")
    assert resumed.returncode == 0, resumed.stderr
    # Of another folder, which has the library's own names, those of the run are not asked for.
    renamed = tmp_path / "renamed" / "shop"
    renamed.mkdir(parents=True)
    log.rename({"customer": "user_id", "sku": "item_id", "when": "timestamp"}).write_csv(renamed / "interactions.csv")
    pl.read_csv(data / "items.csv").rename({"sku": "item_id"}).write_csv(renamed / "items.csv")
    again = run("evaluate", out, "--data", str(renamed), "--json")
    assert again.returncode == 0 and again.stdout == evaluated.stdout, again.stderr
    assert "has no column 'sku', which the run reads as 'item_id'" in " ".join(again.stderr.split())
    wrong = run("evaluate", out, "--data", str(renamed), "--columns", "item_id=sku", "--json")
    assert wrong.returncode == 2 and "no table has the column that is mapped to 'item_id'" in wrong.stderr
    other = run("train", "--data", str(data), "--out", out, "--resume", "--quiet", "--duplicates", "keep")
    assert other.returncode == 2 and "data.duplicates" in other.stderr


@pytest.mark.slow
def test_commands_read_every_kind_as_they_are_told(tmp_path: Path) -> None:
    sample = make_sample(users=40, items=45, every_kind=True)
    data, out = tmp_path / "shop", str(tmp_path / "run")
    data.mkdir()
    sample.interactions.write_csv(data / "interactions.csv")
    ids, images = sample.items["item_id"].to_numpy().astype(str), sample.items["image"].to_numpy()
    np.savez(tmp_path / "image.npz", ids=ids, vectors=images)
    items = sample.items.drop("image").with_columns(
        pl.Series("moods", [str(scores) for scores in sample.items["moods"].to_list()]),
        pl.Series("category", [str(names) for names in sample.items["category"].to_list()]),
        lat=pl.lit(48.1),
        lon=pl.Series(range(len(sample.items))),
    )
    items.write_csv(data / "items.csv")
    told = ["--kinds", "path=hierarchy,moods=weighted,description=text,title=text", "--columns", "place=lat,lon",
            "--vectors", f"image={tmp_path / 'image.npz'}"]  # fmt: skip
    checked = run("check", str(data), *told, "--json")
    assert checked.returncode == 0, checked.stderr
    uses = {use["column"]: use["used_as"] for use in json.loads(checked.stdout)["columns"]}
    kinds = {"path": "hierarchy", "moods": "weighted", "description": "text", "place": "location", "image": "vector"}
    assert {name: f"item attribute, {kind}" for name, kind in kinds.items()}.items() <= uses.items()
    trained = run("train", "--data", str(data), "--out", out, *told, *SMALL)
    assert trained.returncode == 0, trained.stderr
    evaluated = run("evaluate", out, "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    resumed = run("train", "--data", str(data), "--out", out, "--resume", "--quiet")
    assert resumed.returncode == 0, resumed.stderr
