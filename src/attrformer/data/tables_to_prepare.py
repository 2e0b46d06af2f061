"""What is to be prepared, and how."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from attrformer.data.folder import find_tables, folder_tables, read_description
from attrformer.data.options import INTERACTIONS, TableOptions
from attrformer.data.prepared.folder import is_prepared
from attrformer.data.prepared.names import FORMAT
from attrformer.data.prepared.parts import Source, cut_table, files_of, whole_table
from attrformer.data.table_paths import SEPARATORS, form_of, unpacked_ending
from attrformer.data.vector_tables import VECTOR_FOLDERS
from attrformer.errors import DataError, require

MEMORY: Final = 1 << 30
"""Bytes for the rows that are looked at together."""

WORKERS: Final = min(4, os.cpu_count() or 1)
"""Threads that run tasks, each on a part of its own."""

_BYTES_OF_ROW: Final = 500
"""Memory for a row of the part that is being read."""

_BYTES_SORTED: Final = 200
"""Memory for a row of the range of users that is being sorted."""

_BYTES_CODED: Final = 64
"""Memory for a row of parts that are coded together."""

_MOST_OF_TEXT: Final = 1 << 18
_MOST_ROWS: Final = 1 << 20
"""Rows that are looked at together, whatever the memory: more of them do not stay in the caches of the processor."""

_LEAST_ROWS: Final = 50_000
_LEAST_TASKS: Final = 16
"""Tasks of a step, as far as there are parts."""

_UNFOLDED: Final = 12
"""Memory for a byte of a file that is read as a whole."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be prepared, and how; arguments as of `prepare_tables`.

    Raises:
        ConfigurationError: `memory` or `part_rows` is below 1.
    """

    folder: Path
    options: TableOptions
    memory: int
    part_rows: int | None

    def __post_init__(self) -> None:
        require(self.memory >= 1, "memory", self.memory, "1 or more bytes")
        require(self.part_rows is None or self.part_rows >= 1, "part_rows", self.part_rows, "1 or more, or None")

    @property
    def table(self) -> Path:
        """The file, or folder of files, of the interactions."""
        files, _ = find_tables(self.folder)
        if INTERACTIONS not in files and is_prepared(self.folder):
            raise DataError(
                "its interactions are prepared already",
                fix="Give the folder that it was made of, or pass this one to --data",
                source=str(self.folder),
            )
        if INTERACTIONS not in files:
            # Says what is missing.
            folder_tables(self.folder, TableOptions(), names=())
        return files[INTERACTIONS]

    @property
    def text(self) -> bool:
        """Whether the table is a text file."""
        ending = form_of(self.table, files_of(self.table) if self.table.is_dir() else ()) or ""
        return unpacked_ending(ending) in SEPARATORS

    @property
    def rows(self) -> int:
        """Rows of a part."""
        most = _MOST_OF_TEXT if self.text else _MOST_ROWS
        return self.part_rows or self._rows_within(_BYTES_OF_ROW, most)

    @property
    def rows_of_range(self) -> int:
        """Rows of a range of users."""
        return self.part_rows or self._rows_within(_BYTES_SORTED, _MOST_ROWS)

    def parts_together(self, parts: int) -> int:
        """How many parts, of that many, one task reads or codes."""
        return max(1, min(parts // _LEAST_TASKS, self._rows_within(_BYTES_CODED, self.memory) // self.rows))

    def _rows_within(self, size: int, most: int) -> int:
        return max(_LEAST_ROWS, min(most, self.memory // (size * WORKERS)))

    @property
    def needed(self) -> int:
        """About the bytes of memory that the table takes as a whole."""
        return _UNFOLDED * sum(file.stat().st_size for file in files_of(self.table))

    def cut(self) -> Source:
        """The table in parts.

        Raises:
            DataError: it can only be read as a whole, and is too large for that.
        """
        source = cut_table(self.table, self.rows, self.options.form_of(INTERACTIONS))
        if source is not None:
            return source
        if self.needed > self.memory:
            raise DataError(
                f"such a file is read as a whole, which takes about {self.needed >> 20:,} MB of memory, and "
                f"{self.memory >> 20:,} are allowed",
                fix="Write it as parquet or csv, or allow more (--memory)",
                source=str(self.table),
            )
        return whole_table(self.table, self.options.form_of(INTERACTIONS))

    def copied(self) -> list[Path]:
        """What else of the folder is read."""
        files, _ = find_tables(self.folder)
        others = [file for name, file in files.items() if name != INTERACTIONS]
        vectors = [self.folder / name for name in VECTOR_FOLDERS]
        return [*others, *(place for place in vectors if place.is_dir())]

    def _name(self, file: Path) -> str:
        """The name of a file, with the folders of partitions that it lies in."""
        return file.relative_to(self.table).as_posix() if self.table in file.parents else file.name

    def key(self) -> dict[str, Any]:
        """What the result depends on, as plain values."""
        inside = [
            file for place in self.copied() for file in ([place] if place.is_file() else sorted(place.rglob("*")))
        ]
        files = [*files_of(self.table), *inside]
        stats = [(self._name(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        options = {key: str(value) for key, value in sorted(self.options.kinds.items())}
        return {
            "format": FORMAT,
            "files": [{"name": name, "bytes": size, "modified": time} for name, size, time in stats],
            "columns": dict(self.options.columns),
            "kinds": options,
            "separators": dict(self.options.separators),
            "catalogue": self.options.catalogue,
            "duplicates": self.options.duplicates,
            "encoding": self.options.encoding,
            **self.options.told,
            # Its name and notes are copied.
            "description": read_description(self.folder),
        }
