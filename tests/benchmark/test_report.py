"""The document: tables with true figures, drawings with every model in them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tests.benchmark.builders import USERS, add_result, evaluation, random_ranks

from attrformer.benchmark.drawings import cost_chart, gain_chart
from attrformer.benchmark.outsiders import PaperTable
from attrformer.benchmark.report import PLAIN, write_document
from attrformer.benchmark.results import load_board
from attrformer.benchmark.tables import Tables
from attrformer.benchmark.wording import LINE, NOTHING, duration, with_short_lines
from attrformer.errors import ConfigurationError
from attrformer.evaluation.evaluation import Evaluation

PAPER = PaperTable("somebody", ("rival", "weak", "attrformer"), {"shop": {"NDCG@20": (0.2, 0.1, 0.3)}})
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Evaluation]:
    """A results folder of six rows on one dataset."""
    ranks = {"own": (1, 6), "rival": (2, 30), "weak": (3, 150), "counts": (4, 50), "no_part": (1, 9), "own_50": (5, 8)}
    groups = {"own": "ours", "counts": "reference", "no_part": "ablation", "own_50": "length"}
    made = {row: evaluation(random_ranks(*drawn), above=row == "rival") for row, drawn in ranks.items()}
    for row, one in made.items():
        add_result(tmp_path, row, one, group=groups.get(row, "paper"))
    return made


def cells(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({len(row) for row in rows}) == 1
    return [row for row in rows if row[0] != "---"]


def tables(folder: Path) -> Tables:
    return Tables(load_board(folder), PAPER)


def test_leaderboard(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    text = tables(tmp_path).leaderboard("shop")
    header, *rows = cells(text)
    assert [row[0] for row in rows] == ["**OWN**", "RIVAL", "COUNTS", "WEAK"]
    rival = found["rival"]
    assert rows[1][1:4] == [
        str(rival.metric("NDCG@20")),
        str(rival.metric("NDCG@20", "ranked")),
        f"{rival.value('Recall@20'):.4f} / {rival.value('Recall@20', 'ranked'):.4f}",
    ]
    ratios = [f"{rival.value('NDCG@20', seen) / 0.2:.2f}" for seen in ("hidden", "ranked")]
    assert rows[1][4:6] == ["0.2000", " / ".join(ratios)]
    assert rows[2][4:6] == ["-", "-"]
    assert rows[1][6:] == ["1", "5, 3", "1,234", "2.0 min", "512 MiB", "abc1234"]
    assert len(header) == 12
    assert "Command: `attrformer benchmark benchmarks/plans/leaderboard.yaml`. Commits: abc1234." in text
    assert "Abacus, 4 cores, 2 threads used, 8.0 GiB, no accelerator, torch 2.9, Python 3.12" in text
    assert f"shop | {USERS} users | all 200 items ranked | leave-one-out test" in text and "Seeds: 0." in text


def test_several_seeds_show_their_spread(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    add_result(tmp_path, "weak", evaluation(random_ranks(8, 150)), group="paper", seed=1)
    _, *rows = cells(tables(tmp_path).leaderboard("shop"))
    weak = rows[-1]
    assert re.fullmatch(r"0\.\d{4} ± 0\.\d{4} \[0\.\d{4}, 0\.\d{4}\]", weak[1]) and weak[6] == "2"


def test_significance(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    text = tables(tmp_path).significance("shop")
    _, *rows = cells(text)
    assert [row[0] for row in rows] == ["RIVAL", "COUNTS", "WEAK"]
    gain = 100 * (found["own"].value("NDCG@20") / found["rival"].value("NDCG@20") - 1)
    assert rows[0][1].startswith(f"{gain:+.1f} % [")
    assert rows[0][2] == "0.005"
    assert f"relative to RIVAL, the best of the paper's baselines here: {gain:+.1f} % [" in text
    assert "In the paper's own table it is +50.0 % above its best baseline." in text


def test_ablations(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    _, full, part = cells(tables(tmp_path).ablations("shop"))
    assert full[0] == "**OWN**" and full[2:4] == ["", ""] and part[0] == "NO_PART"
    lost = found["no_part"].compare(found["own"])
    assert part[2].startswith(f"{lost.difference.value:+.4f} [") and lost.difference.value < 0
    low, high = map(float, re.findall(r"[-+]\d\.\d{4}", part[2])[1:])
    assert low <= lost.difference.value <= high


def test_ablations_are_compared_with_the_model_that_was_trained_as_they_were(
    tmp_path: Path, found: dict[str, Evaluation]
) -> None:
    whole = evaluation(random_ranks(12, 7))
    add_result(tmp_path, "whole", whole, group="whole")
    _, full, part = cells(tables(tmp_path).ablations("shop"))
    assert full[:2] == ["**WHOLE**", str(whole.metric("NDCG@20"))]
    assert part[2].startswith(f"{found['no_part'].compare(whole).difference.value:+.4f} [")
    # It is no row of the leaderboard.
    assert [row[0] for row in cells(tables(tmp_path).leaderboard("shop"))[1:]] == ["**OWN**", "RIVAL", "COUNTS", "WEAK"]


def test_slices_of_both_models(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    lengths, popularity, new = tables(tmp_path).slices("shop").split("\n\n")
    header, *rows = cells(lengths)
    assert header[2:4] == ["OWN, NDCG@20 `seen=hidden`", "RIVAL"]
    expected = found["rival"].by_history_length()
    assert [row[0] for row in rows] == [part.label for part in expected]
    assert [row[3] for row in rows] == [str(part.interval) for part in expected]
    assert sum(int(row[1]) for row in cells(popularity)[1:]) == USERS
    expected = found["rival"].by_new_items()
    assert [(row[0], int(row[1]), row[3]) for row in cells(new)[1:]] == [
        (part.label, part.targets, str(part.interval)) for part in expected
    ]


def test_results_of_before_have_the_slices_that_they_have(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    kept = ("history_length", "item_popularity")
    for name, group in (("own", "ours"), ("rival", "paper")):
        line = {"date": "2030-01-01T00:00:00+00:00"}
        slices = {f"seen={seen}": found[name].slices("NDCG@20", seen) for seen in ("hidden", "ranked")}
        line["slices"] = {
            seen: {
                kind: [{"label": part.label, "targets": part.targets} | part.interval.to_json() for part in parts]
                for kind, parts in kinds.items()
                if kind in kept
            }
            for seen, kinds in slices.items()
        }
        add_result(tmp_path, name, found[name], group=group, **line)
    assert len(tables(tmp_path).slices("shop").split("\n\n")) == 2


def test_lengths(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    _, row = cells(tables(tmp_path).lengths("shop"))
    assert row[0] == "OWN_50" and row[3:] == ["24.0", "2.5 s", "512 MiB"]


def test_lengths_are_in_the_order_of_the_lengths(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    for name, row, length in (("sasrec", "rival_9", 9), ("attrformer", "own_7", 7), ("sasrec", "rival_8", 8)):
        settings = (f"model.name={name}", f"model.max_length={length}")
        add_result(tmp_path, row, found["own"], *settings, group="length")
    _, *rows = cells(tables(tmp_path).lengths("shop"))
    assert [row[0] for row in rows] == ["OWN_7", "OWN_50", "RIVAL_8", "RIVAL_9"]


def test_tuning(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    from attrformer.benchmark.files import append_line

    for number, value, options in ((1, 0.3, {"training.clip": 2.0}), (0, 0.25, {}), (2, 0.1, {"training.clip": 1.0})):
        line = {"trial": number, "value": value, "options": options, "dataset": "shop", "title": "OWN"}
        append_line(tmp_path / "trials.jsonl", line | {"row": "own", "configuration": {}})
    assert cells(tables(tmp_path).tuning("shop"))[1:] == [["OWN", "3", "0.2500", "0.3000", "`training.clip=2.0`"]]


def test_a_dataset_without_results_says_so(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    for function in tables(tmp_path).functions().values():
        assert function("elsewhere") == NOTHING
    assert gain_chart(load_board(tmp_path), "elsewhere") is None
    assert cost_chart(load_board(tmp_path), "elsewhere") is None


def test_drawings_show_every_model(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    board = load_board(tmp_path)
    gains, costs = gain_chart(board, "shop"), cost_chart(board, "shop")
    assert gains is not None and costs is not None
    bars = [bar for bar in ET.fromstring(gains.svg).iter(f"{SVG}rect") if "bar" in bar.get("class", "")]
    assert len(bars) == 6 and all(float(bar.get("width", "nan")) > 0 for bar in bars)
    titles = [title.text or "" for title in ET.fromstring(gains.svg).iter(f"{SVG}title")]
    gain = 100 * (found["own"].value("NDCG@20", "ranked") / found["rival"].value("NDCG@20", "ranked") - 1)
    assert any(title.startswith(f"RIVAL, seen=ranked: {gain:+.1f} % [") for title in titles)
    root = ET.fromstring(costs.svg)
    circles = list(root.iter(f"{SVG}circle"))
    assert len(circles) == 4
    names = [text for text in root.iter(f"{SVG}text") if text.get("class") == "name"]
    places = [(float(text.get("x", "nan")), float(text.get("y", "nan")), text.text or "") for text in names]
    assert {name for _, _, name in places} == {"OWN", "RIVAL", "COUNTS", "WEAK"}
    # The better a model, the higher it stands, and no name covers another.
    height = {
        title.text or "": float(circle.get("cy", "nan"))
        for title, circle in zip(
            [next(group.iter(f"{SVG}title")) for group in root.iter(f"{SVG}g")], circles, strict=True
        )
    }
    order = sorted(height, key=lambda title: height[title])
    assert [title.partition(":")[0] for title in order] == ["OWN", "RIVAL", "COUNTS", "WEAK"]
    for number, (x, y, name) in enumerate(places):
        for other_x, other_y, _ in places[:number]:
            assert abs(y - other_y) >= 13 or abs(x - other_x) >= 6 * len(name)


def test_times_on_an_accelerator_are_told_apart(tmp_path: Path) -> None:
    first = add_result(tmp_path, "own", evaluation(random_ranks(1, 5)), group="ours")
    add_result(tmp_path, "other", evaluation(random_ranks(2, 9)))
    hardware = first["hardware"] | {"accelerator": "Comet"}
    add_result(tmp_path, "swift", evaluation(random_ranks(3, 9)), hardware=hardware)
    for seed, seconds in ((1, 30.0), (2, 50.0)):
        cost = first["cost"] | {"training_seconds": seconds}
        more = {"group": "ours", "seed": seed, "hardware": hardware, "cost": cost}
        add_result(tmp_path, "own", evaluation(random_ranks(1, 5)), **more)
    moved = first["cost"] | {"devices": ["Comet", "cpu"], "complete": False}
    add_result(tmp_path, "own", evaluation(random_ranks(1, 5)), group="ours", seed=3, cost=moved)
    rows = cells(tables(tmp_path).leaderboard("shop"))[1:]
    assert {row[0]: row[9] for row in rows} == {
        "**OWN**": "2.0 min; 40.0 s on an accelerator; at least 2.0 min partly on an accelerator",
        "OTHER": "2.0 min",
        "SWIFT": "2.0 min on an accelerator",
    }
    costs = cost_chart(load_board(tmp_path), "shop")
    assert costs is not None
    circles = [circle.get("class") for circle in ET.fromstring(costs.svg).iter(f"{SVG}circle")]
    assert sorted(circles) == ["hollow-3", "series-1", "series-3"]


def test_hostile_titles_are_escaped(tmp_path: Path) -> None:
    add_result(tmp_path, "own", evaluation(random_ranks(1, 5)), group="ours", title="<a> & | b")
    add_result(tmp_path, "other", evaluation(random_ranks(2, 9)), title="x | y")
    board = load_board(tmp_path)
    for drawing in (gain_chart(board, "shop"), cost_chart(board, "shop")):
        assert drawing is not None and "<a>" not in drawing.svg
        ET.fromstring(drawing.svg)
    assert [row[0] for row in cells(Tables(board, PAPER).leaderboard("shop"))[1:]] == ["**<a> & / b**", "x / y"]


def test_the_document_keeps_its_prose(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    template = tmp_path / "page.in.md"
    template.write_text('# Title\n\n{{ leaderboard("shop") }}\n\n{{ gain_chart("shop") }}\n\nEnd.\n', encoding="utf-8")
    out = write_document(template, tmp_path / "docs" / "page.md", tmp_path, PAPER, tmp_path)
    text = out.read_text(encoding="utf-8")
    first, second, *_ = text.splitlines()
    assert "page.in.md" in first and first.startswith("<!--") and second == "# Title"
    assert text.endswith("\n\nEnd.\n") and "| **OWN** |" in text
    (image,) = re.findall(r"!\[[^\]]+\]\((\S+)\)", text)
    assert (out.parent / image).read_text(encoding="utf-8").startswith("<svg")
    assert [path.name for path in out.parent.iterdir() if path.suffix == ".tmp"] == []


def test_an_unknown_table_is_named(tmp_path: Path, found: dict[str, Evaluation]) -> None:
    template = tmp_path / "page.in.md"
    template.write_text('{{ leaderbord("shop") }}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"'leaderbord' is undefined.*can ask for leaderboard, "):
        write_document(template, tmp_path / "page.md", tmp_path, PAPER, tmp_path)
    with pytest.raises(ConfigurationError, match=r"absent\.md cannot be read"):
        write_document(tmp_path / "absent.md", tmp_path / "page.md", tmp_path, PAPER, tmp_path)
    assert not (tmp_path / "page.md").exists()


@pytest.mark.parametrize(("seconds", "text"), [(3.14, "3.1 s"), (120, "2.0 min"), (7200, "2.0 h")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_project_without_a_template_gets_whatever_there_is_to_show(
    tmp_path: Path, found: dict[str, Evaluation]
) -> None:
    out = write_document(PLAIN, tmp_path / "page.md", tmp_path, PaperTable(), tmp_path)
    text = out.read_text(encoding="utf-8")
    assert re.findall(r"^##+ (.*)$", text, flags=re.MULTILINE) == [
        "shop",
        "Against every other model",
        "Gains",
        "Accuracy and the time of training",
        "Short and long histories, rare and popular items",
        "Last targets of users, new items and new users",
        "What each part is worth",
        "Length of histories",
    ]
    assert NOTHING not in text and "the best of the baselines here" in text
    # Nothing was published that could stand beside the figures.
    header, first, *_ = cells(text.partition("\n## shop\n")[2].partition("\n\nCommand")[0])
    assert "paper's NDCG@20" not in header and first[:1] == ["**OWN**"] and first[4:6] == ["1", "5, 3"]


def test_the_plan_of_somebody_else_is_not_looked_for_among_ours(tmp_path: Path) -> None:
    for row, plan in (("own", "leaderboard"), ("other", "plan")):
        add_result(tmp_path, row, evaluation(random_ranks(1, 5)), plan=plan)
    text = tables(tmp_path).leaderboard("shop")
    assert (
        "`attrformer benchmark benchmarks/plans/leaderboard.yaml`" in text
        and "`attrformer benchmark plan.yaml`" in text
    )


def test_only_paragraphs_get_short_lines() -> None:
    words = "word " * 30
    kept = f"# {words}\n| {words}|\n```\n{words}\n```\n{'x' * 130}\nshort\n"
    assert with_short_lines(kept) == kept
    broken = with_short_lines(f"- {words.strip()}  \nnext\n").splitlines()
    assert len(broken) == 3 and max(map(len, broken)) <= LINE
    assert broken[0].startswith("- word") and broken[1].startswith("  word") and broken[1].endswith("word  ")
    assert " ".join(broken).split() == ["-", *words.split(), "next"]
