"""What a raw format is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from attrformer.data.formats.files import RawFiles
from attrformer.data.formats.tables import Tables


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


class RawFormat:
    """A layout of raw files that `prepare` turns into a dataset folder.

    Derive from it, set `name`, `title` and `signs`, and write `read`. Names are small letters, digits and hyphens.

    Attributes:
        name: what it is called, also in `attrformer prepare --format`.
        title: what it reads, in a few words for the help.
        signs: shell patterns of file names that give the format away; any of them is enough, so that a missing
            companion is named instead of the whole format denied.
        variant_of: name of a format with the same file names, in whose place this one is meant where it recognises
            the files.
        last: whether it is asked only where no other format recognises the files, since it looks into them.
        sources: public data sets in this format that `attrformer download` fetches.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    signs: ClassVar[tuple[str, ...]] = ()
    variant_of: ClassVar[str | None] = None
    last: ClassVar[bool] = False
    sources: ClassVar[tuple[Source, ...]] = ()

    def recognises(self, files: RawFiles) -> bool:
        """Whether these files look like this format; by default, whether one of the signs is there.

        Args:
            files: of the data set.
        """
        return bool(self.signs) and files.shows(*self.signs)

    def read(self, files: RawFiles) -> Tables:
        """The tables of a data set, in the canonical column names.

        Args:
            files: of the data set.

        Raises:
            DataError: a file is missing, or a line cannot be read.
        """
        raise NotImplementedError

    def __str__(self) -> str:
        """The name."""
        return self.name

    def __repr__(self) -> str:
        return f"<raw format {self.name}>"
