"""A document with the tables and drawings of all results in it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import jinja2

from attrformer.benchmark.drawings import Drawing, cost_chart, gain_chart
from attrformer.benchmark.headline import groups, headline
from attrformer.benchmark.outsiders import outsiders
from attrformer.benchmark.paper import PaperTable
from attrformer.benchmark.parts import parts
from attrformer.benchmark.present import PresentRuns
from attrformer.benchmark.results import load_board
from attrformer.benchmark.same_time import repeats, same_time
from attrformer.benchmark.tables import Tables
from attrformer.benchmark.wording import NOTHING
from attrformer.errors import ConfigurationError
from attrformer.io import write_text

MARK = "<!-- Made by `attrformer benchmark report` from {template}; what is written here by hand gets lost. -->\n"
PLAIN: Final = Path(__file__).parent / "templates" / "document.md.j2"
"""What is filled where a project has no template of its own: every table and drawing that has something to show."""


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
    text = MARK.format(template=template.name) + _filled(template, names)
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
