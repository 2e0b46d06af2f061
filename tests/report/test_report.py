"""The HTML report: everything of a training folder is in it, nothing from elsewhere, and nothing unescaped."""

from __future__ import annotations

import re
from pathlib import Path

from tests.report.pages import (
    FIGURES,
    HOSTILE,
    interval,
    read,
    write_run,
)

from attrformer.report import write_report


def test_page_is_one_file_that_asks_for_nothing_else(run: Path) -> None:
    text, page = read(run)
    assert write_report(run) == run / "report.html"
    assert not list(run.glob("*.tmp"))
    assert not re.search(r"(src|href)=|https?://|@import|url\((?!#)", text)
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert "prefers-color-scheme: dark" in text
    assert page.count("meta", name="viewport") == 1


def test_metrics_stand_with_their_intervals_and_protocol(run: Path) -> None:
    text, page = read(run)
    assert page.tables[0] == [
        ["Metric", "seen=hidden", "seen=ranked"],
        ["Recall@20", "0.1400 [0.1300, 0.1500]", "0.1300 [0.1200, 0.1400]"],
        ["NDCG@20", "0.0712 [0.0612, 0.0812]", "0.0634 [0.0534, 0.0734]"],
    ]
    assert "small-shop | 1,234 users | all 5,678 items ranked | leave-one-out test" in text
    assert "ties against the model" in text


def test_headline_tiles(run: Path) -> None:
    text, _ = read(run)
    tiles = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text)
    assert tiles == [
        ("NDCG@20, seen=hidden", "0.0712"),
        ("NDCG@20, seen=ranked", "0.0634"),
        ("Epochs", "3"),
        ("Training time", "1.5 min"),
        ("Targets per second", "2,000"),
    ]


def test_every_chart_has_title_description_and_table(run: Path) -> None:
    _, page = read(run)
    charts = [attributes for tag, attributes in page.elements if tag == "svg"]
    identifiers = [attributes.get("id") for _, attributes in page.elements if attributes.get("id")]
    assert len(charts) == 6
    assert len(identifiers) == len(set(identifiers))
    for chart in charts:
        assert chart["role"] == "img"
        assert set(str(chart["aria-labelledby"]).split()) <= set(identifiers)
    assert page.count("details") == page.count("figure") == 6
    assert page.count("desc") == 6


def test_tables_beside_the_charts_hold_their_values(run: Path) -> None:
    _, page = read(run)
    assert page.tables[1:-1] == [
        [["Epoch", "loss"], ["1", "8.5000"], ["2", "7.2500"], ["3", "7.0000"]],
        [
            ["Epoch", "seen=hidden", "seen=ranked"],
            ["1", "0.0200", "0.0150"],
            ["2", "0.0600", "0.0550"],
            ["3", "0.0500", "0.0450"],
        ],
        [["History length", "NDCG@20", "Low", "High", "Count"], ["1 to 4", "0.0500", "0.0400", "0.0600", "1,500"]],
        [
            ["Item popularity", "NDCG@20", "Low", "High", "Count"],
            ["0", "0.0000", "0.0000", "0.0000", "20"],
            ["1 to 9", "0.0800", "0.0500", "0.1100", "80"],
        ],
        [["Relation", "Strength"], ["repeat", "0.5000"], ["item_brand", "0.2500"]],
        [
            ["Relation", "What it says"],
            ["repeat", "Items that the history holds already"],
            ["item_brand", "Items that go together by brand"],
        ],
        [["From / to", "North", "South"], ["North", "1.0000", "0.2500"], ["South", "-0.5000", "0.0000"]],
    ]


def test_configuration_is_listed_with_dotted_names(run: Path) -> None:
    _, page = read(run)
    assert page.tables[-1] == [
        ["Option", "Value"],
        ["seed", "7"],
        ["training.epochs", "3"],
        ["training.compile", "false"],
        ["training.betas", "0.9, 0.999"],
        ["relations", "none"],
    ]


def test_the_best_epoch_of_each_validation_curve_has_a_ring(run: Path) -> None:
    text, page = read(run)
    rings = [attributes for tag, attributes in page.elements if attributes.get("class") == "ring"]
    assert len(rings) == 2
    best = re.search(r'cx="([\d.]+)" cy="([\d.]+)" r="2.5"><title>seen=hidden, epoch 2: 0.0600', text)
    assert best is not None
    assert (rings[0]["cx"], rings[0]["cy"]) == best.groups()


def test_heat_map_colours_follow_the_square_root_and_the_sign(run: Path) -> None:
    _, page = read(run)
    cells = [
        (attributes["class"], float(attributes["fill-opacity"] or "nan"))
        for _, attributes in page.elements
        if "fill-opacity" in attributes
    ]
    assert cells == [("positive", 1.0), ("positive", 0.5), ("negative", 0.707), ("positive", 0.0)]


def test_long_names_are_cut_to_what_tells_them_apart(tmp_path: Path) -> None:
    names = ["Kitchen > Coffee makers", "Outdoor > Tents", "A name without any steps"]
    pairs = {"category": {"names": names, "matrix": [[1.0] * 3] * 3}}
    text, _ = read(write_run(tmp_path / "run", relations={"strengths": {}, "pairs": pairs}))
    labels = re.findall(r'class="pair" x=.*?>(.*?)<title>(.*?)</title>', text)
    assert [short for short, _ in labels] == ["Coffee makers", "Outdoor &gt; Tents", "A name without…"]
    assert [full.replace("&gt;", ">") for _, full in labels] == names


def test_everything_from_outside_is_escaped(tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / "run-2",
        config={HOSTILE: {HOSTILE: HOSTILE}},
        figures={
            "protocol": FIGURES["protocol"] | {"dataset": HOSTILE},
            "seen=hidden": {HOSTILE: interval(0.1)},
        },
        slices={"metric": HOSTILE, HOSTILE: [{"label": HOSTILE, "count": 1, "value": 0.5}]},
        relations={
            "strengths": {HOSTILE: 1.0},
            "pairs": {HOSTILE: {"names": [HOSTILE], "matrix": [[1.0]]}},
        },
    )
    text, page = read(folder)
    assert "<script" not in text
    assert page.count("script") == 0
    assert all(
        "alert" not in str(value) for _, found in page.elements for key, value in found.items() if key[:2] == "on"
    )
    assert sum(HOSTILE in words for words in page.words) >= 8


def test_groups_of_targets_are_shown_apart(tmp_path: Path) -> None:
    group = {
        f"seen={seen}": {"Recall@5": interval(0.1), "Recall@20": interval(0.2), "NDCG@20": interval(0.15)}
        for seen in ("hidden", "ranked")
    }
    groups = {"repeats": {"not in the history": group | {"targets": 1000}, "repeated": group | {"targets": 234}}}
    text, page = read(write_run(tmp_path / "run", figures=FIGURES | {"groups": groups}))
    assert "Groups of targets" in text
    (table,) = [table for table in page.tables if table[0][0] == "Targets"]
    assert table[0] == ["Targets", "Count", "Metric", "seen=hidden", "seen=ranked"]
    assert [row[:3] for row in table[1:]] == [
        ["not in the history", "1,000", "Recall@20"],
        ["not in the history", "1,000", "NDCG@20"],
        ["repeated", "234", "Recall@20"],
        ["repeated", "234", "NDCG@20"],
    ]
    assert table[1][3] == "0.2000 [0.1900, 0.2100]"
    plain, _ = read(write_run(tmp_path / "plain"))
    assert "Groups of targets" not in plain
