"""What a check of data found, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from attrformer.data.check.findings import ColumnUse, Finding, Number, Severity, printable
from attrformer.data.check.text import as_text, renderables
from attrformer.data.unread_files import UNREAD

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

MOST_COLUMNS: Final = 20
LONGEST_REASON: Final = 60


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The result of a check.

    Args:
        dataset: the name of the data.
        facts: sizes and other figures, by name.
        columns: what every column is used as.
        findings: errors first, then warnings, then notes.
        notes: what was inferred and left out when the tables were read.
    """

    dataset: str
    facts: Mapping[str, Number]
    columns: tuple[ColumnUse, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    def of(self, severity: Severity | str) -> tuple[Finding, ...]:
        """The findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity is Severity(severity))

    def from_on(self, severity: Severity | str) -> tuple[Finding, ...]:
        """The findings that matter at least as much as a severity."""
        return tuple(finding for finding in self.findings if finding.severity.rank <= Severity(severity).rank)

    def find(self, id: str) -> Finding | None:
        """The first finding of that id; None where there is none."""
        return next((finding for finding in self.findings if finding.id == id), None)

    @property
    def headline(self) -> str:
        """How many findings of each severity, in words."""
        counts = [(len(self.of(severity)), severity.value) for severity in Severity]
        said = [f"{count:,} {word}{'' if count == 1 else 's'}" for count, word in counts]
        return f"{self.dataset}: {', '.join(said)}"

    def to_json(self) -> dict[str, Any]:
        """The report as plain values, for JSON."""
        return {
            "dataset": self.dataset,
            "counts": {severity.value: len(self.of(severity)) for severity in Severity},
            "facts": dict(self.facts),
            "findings": [finding.to_json() for finding in self.findings],
            "columns": [asdict(use) for use in self.columns],
            "notes": list(self.notes),
        }

    def short(self, lines: int = 15) -> list[str]:
        """A few lines for a log: the columns by table, then errors, warnings, and what was noted on the way.

        Args:
            lines: the most lines.
        """
        told = [self._uses_of(table) for table in dict.fromkeys(use.table for use in self.columns)]
        serious = [f"{found.severity.value.capitalize()}: {found.title}." for found in self.from_on(Severity.WARNING)]
        # What a note says of a column stands in the lines about columns.
        # So do files that are not read among the warnings.
        noted = [f"Note: {note}." for note in self.notes if ": column '" not in note and UNREAD not in note]
        kept = (serious + noted)[: max(lines - len(told) - 1, 0)]
        left = len(self.findings) + len(noted) - len(kept)
        more = f"{left:,} more findings and notes, and what to do" if left else "What to do about them"
        said = [*told, *kept, more] if self.findings or noted else [*told, "Nothing suspicious was found"]
        return [printable(line) for line in said]

    def _uses_of(self, table: str) -> str:
        said = [f"{use.column or repr(use.column)} {_briefly(use)}" for use in self.columns if use.table == table]
        more = [f"{len(said) - MOST_COLUMNS:,} more"] if len(said) > MOST_COLUMNS else []
        return f"{table}: {'; '.join(said[:MOST_COLUMNS] + more)}"

    def __str__(self) -> str:
        """The whole report as plain text."""
        return as_text(self.headline, self.facts, self.findings, self.columns)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The whole report for a terminal."""
        yield from renderables(self.headline, self.facts, self.findings, self.columns)


def _briefly(use: ColumnUse) -> str:
    if use.used_as.startswith("not used"):
        reason = use.used_as.partition(", ")[2].partition(" (")[0]
        short = reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON].rstrip()}..."
        return f"not used ({short})" if short else "not used"
    kind = use.used_as.rpartition("attribute, ")[2]
    if kind == use.used_as or use.values is None:
        return kind.partition(", ")[0]
    return f"{kind} ({use.values:,} values)"
