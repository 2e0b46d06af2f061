"""A document with the tables and drawings of all results in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2

from attrformer.benchmark.contrasts import parts, repeats, same_time
from attrformer.benchmark.drawings import Drawing, cost_chart, gain_chart
from attrformer.benchmark.headline import groups, headline
from attrformer.benchmark.options import configuration, is_run_of
from attrformer.benchmark.outsiders import PaperTable, outsiders
from attrformer.benchmark.plan import Plan, load_plan
from attrformer.benchmark.results import load_board
from attrformer.benchmark.tables import Tables
from attrformer.benchmark.wording import NOTHING, with_short_lines
from attrformer.errors import ConfigurationError
from attrformer.io import write_text

MARK = "<!-- Made by `attrformer benchmark report` from {template}; what is written here by hand gets lost. -->\n"
PLAIN: Final = Path(__file__).parent / "templates" / "document.md.j2"
"""What is filled where a project has no template of its own: every table and drawing that has something to show."""

COMPARED: Final = ("ablation", "whole", "length")
"""Groups whose rows are compared with each other and say nothing beside rows of other options."""


def write_document(template: Path, out: Path, results: Path, paper: PaperTable, plans: Path) -> Path:
    """Fills the tables into a document of prose, and writes its drawings beside it.

    Args:
        template: Markdown with places such as `{{ leaderboard("beauty") }}`; `PLAIN` shows whatever there is.
        out: the document; drawings go to the folder `img` beside it.
        results: folder of JSON lines.
        paper: the published figures.
        plans: folder of plans; of rows that are compared with each other only those are shown that are as the plan
            has them now.

    Returns:
        The document.

    Raises:
        CheckpointError: there are no results, or they cannot be read.
        ConfigurationError: the template is missing or names something unknown.
    """
    board = load_board(results, PresentRuns(plans))
    drawings: dict[str, Drawing] = {}

    def shown(name: str, drawing: Drawing | None) -> str:
        if drawing is None:
            return NOTHING
        drawings[name] = drawing
        return f"![{drawing.description}](img/{name}.svg)"

    names = Tables(board, paper).functions() | {
        "gain_chart": lambda dataset: shown(f"gain-{dataset}", gain_chart(board, dataset)),
        "cost_chart": lambda dataset: shown(f"cost-{dataset}", cost_chart(board, dataset)),
        "outsiders": lambda: outsiders(results),
        "same_time": lambda dataset: same_time(board, dataset),
        "headline": lambda datasets: headline(board, datasets),
        "groups": lambda dataset: groups(board, dataset) or NOTHING,
        "repeats": lambda dataset: repeats(board, dataset),
        "parts": lambda *datasets: parts(board, datasets),
        "datasets": board.datasets,
        "nothing": NOTHING,
    }
    text = with_short_lines(MARK.format(template=template.name) + _filled(template, names))
    for name, drawing in drawings.items():
        _write(out.parent / "img" / f"{name}.svg", drawing.svg)
    _write(out, text)
    return out


def _filled(template: Path, names: dict[str, object]) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    try:
        return environment.from_string(template.read_text(encoding="utf-8")).render(names)
    except OSError as error:
        raise ConfigurationError(f"The template {template} cannot be read ({error}). Give it in --template.") from error
    except jinja2.TemplateError as error:
        known = ", ".join(names)
        raise ConfigurationError(f"{template}: {error}. A template can ask for {known}.") from error


def _write(path: Path, text: str) -> None:
    write_text(path, text.rstrip("\n") + "\n")


class PresentRuns:
    """Whether a run that lies in the results is the one that its plan would make today.

    Args:
        folder: of the plans' YAML files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._plans = folder, dict[str, Plan | None]()

    def __call__(self, line: Mapping[str, Any]) -> bool:
        """Whether a line is shown: always where its plan, row or dataset is not there any more to say otherwise.

        Args:
            line: of a finished run.

        Raises:
            ConfigurationError: a plan cannot be read.
        """
        if line["group"] not in COMPARED:
            return True
        plan = self._plan(str(line["plan"]))
        row = None if plan is None else next((row for row in plan.rows if row.name == line["row"]), None)
        if plan is None or row is None or line["dataset"] not in plan.data:
            return True
        if not plan.runs_on(row, line["dataset"]):
            return False
        try:
            return is_run_of(line, configuration(plan, row, line["dataset"], line["seed"]))
        except ConfigurationError:
            return False

    def _plan(self, name: str) -> Plan | None:
        if name not in self._plans:
            path = self._folder / f"{name}.yaml"
            self._plans[name] = load_plan(path) if path.is_file() else None
        return self._plans[name]
