"""A report as text: for a terminal by rich, or plain."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrformer.data.check.findings import ColumnUse, Finding, Number, printable

WIDTH: Final = 100
_STYLES: Final = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


def as_text(
    headline: str, facts: Mapping[str, Number], findings: Sequence[Finding], columns: Sequence[ColumnUse]
) -> str:
    """The whole report as plain text, lines of at most about a hundred characters.

    Args:
        headline: how many findings there are.
        facts: sizes and other figures, by name.
        findings: in the order in which they are shown.
        columns: what every column is used as.
    """
    blocks = ["\n".join([headline, *_fact_lines(facts)])]
    blocks += ["\n".join(_finding_lines(finding)) for finding in findings]
    if columns:
        blocks.append("\n".join(["Columns", *(f"  {_use_line(use)}" for use in columns)]))
    return "\n\n".join(blocks)


def renderables(
    headline: str, facts: Mapping[str, Number], findings: Sequence[Finding], columns: Sequence[ColumnUse]
) -> Iterator[Any]:
    """The whole report as things that rich can print.

    Args:
        headline: how many findings there are.
        facts: sizes and other figures, by name.
        findings: in the order in which they are shown.
        columns: what every column is used as.
    """
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    yield Text(headline, style="bold")
    for line in _fact_lines(facts):
        yield Text(line, style="dim")
    for finding in findings:
        severity = finding.severity.value
        yield Text.assemble(
            "\n", (severity.upper(), _STYLES[severity]), f"  {printable(finding.title)}  ", (finding.id, "dim")
        )
        for text in _paragraphs(finding):
            yield Padding(Text(printable(text)), (0, 0, 0, 4), expand=False)
    if columns:
        table = Table("table", "column", "used as", title="\nWhat every column is used as", title_justify="left")
        table.add_column("values", justify="right")
        table.add_column("missing", justify="right")
        for use in columns:
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


def _fact_lines(facts: Mapping[str, Number]) -> list[str]:
    told = [f"{name.replace('_', ' ')} {said(value)}" for name, value in facts.items()]
    return textwrap.wrap("; ".join(told), WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


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
