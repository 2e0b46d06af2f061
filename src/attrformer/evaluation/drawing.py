"""Tables of the figures of an evaluation, for a console and as plain text."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from attrformer.evaluation.groups import Grouped
from attrformer.evaluation.metrics import in_brief
from attrformer.evaluation.protocol import SEEN_VARIANTS

WIDTH: Final = 120
"""Characters of a line of plain text."""


def table(evaluation: Grouped) -> Table:
    """The metrics of both seen variants with their intervals, under the line of the protocol.

    Figures of repeated targets, earlier targets of a user, new items and new users follow where there are any.

    Args:
        evaluation: whose metrics they are.
    """
    drawn = Table(title=escape(evaluation.protocol.line()), title_justify="left")
    drawn.add_column("metric")
    for seen in SEEN_VARIANTS:
        drawn.add_column(f"seen={seen}", justify="right")
    for name in evaluation.names:
        drawn.add_row(name, *(str(evaluation.metric(name, seen)) for seen in SEEN_VARIANTS))
    for halves in evaluation.groups.values():
        drawn.add_section()
        for label, group in halves.items():
            for name in in_brief(group.figures[SEEN_VARIANTS[0]]):
                cells = (str(group.figures[seen][name]) for seen in SEEN_VARIANTS)
                drawn.add_row(f"{name}, {label} ({group.targets:,} of {len(evaluation.users):,})", *cells)
    return drawn


def as_text(tables: Iterable[Table]) -> str:
    """Tables as plain text, one below the other.

    Args:
        tables: of any evaluations.
    """
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, color_system=None)
    for drawn in tables:
        console.print(drawn)
    return text.getvalue()
