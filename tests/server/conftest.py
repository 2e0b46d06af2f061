"""One small fitted run, copies of it that a test may change, and a started service of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.services import PATIENT, listening

from attrformer.config import override
from attrformer.data.dataset import Dataset
from attrformer.data.sample import make_sample
from attrformer.recommender import AttrFormer, Config
from attrformer.server.state import Service

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SMALL = (
    "model.width=16",
    "model.layers=1",
    "training.epochs=1",
    "relations.similar_users=true",
    "training.batch_targets=256",
    "training.threads=1",
    "training.precision=float32",
    "evaluation.resamples=20",
)


@pytest.fixture(scope="session")
def model() -> AttrFormer:
    sample = make_sample(users=90, items=80, brands=8)
    dataset = Dataset.from_frames(sample.interactions, sample.items, sample.users, name="shop", catalogue="all")
    return AttrFormer(override(Config(), SMALL)).fit(dataset, progress=False)


@pytest.fixture(scope="session")
def fitted_run(model: AttrFormer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("serving") / "run"
    model.save(run / "model")
    return run


@pytest.fixture
def run(fitted_run: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(fitted_run, tmp_path / "run"))


@pytest.fixture(scope="session")
def service(fitted_run: Path) -> Iterator[Service]:
    """A started service that no test changes."""
    made = Service(fitted_run, PATIENT)
    made.engine.start()
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright_api = pytest.importorskip("playwright.sync_api")
    from tests.server.pages import PATIENCE

    installed = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    playwright_api.expect.set_options(timeout=PATIENCE)
    with playwright_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"], timeout=PATIENCE)
        except playwright_api.Error:
            pytest.skip("needs Chromium: playwright install chromium, or the package chromium of the system")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(fitted_run: Path) -> Iterator[str]:
    service = Service(fitted_run, PATIENT)
    service.engine.start()
    with listening(service) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    from tests.server.pages import Opened

    opened = Opened(browser, address)
    yield opened.page
    opened.context.close()
    assert opened.problems == []
