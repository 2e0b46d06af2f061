"""Run folders as training leaves them, and the pages that reports make of them."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from attrformer.report import write_report

HOSTILE = "<script>alert('x')</script> & \"quoted\""
VOID = {"meta", "line", "rect", "circle", "path", "stop"}


class Page(HTMLParser):
    """Collects the elements of a page and checks that they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data

    def count(self, tag: str, **attributes: str) -> int:
        return sum(name == tag and attributes.items() <= found.items() for name, found in self.elements)


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def epoch(number: int, loss: float, hidden: float) -> dict[str, Any]:
    quality = {"seen=hidden": {"NDCG@20": hidden}, "seen=ranked": {"NDCG@20": hidden - 0.005}}
    return {
        "epoch": number - 1,
        "step": number * 10,
        "loss": loss,
        "seconds": 30.0,
        "targets_per_second": 1000.0 * number,
        "learning_rate": 0.001,
        "validation": quality,
    }


CONFIGURATION = {"seed": 7, "training": {"epochs": 3, "compile": False, "betas": [0.9, 0.999]}, "relations": {}}
EPOCHS = [epoch(1, 8.5, 0.02), epoch(2, 7.25, 0.06), epoch(3, 7.0, 0.05)]
FIGURES: dict[str, Any] = {
    "protocol": {
        "dataset": "small-shop",
        "users": 1234,
        "targets": 1234,
        "items": 5678,
        "split": "leave-one-out",
        "part": "test",
    },
    "seen=hidden": {"Recall@20": interval(0.14), "NDCG@20": interval(0.0712)},
    "seen=ranked": {"Recall@20": interval(0.13), "NDCG@20": interval(0.0634)},
}
SLICES = {
    "metric": "NDCG@20",
    "history_length": [{"label": "1 to 4", "count": 1500, "value": 0.05, "low": 0.04, "high": 0.06}],
    "item_popularity": [
        {"label": "0", "count": 20, "value": 0.0, "low": 0.0, "high": 0.0},
        {"label": "1 to 9", "count": 80, "value": 0.08, "low": 0.05, "high": 0.11},
    ],
}
RELATIONS = {
    "strengths": {"item_brand": 0.25, "repeat": 0.5},
    "pairs": {"brand": {"names": ["North", "South"], "matrix": [[1.0, 0.25], [-0.5, 0.0]]}},
}


def write_run(folder: Path, **files: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(files.get("config", CONFIGURATION)))
    lines = [json.dumps(line) + "\n" for line in files.get("metrics", EPOCHS)]
    (folder / "metrics.jsonl").write_text("".join(lines))
    for name, content in (("figures", FIGURES), ("slices", SLICES), ("relations", RELATIONS)):
        (folder / f"{name}.json").write_text(json.dumps(files.get(name, content)))
    return folder


def read(folder: Path) -> tuple[str, Page]:
    text = write_report(folder).read_text(encoding="utf-8")
    return text, Page(text)
