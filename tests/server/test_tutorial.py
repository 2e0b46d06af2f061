"""The blocks of docs/tutorial-service.md, run in their order as they stand, but for a free port."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.ports import reserved_port

pytestmark = pytest.mark.slow

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial-service.md"
PORTS = ("8000", "8001")


@pytest.fixture
def blocks() -> Iterator[list[tuple[str, str]]]:
    """Languages and texts, with ports that are free until the end of the test."""
    text = TUTORIAL.read_text(encoding="utf-8")
    with contextlib.ExitStack() as held:
        for port in PORTS:
            text = text.replace(port, str(held.enter_context(reserved_port())))
        yield re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end:
        assert process.poll() is None
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the service did not become ready")


def test_the_tutorial_runs_as_it_stands(
    blocks: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    environment.pop("ATTRFORMER_TOKEN", None)
    names: dict[str, Any] = {}
    services: list[subprocess.Popen[bytes]] = []
    try:
        for language, block in blocks:
            if language == "python":
                exec(compile(block, str(TUTORIAL), "exec"), names)
            elif "attrformer serve" in block:
                script = block.replace("attrformer serve", "exec attrformer serve")
                services.append(subprocess.Popen(["bash", "-ec", script], env=environment))
                wait_until_ready(int(re.findall(r"--port (\d+)", block)[0]), services[-1])
            else:
                subprocess.run(["bash", "-ec", block], env=environment, check=True)
    finally:
        for service in services:
            service.terminate()
        ends = [service.wait(120) for service in services]
    assert ends == [0, 0]
    assert (tmp_path / "runs" / "shop" / "report.html").is_file()
    assert [result["user_id"] for result in names["known"]["results"]] == ["u1", "u2"]
    assert [item["rank"] for item in names["visitor"]["results"][0]["items"]] == [1, 2, 3]
    parts = names["item"]["components"]
    assert sum(part["contribution"] for part in parts) == pytest.approx(names["item"]["score"], abs=1e-3)
    similar = [entry["item_id"] for entry in names["alike"]["results"][0]["similar"]]
    assert similar and all("rope" in item for item in similar)
    # The item that was added was not kept, and the reload says so.
    assert {name: names["changed"][name] for name in ("model", "items", "lost")} == {"model": 2, "items": 36, "lost": 1}
    assert [entry["item_id"] for entry in names["latest"]["items"]] == ["brio-tent-1", "brio-stove-2"]
