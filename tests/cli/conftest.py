"""A tiny shop and a run on it, for test files that bring none of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.tiny import train

from attrformer.data.sample import make_sample


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shop"
    folder.mkdir()
    sample = make_sample(users=40, items=40, brands=4)
    sample.interactions.write_parquet(folder / "interactions.parquet")
    sample.items.write_parquet(folder / "items.parquet")
    return folder


@pytest.fixture(scope="session")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "shop"
    result = train(shop, folder)
    assert result.exit_code == 0, result.stderr
    return folder
