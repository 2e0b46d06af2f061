"""Where the raw files of a public data set can be fetched, and under which terms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a data set.

    Args:
        name: its name at the source and in the folder.
        md5: its published checksum, or None where none is published.
    """

    name: str
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A data set that can be fetched by name.

    Args:
        name: what the user calls it.
        title: what it is.
        files: what it consists of.
        base_url: the address that file names are appended to.
        terms: the licence in short words, to be shown before anything is fetched.
        terms_url: where the full terms stand.
    """

    name: str
    title: str
    files: tuple[SourceFile, ...]
    base_url: str
    terms: str
    terms_url: str

    def location(self, folder: Path) -> Path:
        """What to give to `prepare`: the one file, or the folder of this data set's own where it has several."""
        return folder / self.files[0].name if len(self.files) == 1 else folder / self.name
