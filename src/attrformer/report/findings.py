"""What a check of the data found, as tables of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrformer.data.check.text import percent, said
from attrformer.report.charts import Table


def findings_table(findings: Sequence[Mapping[str, Any]], *, whole: bool = False) -> Table | None:
    """Findings as rows; None where there are none.

    Args:
        findings: of a report as JSON.
        whole: whether with evidence and examples.
    """
    header = ("Severity", "Finding", *(("Evidence", "Examples") if whole else ()), "What to do")
    rows = []
    for finding in findings:
        evidence = "; ".join(f"{name.replace('_', ' ')} {said(value)}" for name, value in finding["evidence"].items())
        more = (evidence, "; ".join(finding["examples"])) if whole else ()
        title = f"{finding['title']}. {finding['detail']}" if whole else finding["title"]
        rows.append((finding["severity"], title, *more, finding["fix"]))
    return Table(header, tuple(rows)) if rows else None


def columns_table(columns: Sequence[Mapping[str, Any]]) -> Table | None:
    """What every column is used as; None where that is not known."""
    rows = tuple(
        (
            f"{use['table']}.{use['column'] or repr(use['column'])}",
            use["used_as"],
            "" if use["values"] is None else f"{use['values']:,}",
            "" if use["missing"] is None else percent(use["missing"]),
        )
        for use in columns
    )
    return Table(("Column", "Used as", "Values", "Missing"), rows) if rows else None
