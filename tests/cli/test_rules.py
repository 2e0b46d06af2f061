"""Rules at the command line: the same words, files for each user, and why a list is short."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from polars.testing import assert_frame_equal
from tests.cli.test_answers import run_command
from tests.support.recommenders import small_config, small_dataset

from attrformer.cli import shop
from attrformer.cli.app import app
from attrformer.errors import ShortListWarning
from attrformer.recommender import AttrFormer
from attrformer.rules.options import RULES, help_of

USERS = ["user-0001", "user-0002"]


@pytest.fixture(scope="module")
def model() -> AttrFormer:
    return AttrFormer(small_config("training.epochs=1")).fit(small_dataset(), progress=False)


@pytest.fixture(scope="module")
def run(model: AttrFormer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "shop"
    model.save(folder / "model")
    return folder


CASES: tuple[tuple[list[object], dict[str, Any]], ...] = (
    (["--where", 'price < 20 and not brand == "Lumaro"'], {"where": 'price < 20 and not brand == "Lumaro"'}),
    (["--at-most", "brand=1", "--at-most", "category=2"], {"at_most": {"brand": 1, "category": 2}}),
    (
        ["--boost", "price < 20: 1.5", "--boost", 'brand == "a:b": -2'],
        {"boost": [("price < 20", 1.5), ('brand == "a:b"', -2.0)]},
    ),
    (["--diversity", 0.4], {"diversity": 0.4}),
    (["--new-items", "share=0.5,within=60d"], {"new_items": {"share": 0.5, "within": "60d"}}),
    (["--pinned", "3=item-0006", "--pinned", "item-0007"], {"pinned": {3: "item-0006", 4: "item-0007"}}),
)


@pytest.mark.parametrize(("options", "rules"), CASES, ids=[str(options[0]) for options, _ in CASES])
def test_options_are_the_arguments_of_the_call(
    model: AttrFormer, run: Path, tmp_path: Path, options: list[object], rules: dict[str, Any]
) -> None:
    out = tmp_path / "found.parquet"
    result = run_command("recommend", run, "--users", ",".join(USERS), "-k", 5, "--out", out, "-q", *options)
    assert result.exit_code == 0, result.stderr
    assert_frame_equal(pl.read_parquet(out), model.recommend(USERS, k=5, **rules), abs_tol=1e-5)
    result = run_command("explain", run, "--users", USERS[0], "-k", 3, "--out", tmp_path / "why.parquet", *options)
    if "pinned" not in rules:
        assert result.exit_code == 0, result.stderr
        items = pl.read_parquet(tmp_path / "why.parquet")["item_id"].unique(maintain_order=True)
        assert items.to_list() == model.recommend(USERS[:1], k=3, **rules)["item_id"].to_list()


def test_a_value_that_no_item_has_is_said(run: Path) -> None:
    result = run_command("recommend", run, "--users", USERS[0], "-k", 2, "--where", 'brand != "Lumara"')
    assert "Warning: where: no item has 'Lumara' in column 'brand'. Did you mean 'Lumaro'" in result.stderr
    result = run_command("recommend", run, "--users", USERS[0], "--boost", "prise < 2: 1")
    assert result.exit_code == 2 and "boost, character 1 ('prise < 2')" in result.stderr


def test_rules_and_lists_come_from_files(model: AttrFormer, run: Path, tmp_path: Path) -> None:
    rules: dict[str, Any] = {"where": "stock > 0", "at_most": {"brand": 1}, "pinned": {"2": "item-0006"}}
    (tmp_path / "rules.yaml").write_text("where: stock > 0\nat_most: {brand: 1}\npinned: {2: item-0006}\n")
    stock = pl.DataFrame({"item_id": [f"item-{n:04d}" for n in range(1, 121)], "stock": [n % 2 for n in range(120)]})
    stock.write_csv(tmp_path / "stock.csv")
    own = {USERS[0]: [f"item-{n:04d}" for n in range(1, 60)]}
    (tmp_path / "own.json").write_text(json.dumps(own))
    pl.DataFrame({"user_id": [USERS[1]], "item_id": ["item-0010"]}).write_csv(tmp_path / "never.csv")
    files = ["--rules", tmp_path / "rules.yaml", "--item-values", tmp_path / "stock.csv"]
    files += ["--candidates-file", tmp_path / "own.json", "--exclude-file", tmp_path / "never.csv"]
    out = tmp_path / "found.parquet"
    result = run_command("recommend", run, "--users", ",".join(USERS), "-k", 5, "--out", out, *files)
    assert result.exit_code == 0, result.stderr
    right = model.recommend(USERS, k=5, candidates=own, exclude={USERS[1]: ["item-0010"]}, item_values=stock, **rules)
    assert_frame_equal(pl.read_parquet(out), right, abs_tol=1e-5)


@pytest.mark.parametrize("out", [None, "all.csv"])
def test_a_short_list_is_told_of_in_a_line(run: Path, tmp_path: Path, out: str | None) -> None:
    more = [] if out is None else ["--out", tmp_path / out, "-q"]
    result = run_command("recommend", run, "--users", USERS[0], "-k", 4, "--where", "price < 0", *more)
    assert result.exit_code == 0
    said = "Warning: User 'user-0001' gets 0 of 4 items: of 120, where leaves out 120."
    assert said in result.stderr.splitlines()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--where", "prise < 3"], "there is no column 'prise'. Did you mean 'price'?"),
        (["--where", "price <"], "character 8 (the end)"),
        (["--at-most", "brand"], "Give a column and a count"),
        (["--at-most", "brand=x"], "--at-most has 'x' for a number"),
        (["--boost", "price<1"], "Give a condition, a colon and an amount"),
        (["--boost", "price<1: much"], "--boost has 'much' for a number"),
        (["--new-items", "shar=1"], "Did you mean share"),
        (["--diversity", 3], "diversity is 3.0"),
        (["--pinned", "item-x"], "pinned: 'item-x'"),
        (["--rules", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["--candidates", "item-0001", "--candidates-file", "a.json"], "Give one of them"),
        (["--candidates-file", "nowhere.json"], "the file cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(run: Path, options: list[object], said: str) -> None:
    result = run_command("recommend", run, "--users", USERS[0], *options)
    assert result.exit_code == 2 and result.stderr.startswith("Error: ") and said in result.stderr


def test_every_rule_is_an_option_with_the_help_of_the_library() -> None:
    for command in ("recommend", "explain"):
        options = {one.name: one for one in typer.main.get_command(app).commands[command].params}  # type: ignore[attr-defined]
        for rule in RULES:
            text = options[rule].help
            assert text.lower().startswith(help_of(rule).lower())
        assert {"rules", "item_values", "candidates_file", "exclude_file"} <= set(options)


def test_rules_without_an_option_are_left_out() -> None:
    assert shop.rules_of(None, None, None, None, None, None, None, None) == {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", ShortListWarning)
        assert shop.rules_of("a < 1", [], [], 0.0, None, [], None, None) == {"where": "a < 1", "diversity": 0.0}
