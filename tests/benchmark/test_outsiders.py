from __future__ import annotations

from pathlib import Path
from typing import Any

from attrformer.benchmark.files import append_line
from attrformer.benchmark.outsiders import PEERS, outsiders
from attrformer.benchmark.wording import NOTHING


def line(peer: str, dataset: str, hidden: float, **more: Any) -> dict[str, Any]:
    figures = {
        "protocol": {"dataset": dataset},
        "seen=hidden": {"NDCG@20": {"value": hidden, "low": 0.01, "high": 0.9}},
        "seen=ranked": {"NDCG@20": {"value": hidden / 2, "low": 0.01, "high": 0.9}},
    }
    hardware = {"cpu": "Abacus", "cores": 4, "threads": 1, "commit": "abc1234"}
    measured = {"seconds": {"train": 120.0}, "seconds_per_epoch": 12.0, "peak_memory_bytes": 512 * 2**20}
    run = {"epochs": 10, "best_epoch": 6, "parameters": 1234, "versions": {peer: "0.1"}, "seed": 0}
    return (
        {"peer": peer, "command": "python -m peers", "figures": figures, "hardware": hardware} | measured | run | more
    )


def test_the_latest_run_of_each_library_the_best_first(tmp_path: Path) -> None:
    assert outsiders(tmp_path) == NOTHING
    for one in (
        line("rectools", "shop", 0.2),
        line("attrformer", "shop", 0.1),
        line("attrformer", "shop", 0.3, epochs=11),
        line("recbole", "attic", 0.05, versions={}),
    ):
        append_line(tmp_path / PEERS, one)
    table, caption = outsiders(tmp_path).split("\n\n")
    rows = [[cell.strip() for cell in text.strip("|").split("|")] for text in table.splitlines()[2:]]
    assert [row[:2] for row in rows] == [["attic", "RecBole"], ["shop", "this project 0.1"], ["shop", "RecTools 0.1"]]
    assert rows[1][2:] == [
        *("0.3000 [0.0100, 0.9000]", "0.1500 [0.0100, 0.9000]", "11, 6"),
        *("12.0 s", "2.0 min", "512 MiB", "1,234"),
    ]
    assert "Command: `python -m peers`. Commits: abc1234." in caption
    assert "Hardware: Abacus, 4 cores, 1 thread used." in caption
