"""How figures, costs and their circumstances read in Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from attrformer.benchmark.results import ACCELERATED, CPU, MIXED, Result
from attrformer.evaluation.bootstrap import Interval

NOTHING: Final = "*No results yet.*"
PLANS: Final = Path("benchmarks/plans")
LINE: Final = 120
"""Characters of a line of a document."""

_LONG: Final = re.compile(rf"^(?![|#<]).{{{LINE + 1},}}$", re.MULTILINE)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)


def percent(gain: Interval) -> str:
    """A relative gain with its interval."""
    if not np.isfinite([gain.value, gain.low, gain.high]).all():
        return "-"
    return f"{100 * gain.value:+.1f} % [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def p_value(value: float) -> str:
    """A p-value with as many digits as the resamples allow."""
    return f"{value:.3f}"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def training(result: Result) -> str:
    """How long a run was trained, the mean over seeds; apart for those on an accelerator, whose times are others."""
    words = {CPU: "", ACCELERATED: " on an accelerator", MIXED: " partly on an accelerator"}
    return "; ".join(
        f"{'' if one.complete else 'at least '}{duration(one.seconds)}{words[one.place]}" for one in result.trainings
    )


def interval(part: dict[str, Any]) -> str:
    """A stored figure with its interval."""
    return str(Interval(part["value"], part["low"], part["high"]))


def caption(results: Sequence[Result]) -> str:
    """Where the figures of a table come from: command, commits, machine, protocol."""
    lines = [line for result in results for line in result.lines]
    plans = distinct(f"`attrformer benchmark {_plan_file(line['plan'])}`" for line in lines)
    # The seed stands in the middle of a protocol line; everything else is the same for all seeds.
    protocols = distinct(re.sub(r" \| seed \d+", "", line["protocol"]) for line in lines)
    machines = distinct(_machine(line["hardware"]) for line in lines)
    seeds = distinct(str(seed) for seed in sorted({line["seed"] for line in lines}))
    return "  \n".join(
        [
            f"Command: {'; '.join(plans)}. Commits: {', '.join(commits(results))}.",
            f"Hardware: {'; '.join(machines)}.",
            f"Protocol: {'; '.join(protocols)}. Seeds: {', '.join(seeds)}.",
        ]
    )


def with_caption(header: Sequence[str], rows: Sequence[Sequence[str]], results: Sequence[Result]) -> str:
    """A table and where its figures come from, or that there are none yet."""
    return f"{markdown(header, rows)}\n\n{caption(results)}" if rows else NOTHING


def with_short_lines(document: str) -> str:
    """A document in Markdown whose paragraphs are broken into lines that people can compare and edit.

    Args:
        document: whose tables, headings and blocks of code stay as they are.
    """
    parts = re.split(r"(^```.*?^```)", document, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if number % 2 else _LONG.sub(_broken, part) for number, part in enumerate(parts))


def _broken(line: re.Match[str]) -> str:
    text = line.group()
    item = re.match(r"\s*(?:- )?", text)
    assert item is not None
    ending = "  " if text.endswith("  ") else ""
    lines = textwrap.wrap(
        text, LINE, subsequent_indent=" " * item.end(), break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines) + ending


def processor(hardware: dict[str, Any]) -> str:
    """The processor, and how much of it was used."""
    threads = f"{hardware['threads']} thread{'s' if hardware['threads'] > 1 else ''} used"
    return f"{hardware['cpu']}, {hardware['cores']} cores, {threads}"


def _machine(hardware: dict[str, Any]) -> str:
    accelerator = hardware["accelerator"] or "no accelerator"
    return (
        f"{processor(hardware)}, {hardware['memory_gib']} GiB, {accelerator}, "
        f"torch {hardware['torch']}, Python {hardware['python']}"
    )


def commits(results: Iterable[Result]) -> list[str]:
    """The commits that results were made at, with a mark where the source had changes."""
    return distinct(
        name + (" with changes" if line["changed"] else "")
        for result in results
        for line in result.lines
        for name in line["commits"]
    )


def distinct(texts: Iterable[str]) -> list[str]:
    """Texts in their order, each once."""
    return list(dict.fromkeys(texts))


def _plan_file(name: str) -> Path:
    """Where a plan lies; what is not among ours is somebody's own, wherever that is."""
    ours = PLANS / f"{name}.yaml"
    return ours if ours.is_file() else Path(ours.name)
