"""A small shop and one model fitted on it, shared by the tests of the recommender."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.offers import SETTINGS, dataset_of
from tests.support.recommenders import small_config, small_dataset

from attrformer.data.dataset import Dataset
from attrformer.recommender import AttrFormer, Recommender


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return small_dataset()


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recommender") / "run"


@pytest.fixture(scope="session")
def model(dataset: Dataset, run: Path) -> AttrFormer:
    return AttrFormer(small_config()).fit(dataset, run=run, progress=False)


@pytest.fixture(scope="session")
def offers_model() -> Recommender:
    """Fitted to `tests.support.offers`; no test changes it."""
    return Recommender(small_config(*SETTINGS)).fit(dataset_of(), progress=False)
