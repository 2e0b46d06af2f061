"""Asks the fixture over HTTP: `attrformer serve` as a process of its own on the loopback address."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.golden import tables
from tests.golden.questions import ATTRIBUTES, FEW, HISTORY, KNOWN
from tests.golden.store import MODELS

_DETAILED = [
    {"item_id": "i11", "timestamp": tables.START + 5 * tables.HOUR, "behaviours": {"rating": 2.0}},
    {"item_id": "i12", "timestamp": tables.START + 5 * tables.HOUR + 1024, "behaviours": {"rating": 5.0}},
]
_NEW = {"item_id": "i36", "title": "Thing 36", "attributes": {"brand": "Ava", "tags": ["red", "sale"], "price": 12.5}}

REQUESTS: tuple[tuple[str, dict[str, Any] | None], ...] = (
    ("/healthz", None),
    ("/readyz", None),
    ("/v1/recommend", {"users": KNOWN, "k": 4}),
    ("/v1/recommend", {"histories": [HISTORY, ["i20"]], "k": 4, "hide_seen": False}),
    ("/v1/recommend", {"histories": {"guest": _DETAILED}, "k": 4}),
    ("/v1/recommend", {"user_attributes": {"newer": ATTRIBUTES["newer"]}, "k": 4}),
    ("/v1/recommend", {"users": ["u00"], "candidates": FEW, "exclude": ["i05"], "k": 4}),
    ("/v1/recommend", {"users": ["u01", "nobody"], "on_unknown": "warn", "k": 2}),
    ("/v1/recommend", {"users": ["nobody"]}),
    ("/v1/recommend", {"users": ["u00"], "k": 0}),
    ("/v1/recommend", {}),
    ("/v1/explain", {"users": ["u00"], "k": 2}),
    ("/v1/explain", {"histories": {"guest": HISTORY}, "items": ["i05"]}),
    ("/v1/similar", {"items": ["i03"], "k": 3}),
    ("/v1/similar", {"items": ["i03"], "k": 3, "by": "no such relation"}),
    ("/v1/catalogue?query=thing%201&limit=3", None),
    ("/v1/history?user_id=u00&limit=3", None),
    ("/v1/model", None),
    ("/v1/pairs?attribute=brand&count=3", None),
    ("/v1/reload", {}),
    ("/v1/items", {"items": [_NEW]}),
    ("/v1/items", {"items": [_NEW]}),
    ("/v1/recommend", {"users": ["u00"], "candidates": ["i36", "i01"], "k": 2}),
    ("/nowhere", None),
)
"""Paths in the order in which they are asked, with the body of those that are posted."""


@contextlib.contextmanager
def served(run: Path) -> Iterator[str]:
    """The address of a service of the saved AttrFormer, which ends with the block.

    Args:
        run: folder that is made for it.
    """
    shutil.copytree(MODELS / "attrformer", run / "model")
    threads = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment = {key: value for key, value in os.environ.items() if key != "ATTRFORMER_TOKEN"} | threads
    command = [sys.executable, "-m", "attrformer.cli", "serve", str(run), "--port", "0", "--device", "cpu"]
    with (run / "log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, stderr=log, env=environment)
        try:
            yield _address(process, run / "log")
        finally:
            process.terminate()
            process.wait(60)


def _address(process: subprocess.Popen[bytes], log: Path, seconds: float = 120.0) -> str:
    """Where the process listens, once a model answers."""
    end, address = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        lines = log.read_text(encoding="utf-8").splitlines()
        assert process.poll() is None, lines
        for line in lines:
            if '"listening"' in line:
                address = f"http://127.0.0.1:{json.loads(line)['port']}"
        if address and ask(address, "/readyz", None)["status"] == 200:
            return address
        time.sleep(0.05)
    raise AssertionError(f"no model answers: {lines}")


def ask(address: str, path: str, body: Any) -> dict[str, Any]:
    """Status and content of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, content = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, content = error.code, error.read()
    return {"status": status, "answer": json.loads(content)}


def answers(address: str) -> dict[str, Any]:
    """What the service answers to all requests, numbered; of an error its code and no words."""
    found = {}
    for number, (path, body) in enumerate(REQUESTS):
        one = ask(address, path, body)
        if one["status"] >= 400:
            one["answer"] = {"code": one["answer"]["error"]["code"]}
        found[f"{number} {path}"] = one
    return found
