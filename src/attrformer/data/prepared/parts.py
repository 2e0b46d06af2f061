"""A table of interactions in parts that are read one at a time."""

from __future__ import annotations

import codecs
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.table_files import ARROW, PARQUET, SEPARATORS, ending_of, parts_of, read_texts
from attrformer.errors import DataError

_BLOCK: Final = 1 << 20
_BYTES_OF_ROW: Final = 32
"""About the bytes of a row of text, by which rows of a part become bytes."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a table.

    Args:
        file: where it lies.
        start: the first of its rows in the file, or the first of its bytes where that is a text file.
        stop: the row, or byte, after its last one.
    """

    file: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Source:
    """A table in files.

    Args:
        path: of the file, or of the folder of files.
        parts: in order.
        separator: between two values of a text file; empty in others.
        encoding: of a text file.
        header: bytes of a text file before its first row, as latin-1.
        whole: whether the table is one part, which is read in memory like any other table.
    """

    path: str
    parts: tuple[Part, ...]
    separator: str = ""
    encoding: str = "utf-8"
    header: str = ""
    whole: bool = False

    @property
    def text(self) -> bool:
        """Whether values are texts that may stand for numbers."""
        return bool(self.separator)


def files_of(path: Path) -> list[Path]:
    """The files of a table, in order."""
    return parts_of(path) or [path]


def cut_table(path: Path, rows: int, encoding: str = "utf-8") -> Source | None:
    """Cuts a table into parts.

    Args:
        path: a parquet, Arrow, csv or tsv file, or a folder of parquet files.
        rows: of a part, about.
        encoding: of a text file.

    Returns:
        None where the table can only be read as a whole.

    Raises:
        DataError: the file cannot be read.
    """
    ending = PARQUET[0] if parts_of(path) else ending_of(path)
    if ending in SEPARATORS:
        if not _keeps_ascii(encoding):
            return None
        start, ends = _cuts_of_text(path, rows * _BYTES_OF_ROW)
        with path.open("rb") as opened:
            header = opened.read(start)
        places = zip([start, *ends[:-1]], ends, strict=True) if ends else iter([(start, start)])
        parts = tuple(Part(str(path), first, last) for first, last in places)
        return Source(str(path), parts, SEPARATORS[ending], encoding, header.decode("latin-1"))
    if ending not in (*PARQUET, *ARROW):
        return None
    cut = []
    try:
        for file in files_of(path):
            if ending in PARQUET and _has_named_range(file):
                return None
            count = int(_scan(str(file)).select(pl.len()).collect().item())
            cut += [Part(str(file), first, min(first + rows, count)) for first in range(0, max(count, 1), rows)]
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error
    return Source(str(path), tuple(cut))


def whole_table(path: Path, encoding: str = "utf-8") -> Source:
    """A table as one part."""
    return Source(str(path), (Part(str(path), 0, -1),), encoding=encoding, whole=True)


def names_in(source: Source) -> list[str]:
    """The columns of a table that is no text file."""
    return list(_schema(source))


def read_part(source: Source, part: Part, numbers: Collection[str] = ()) -> pl.DataFrame:
    """The rows of a part, as they stand in the file.

    Args:
        source: the table.
        part: one of its parts.
        numbers: columns of a text file that come as int64 where they hold nothing but whole numbers, each written in
            the one way to write it; all of them do, or all of them come as texts.

    Raises:
        DataError: the file cannot be read; rows are counted from the beginning of the part.
    """
    try:
        if source.text:
            with Path(part.file).open("rb") as file:
                file.seek(part.start)
                rows = file.read(part.stop - part.start)
            found = _with_plain_numbers(source, rows, numbers)
            if found is not None:
                return found
            return read_texts(
                Path(source.path), source.header.encode("latin-1") + rows, source.separator, source.encoding
            )
        wanted = _scan(part.file) if part.file == source.parts[0].file else _scan(part.file, _schema(source))
        return wanted.slice(part.start, part.stop - part.start).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(Path(part.file), error) from error


