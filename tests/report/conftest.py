"""The run folder that tests of reports share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.report.pages import write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run-1")
