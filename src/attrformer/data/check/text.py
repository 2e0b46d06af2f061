"""A report as text: for a terminal by rich, or plain."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from attrformer.data.check.report import printable

if TYPE_CHECKING:
    from attrformer.data.check.report import CheckReport, ColumnUse, Finding, Number

WIDTH: Final = 100
_STYLES: Final = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


def as_text(report: CheckReport) -> str:
    """The whole report as plain text, lines of at most about a hundred characters."""
    blocks = ["\n".join([report.headline, *_fact_lines(report)])]
    blocks += ["\n".join(_finding_lines(finding)) for finding in report.findings]
    if report.columns:
        blocks.append("\n".join(["Columns", *(f"  {_use_line(use)}" for use in report.columns)]))
    return "\n\n".join(blocks)


def renderables(report: CheckReport) -> Iterator[Any]:
    """The whole report as things that rich can print."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    yield Text(report.headline, style="bold")
    for line in _fact_lines(report):
        yield Text(line, style="dim")
    for finding in report.findings:
        severity = finding.severity.value
        yield Text.assemble(
            "\n", (severity.upper(), _STYLES[severity]), f"  {printable(finding.title)}  ", (finding.id, "dim")
        )
        for text in _paragraphs(finding):
            yield Padding(Text(printable(text)), (0, 0, 0, 4), expand=False)
    if report.columns:
        table = Table("table", "column", "used as", title="\nWhat every column is used as", title_justify="left")
        table.add_column("values", justify="right")
        table.add_column("missing", justify="right")
        for use in report.columns:
            cells = (use.table, use.column or repr(use.column), use.used_as, *_counts(use))
            table.add_row(*(Text(printable(cell)) for cell in cells))
        yield table


def said(value: Number) -> str:
    """A number of the evidence as text: whole numbers with commas, others with up to four digits that count."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def percent(share: float) -> str:
    """A share in per cent, with as many decimals as it takes to tell it from nothing and from all."""
    number = 100 * share
    if number in (0.0, 100.0) or 10 <= number <= 99:
        return f"{number:.0f} %"
    return f"{number:.1f} %" if number >= 1 else f"{number:.2g} %"


def _fact_lines(report: CheckReport) -> list[str]:
    facts = [f"{name.replace('_', ' ')} {said(value)}" for name, value in report.facts.items()]
    return textwrap.wrap("; ".join(facts), WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _paragraphs(finding: Finding) -> list[str]:
    numbers = "; ".join(f"{name.replace('_', ' ')} {said(value)}" for name, value in finding.evidence.items())
    lines = [finding.detail, f"Evidence: {numbers}" if numbers else ""]
    lines.append(f"Columns: {', '.join(finding.columns)}" if finding.columns else "")
    lines.append(f"Examples: {'; '.join(finding.examples)}" if finding.examples else "")
    lines.append(f"Fix: {finding.fix}.")
    return [line for line in lines if line]


def _finding_lines(finding: Finding) -> list[str]:
    head = f"{finding.severity.value.upper()}  {finding.title}  [{finding.id}]"
    lines = textwrap.wrap(printable(head), WIDTH, subsequent_indent="    ")
    for text in _paragraphs(finding):
        lines += textwrap.wrap(
            printable(text), WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
        )
    return lines


def _use_line(use: ColumnUse) -> str:
    values, missing = _counts(use)
    counted = "".join(f", {text} {what}" for text, what in ((values, "values"), (missing, "missing")) if text)
    return printable(f"{use.table}.{use.column or repr(use.column)}: {use.used_as}{counted}")


def _counts(use: ColumnUse) -> tuple[str, str]:
    values = "" if use.values is None else f"{use.values:,}"
    return values, "" if use.missing is None else percent(use.missing)
