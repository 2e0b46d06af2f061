"""The check before training, of logs too long to be looked at as a whole."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from attrformer.data import Dataset
from attrformer.data.check import check_loaded, opening
from attrformer.data.options import TableOptions
from attrformer.data.prepare_tables import prepare_tables
from attrformer.data.sample import make_sample


def test_of_a_long_log_some_users_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = make_sample(0, 100, 40, interactions_per_user=10)
    (tmp_path / "shop").mkdir()
    sample.interactions.write_parquet(tmp_path / "shop" / "interactions.parquet")
    sample.interactions.select(pl.col("user_id").unique()).write_csv(tmp_path / "shop" / "users.csv")
    prepare_tables(tmp_path / "shop", tmp_path / "out")
    dataset = Dataset.load(tmp_path / "out")
    whole = check_loaded(dataset, tmp_path / "out", TableOptions())
    assert whole.facts["users"] == 100 and not any("drawn at random" in note for note in whole.notes)
    monkeypatch.setattr(opening, "MOST", len(dataset.sequences.items) // 4)
    some = check_loaded(dataset, tmp_path / "out", TableOptions())
    assert some.facts["users"] == 25 and "looks at 25 of 100 users, drawn at random" in some.notes[-1]
    assert some.find("unmatched-users") is None
