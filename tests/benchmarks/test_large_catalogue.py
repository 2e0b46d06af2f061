"""The benchmark of 711,000 items, at a small share of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.benchmarks.test_benchmarks import figures, run

from attrformer.data.dataset import Dataset

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SMALL = ("--scale=0.002", "--steps=2", "--scored=5", "--set=training.batch_targets=64", "--set=training.loss=sampled")


def test_both_builds_take_turns_and_the_log_is_as_it_says(tmp_path: Path) -> None:
    found = figures("large_catalogue", "--work", tmp_path, "--against", ROOT, "--other-steps=1", *SMALL)
    assert found["medians"].keys() == {"this", "other"}
    for name, runs in found["runs"].items():
        assert len(runs) == 1 and 0 < runs[0]["targets"] <= (64 if name == "this" else 1024)
        assert runs[0]["load"] < runs[0]["load_to_first_step"] and runs[0]["step"] > 0
        assert runs[0]["training_peak_gib"] <= runs[0]["peak_gib"] < 4
    assert found["runs"]["this"][0]["scoring_a_user"] > 0 and "scoring_a_user" not in found["runs"]["other"][0]
    data = Dataset.load(tmp_path / "large-0.002")
    assert (data.user_count, data.item_count) == (600, 1422)
    assert len(data.sequences.items) == pytest.approx(7200, rel=0.05)
    assert data.item_attributes.keys() == {"brand", "category"}


def test_another_dataset_has_a_bar_of_its_own(tmp_path: Path) -> None:
    Dataset.load(_log(tmp_path)).save(tmp_path / "data")
    options = tmp_path / "options.yaml"
    options.write_text("training:\n  learning_rate: 0.002\n")
    arguments = ("--work", tmp_path, "--data", tmp_path / "data", "--config", options, "--against", ROOT)
    shown = run("large_catalogue", *arguments, "--other-steps=1", *SMALL).stdout
    assert "ratio" in shown and "(bar 5: " in shown and "bar 60" not in shown


def _log(folder: Path) -> Path:
    run("large_catalogue", "--work", folder, *SMALL)
    return folder / "large-0.002"
