"""Findings about files of the dataset folder that are not read."""

from __future__ import annotations

from collections.abc import Iterator

from attrformer.data.check.findings import Finding, Severity
from attrformer.data.check.subject import Subject
from attrformer.data.unread_files import UNREAD


def unread(subject: Subject) -> Iterator[Finding]:
    """Files that seem to hold a table and have no name of one."""
    notes = [note for note in subject.dataset.notes if UNREAD in note]
    if not notes:
        return
    names = [note.partition(UNREAD)[0].partition(": ")[2] for note in notes]
    more = f" and {len(names) - 1:,} more are" if names[1:] else " is"
    yield Finding(
        "unread-files",
        Severity.WARNING,
        f"{names[0]}{more} not read",
        "Rename what belongs to the data, and move the rest elsewhere",
        detail=f"{notes[0].partition(UNREAD)[2].capitalize()}. What is in other files is in no figure.",
        evidence={"files": len(names)},
        examples=tuple(names[:3]),
    )