def _with_plain_numbers(source: Source, rows: bytes, numbers: Collection[str]) -> pl.DataFrame | None:
    """A part of a text file with whole numbers read as such, which takes a fraction of the time.

    That no number was written in another way (`007`, `+5`, between blanks or quotes) is told by the length of the text:
    every other way is longer.

    Args:
        source: the table.
        rows: of the part, without the header.
        numbers: the columns.

    Returns:
        None where some value is something else, or missing.
    """
    names = _plain_names(source)
    if not numbers or not rows.endswith(b"\n") or b"\r" in rows or not {*numbers} <= {*names}:
        return None
    kinds: dict[str, Any] = {name: pl.Int64 if name in numbers else pl.String for name in names}
    try:
        frame = pl.read_csv(rows, separator=source.separator, has_header=False, schema=kinds)
    except pl.exceptions.PolarsError:
        return None
    if any(frame.null_count().row(0)):
        return None
    written = len(frame) * len(frame.columns)
    for values in frame:
        written += _digits(values.to_numpy()) if values.dtype == pl.Int64 else int(values.str.len_bytes().sum())
    return frame if written == len(rows) else None


def _plain_names(source: Source) -> list[str]:
    """The headings of a text file; none where they are not as plain as those that programs write."""
    try:
        header = source.header.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return []
    line = header.removesuffix("\n")
    names = line.split(source.separator)
    clean = all(name and name == name.strip() for name in names) and len({*names}) == len(names)
    plain = codecs.lookup(source.encoding).name == "utf-8" and line != header and not {*line} & {*'\n\r"\ufeff'}
    return names if clean and plain else []


def _digits(numbers: NDArray[np.int64]) -> int:
    """Characters that whole numbers take all together."""
    if not len(numbers):
        return 0
    low, high = int(numbers.min()), int(numbers.max())
    if low < 0:
        return _digits(numbers[numbers >= 0]) + sum(len(str(number)) for number in numbers[numbers < 0].tolist())
    steps = (10**power for power in range(1, len(str(high))))
    return len(numbers) + sum(int(np.count_nonzero(numbers >= step)) for step in steps)


def _schema(source: Source) -> Mapping[str, Any]:
    return _scan(source.parts[0].file).collect_schema()


def _scan(file: str, schema: Mapping[str, Any] | None = None) -> pl.LazyFrame:
    if ending_of(Path(file)) in ARROW:
        return pl.scan_ipc(file)
    if schema is None:
        return pl.scan_parquet(file, glob=False)
    return pl.scan_parquet(file, glob=False, schema=dict(schema), missing_columns="insert")


def _has_named_range(file: Path) -> bool:
    """Whether pandas wrote a column that is in the metadata alone; such a file is read as a whole."""
    try:
        levels = json.loads(pl.read_parquet_metadata(file).get("pandas") or "{}").get("index_columns", [])
        return any(isinstance(level, dict) and level.get("name") for level in levels)
    except (ValueError, AttributeError):
        return False


def _keeps_ascii(encoding: str) -> bool:
    """Whether line ends and quotes of a text are bytes of their own in an encoding."""
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        # The error of the reader says more.
        return False
    return name in ("utf-8", "ascii", "cp1252") or name.startswith("iso8859")


def _cuts_of_text(path: Path, size: int) -> tuple[int, list[int]]:
    """Where the header of a text file ends, and where parts of about a size end, each behind a whole row.

    The first part is a small one, since it is looked at before the others.
    """
    with path.open("rb") as file:
        start = _end_of_header(file)
        file.seek(start)
        ends, last = list[int](), start
        for end in _row_ends(file, min(size, _BLOCK)):
            if not ends or end - last >= size:
                ends.append(end)
                last = end
        total = file.seek(0, 2)
    if total > last:
        ends.append(total)
    return start, ends


def _end_of_header(file: BinaryIO) -> int:
    """The byte behind the header, and behind blank lines and the line `sep=,` before it."""
    end, quotes = 0, 0
    while line := file.readline():
        end += len(line)
        quotes += line.count(b'"')
        bare = line.removeprefix(codecs.BOM_UTF8).strip()
        if quotes % 2 == 0 and bare and not bare.startswith(b"sep="):
            break
    return end


def _row_ends(file: BinaryIO, size: int) -> Iterator[int]:
    """The last end of a row in each block of a file from where it is: line ends between quotes belong to a value."""
    quotes, place, block = 0, file.tell(), bytearray(size)
    while length := file.readinto(block):  # type: ignore[attr-defined]
        stop = length
        after = quotes + block.count(b'"', 0, stop)
        odd = after
        while (found := block.rfind(b"\n", 0, stop)) >= 0:
            odd -= block.count(b'"', found, stop)
            if odd % 2 == 0:
                yield place + found + 1
                break
            stop = found
        quotes, place = after, place + length


def _unreadable(path: Path, error: Exception) -> DataError:
    problem = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return DataError(f"it cannot be read ({problem})", fix="Write the file again or repair it", source=str(path))
