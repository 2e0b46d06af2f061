"""Leaves in benchmarks/results what documents read: the latest lines, their figures, one table of ranks.

python benchmarks/reduce_results.py                 # says what would become of the folder
python benchmarks/reduce_results.py --write         # does it, once the document comes out the same, byte by byte

No benchmark may be running. What is left out comes back by running its row of the plan with --again.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from attrformer.benchmark.files import read_lines
from attrformer.benchmark.outsiders import PaperTable
from attrformer.benchmark.rank_table import RankTable, save_rank_table
from attrformer.benchmark.ranks import Ranks, load_ranks
from attrformer.benchmark.report import PresentRuns, write_document
from attrformer.benchmark.results import EVALUATIONS, MAIN, RANK_TABLE, SINCE, Board, load_board
from attrformer.config import load_yaml
from attrformer.evaluation.protocol import SEEN_VARIANTS

VARIANTS = [f"seen={seen}" for seen in SEEN_VARIANTS]
LENGTH = "@20"
"""What documents show; metrics of ranks at shorter lists follow from the table of ranks."""

IN_GROUPS = ("NDCG@20", "Recall@20")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--plans", type=Path, default=Path("benchmarks/plans"))
    parser.add_argument("--template", type=Path, default=Path("docs/benchmarks.in.md"))
    parser.add_argument("--paper", type=Path, default=Path("benchmarks/paper_table.yaml"))
    parser.add_argument("--write", action="store_true", help="replace the folder")
    arguments = parser.parse_args()
    results: Path = arguments.results
    with tempfile.TemporaryDirectory(dir=results.parent) as scratch:
        reduced = Path(scratch) / "results"
        reduce(results, reduced, arguments.plans)
        print(f"{size(results):,} bytes become {size(reduced):,}")
        paper = load_yaml(PaperTable, arguments.paper)
        pages = [
            write_document(arguments.template, Path(scratch) / name / "page.md", folder, paper, arguments.plans).parent
            for name, folder in (("before", results), ("after", reduced))
        ]
        changed = differing(*pages)
        if changed:
            sys.exit(f"The document would change: {', '.join(changed)}. Nothing is written.")
        print("the document and its drawings stay the same, byte by byte")
        if arguments.write:
            replace(results, reduced)


def reduce(results: Path, reduced: Path, plans: Path) -> None:
    """Writes what documents read of a folder of results to another one."""
    board = load_board(results, PresentRuns(plans))
    latest = {line["key"]: line for result in board.results for line in result.lines}
    every = [line for path in results.glob("*.jsonl") for line in read_lines(path) if "configuration" in line]
    since: dict[tuple[str, str], str] = {}
    shown = PresentRuns(plans)
    for line in every:
        if "test" in line and shown(line):
            row = (line["dataset"], line["row"])
            since[row] = min(since.get(row, "9"), str(line.get(SINCE, line["date"])))
    reduced.mkdir(parents=True)
    for path in sorted(path for path in results.iterdir() if path.is_file() and path.name != RANK_TABLE):
        if path.suffix != ".jsonl":
            shutil.copyfile(path, reduced / path.name)
            continue
        lines = kept(read_lines(path), board, latest, since)
        text = "".join(f"{json.dumps(line, ensure_ascii=False, separators=(',', ':'))}\n" for line in lines)
        (reduced / path.name).write_text(text, encoding="utf-8")
    save_rank_table(reduced / RANK_TABLE, all_ranks(results, latest))


def kept(
    lines: list[dict[str, Any]], board: Board, latest: dict[str, dict[str, Any]], since: dict[tuple[str, str], str]
) -> list[dict[str, Any]]:
    """The lines that documents read, without what they do not read."""
    trials = {(line["dataset"], line["title"], line["trial"]): line for line in board.trials}
    found = []
    for line in lines:
        if "trial" in line:
            # The latest in the place of the first, so that searches stand in the order in which they were begun.
            last = trials.pop((line["dataset"], line["title"], line["trial"]), None)
            if last is not None:
                found.append({name: value for name, value in last.items() if name not in ("validation", "selected")})
        elif "test" not in line or "configuration" not in line:
            found.append(line)
        elif latest.get(line["key"]) == line:
            first = since[line["dataset"], line["row"]]
            found.append(trimmed(line) | ({SINCE: first} if first != str(line["date"]) else {}))
    return found


def trimmed(line: dict[str, Any]) -> dict[str, Any]:
    """A line of a run with the figures at the longest list, of validation the one that searches read."""
    test = {seen: {name: v for name, v in line["test"][seen].items() if name.endswith(LENGTH)} for seen in VARIANTS}
    if "groups" in line["test"]:
        test["groups"] = {
            kind: {label: group_of(group) for label, group in halves.items()}
            for kind, halves in line["test"]["groups"].items()
        }
    validation = {seen: {"NDCG@20": line["validation"][seen]["NDCG@20"]} for seen in VARIANTS}
    selected = {name: value for name, value in line["selected"].items() if name != "figures"}
    slices = {"slices": line["slices"]} if line["group"] in MAIN else {}
    shorter = {"test": test, "validation": validation, "selected": selected, **slices}
    return {name: shorter.get(name, value) for name, value in line.items() if name != "slices" or slices}


def group_of(group: dict[str, Any]) -> dict[str, Any]:
    """Figures of one group of targets."""
    figures = {seen: {name: group[seen][name] for name in IN_GROUPS if name in group[seen]} for seen in VARIANTS}
    return {"targets": group["targets"], **figures}


def all_ranks(results: Path, latest: dict[str, Any]) -> dict[str, Ranks]:
    """Ranks of every line that counts, from its file or from an earlier table."""
    table, found = RankTable(results / RANK_TABLE), {}
    for key in latest:
        file = results / EVALUATIONS / f"{key}.npz"
        if file.is_file():
            found[key] = load_ranks(file)
        elif key in table:
            found[key] = table[key]
    return found


def differing(before: Path, after: Path) -> list[str]:
    """Files of two folders that are not the same."""
    names = {
        str(path.relative_to(folder)) for folder in (before, after) for path in folder.rglob("*") if path.is_file()
    }
    _, changed, missing = filecmp.cmpfiles(before, after, sorted(names), shallow=False)
    return changed + missing


def replace(results: Path, reduced: Path) -> None:
    """Moves the reduced files over the others; the table comes first, then lines, then files of ranks go."""
    for path in sorted(reduced.iterdir(), key=lambda path: path.name != RANK_TABLE):
        path.replace(results / path.name)
    shutil.rmtree(results / EVALUATIONS, ignore_errors=True)


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
