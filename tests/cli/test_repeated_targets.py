"""The commands on data whose every last interaction repeats an item: figures, protocol line, table and report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
from typer.testing import CliRunner

from attrformer.cli.app import app


def test_commands_count_repeated_targets_as_misses_and_show_them_apart(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    histories = [random.permutation(50)[:8].tolist() for _ in range(60)]
    # Two thirds take one of their items again, the others a new one.
    lasts = [
        own[3] if user % 3 else int(np.setdiff1d(np.arange(50), own)[user % 42]) for user, own in enumerate(histories)
    ]
    rows = [
        (user, item, 1_600_000_000 + 86_400 * (place + user % 9))
        for user, own in enumerate(histories)
        for place, item in enumerate([*own, lasts[user]])
    ]
    table = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    (tmp_path / "data").mkdir()
    table.write_csv(tmp_path / "data" / "interactions.csv")
    run = str(tmp_path / "run")
    settings = ["--set", "model.name=popularity", "--set", "evaluation.resamples=20"]
    trained = CliRunner().invoke(app, ["train", "--data", str(tmp_path / "data"), "--out", run, *settings])
    assert trained.exit_code == 0, trained.output
    figures = json.loads((tmp_path / "run" / "figures.json").read_text())
    answered = CliRunner().invoke(app, ["evaluate", run, "--json"])
    assert answered.exit_code == 0, answered.output
    assert json.loads(answered.stdout) == figures
    assert figures["protocol"]["repeated_share"] == 40 / 60
    hidden, ranked = (figures[f"seen={seen}"]["Recall@20"]["value"] for seen in ("hidden", "ranked"))
    groups = figures["groups"]["repeats"]
    assert (groups["not in the history"]["targets"], groups["repeated"]["targets"]) == (20, 40)
    assert groups["repeated"]["seen=hidden"]["Recall@20"]["value"] == 0.0
    assert groups["repeated"]["seen=ranked"]["Recall@20"]["value"] > 0.0
    assert 3 * hidden == groups["not in the history"]["seen=hidden"]["Recall@20"]["value"] and hidden < ranked
    shown = " ".join(CliRunner().invoke(app, ["evaluate", run]).stdout.split())
    assert "66.7 % of targets repeat an item of their history (a miss with seen=hidden)" in shown
    assert "relations and popularity count all training interactions" in shown
    assert "Recall@20, repeated (40 of 60)" in shown
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Groups of targets" in page and "66.7 % of targets repeat" in page
    slices = json.loads((tmp_path / "run" / "slices.json").read_text())
    assert [(part["label"], part["count"]) for part in slices["repeats"]] == [
        ("not in the history", 20),
        ("repeated", 40),
    ]
