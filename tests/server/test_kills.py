"""SIGKILL at random moments of a reload: what was acknowledged is there at the next start, and so are the models.

The variable ATTRFORMER_KILLS says how many times; few by default, since a process takes seconds to start.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest
from tests.server.test_reload import larger
from tests.support.services import Process

from attrformer.recommender import AttrFormer

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("ATTRFORMER_KILLS", "2"))


def test_a_kill_during_a_reload_loses_nothing_that_was_acknowledged(run: Path, tmp_path: Path) -> None:
    draw = random.Random(0)
    larger(run, "larger")
    shutil.move(run / "larger", tmp_path / "larger")
    process, kept = Process(run, "--save-added"), set[str]()
    process.wait_for("ready")
    try:
        for number in range(KILLS):
            shutil.rmtree(run / "next", ignore_errors=True)
            shutil.copytree(tmp_path / "larger", run / "next")
            stop, told = threading.Event(), threading.Event()

            def add(number: int = number, stop: threading.Event = stop, told: threading.Event = told) -> None:
                with process.client() as client:
                    for more in range(10_000):
                        item = f"kept-{number}-{more}"
                        try:
                            answer = client.post("/v1/items", json={"items": [{"item_id": item}]})
                        except httpx.TransportError:
                            return
                        if answer.status_code == 201:
                            kept.add(item)
                            told.set()
                        if stop.is_set():
                            return

            adding = threading.Thread(target=add)
            adding.start()
            assert told.wait(120)
            process.signal(signal.SIGHUP)
            process.wait_for("reload.started")
            time.sleep(draw.uniform(0, 0.4))
            assert process.end() == -signal.SIGKILL
            stop.set()
            adding.join()
            process.start()
            process.wait_for("ready")
            with process.client() as client:
                for item in kept:
                    assert client.get("/v1/catalogue", params={"query": item}).json()["total"] >= 1, item
                answer = client.post("/v1/recommend", json={"histories": [["item-0003"]]})
                assert answer.status_code == 200
            models = {path.name for path in run.iterdir() if path.is_dir()}
            assert "model" in models and models & {"next", "previous"} and "discarded" not in models
            for name in models:
                AttrFormer.load(run / name)
    finally:
        process.end()
    assert kept
