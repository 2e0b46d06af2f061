"""A table of interactions in parts that are read one at a time."""

from __future__ import annotations

import codecs
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.packed_files import check_content, is_stream
from attrformer.data.prepared.text_cuts import BLOCK, cuts_of_text, keeps_ascii
from attrformer.data.table_files import reading
from attrformer.data.table_paths import ARROW, PARQUET, SEPARATORS, ending_of, form_of, partitions_of, parts_of
from attrformer.data.text_columns import typed_column
from attrformer.data.text_tables import PLAIN, TextForm, header_line, read_texts, separator_of

_TYPES: Final[dict[str, Any]] = {str(kind): kind for kind in (pl.Int64, pl.Float64, pl.Boolean, pl.String)}
_BYTES_OF_ROW: Final = 32
"""About the bytes of a row of text, by which rows of a part become bytes."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a table.

    Args:
        file: where it lies.
        start: the first of its rows in the file, or the first of its bytes where that is a text file.
        stop: the row, or byte, after its last one.
        values: what the names of its folders say, by the columns of `Source.partitions`.
    """

    file: str
    start: int
    stop: int
    values: tuple[int | float | str | bool | None, ...] = ()


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
        partitions: columns that the names of folders stand for, each with the name of its type.
    """

    path: str
    parts: tuple[Part, ...]
    separator: str = ""
    encoding: str = "utf-8"
    header: str = ""
    whole: bool = False
    partitions: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> bool:
        """Whether values are texts that may stand for numbers."""
        return bool(self.separator)


def files_of(path: Path) -> list[Path]:
    """The files of a table, in order."""
    return parts_of(path) or [path]


def cut_table(path: Path, rows: int, form: TextForm = PLAIN) -> Source | None:
    """Cuts a table into parts.

    Args:
        path: a parquet, Arrow, csv or tsv file, or a folder of parquet, csv or tsv files.
        rows: of a part, about.
        form: of a text file.

    Returns:
        None where the table can only be read as a whole.

    Raises:
        DataError: the file cannot be read.
    """
    files = files_of(path)
    ending = form_of(path, files if path.is_dir() else ())
    if ending in SEPARATORS:
        return _cut_text(path, files, ending, rows * _BYTES_OF_ROW, form) if keeps_ascii(form.encoding) else None
    if ending not in (*PARQUET, *ARROW) or (ending in ARROW and path.is_dir()):
        return None
    with reading(path):
        for file in files:
            check_content(file)
        if any(map(_has_named_range if ending in PARQUET else is_stream, files)):
            return None
        partitions, values = _partitions(path, files, list(_scan(str(files[0])).collect_schema()), typed=True)
        cut = []
        for file, own in zip(files, values, strict=True):
            count = int(_scan(str(file)).select(pl.len()).collect().item())
            cut += [Part(str(file), first, min(first + rows, count), own) for first in range(0, max(count, 1), rows)]
    return Source(str(path), tuple(cut), partitions=partitions)


def _cut_text(path: Path, files: list[Path], ending: str, size: int, form: TextForm) -> Source | None:
    """Text files in parts; None where they differ in headers or separators, or names do not fit their encoding."""
    header, separator, cut = b"", "", []
    with reading(path):
        for number, file in enumerate(files):
            check_content(file)
            start, ends = cuts_of_text(file, size, headed=not form.header)
            with file.open("rb") as opened:
                head = opened.read(max(start, BLOCK))
            sign = separator_of(file, head, ending, form)
            try:
                line = header_line(file, head, sign, form).encode(form.encoding)
            except UnicodeEncodeError:
                return None
            found = line or head[:start], sign
            if not number:
                header, separator = found
            elif found != (header, separator):
                return None
            places = zip([start, *ends[:-1]], ends, strict=True) if ends else iter([(start, start)])
            cut.append([Part(str(file), first, last) for first, last in places])
        names = read_texts(path, header, separator, form.encoding).columns if path.is_dir() else []
        partitions, values = _partitions(path, files, names, typed=False)
    parts = tuple(replace(part, values=own) for each, own in zip(cut, values, strict=True) for part in each)
    return Source(str(path), parts, separator, form.encoding, header.decode("latin-1"), partitions=partitions)


def _partitions(
    path: Path, files: list[Path], names: list[str], *, typed: bool
) -> tuple[tuple[tuple[str, str], ...], list[tuple[int | float | str | bool | None, ...]]]:
    """The columns that folders stand for with their types, and their values for each file."""
    if not path.is_dir():
        return (), [()] * len(files)
    found = [values for values in partitions_of(path, files) if values.name not in names]
    table = pl.DataFrame([typed_column(values)[0] if typed else values for values in found])
    kinds = tuple((name, str(kind)) for name, kind in table.schema.items())
    return kinds, table.rows() if kinds else [()] * len(files)


def whole_table(path: Path, form: TextForm = PLAIN) -> Source:
    """A table as one part."""
    return Source(str(path), (Part(str(path), 0, -1),), encoding=form.encoding, whole=True)


def names_in(source: Source) -> list[str]:
    """The columns of a table that is no text file."""
    return [*_schema(source), *(name for name, _ in source.partitions)]


def texts_in(source: Source) -> list[str]:
    """The columns of a table that is no text file which hold texts, or mappings that may."""
    kinds = (pl.String, pl.Categorical, pl.Enum, pl.Struct)
    return [name for name, kind in _schema(source).items() if isinstance(kind, kinds)]


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
    with reading(Path(part.file)):
        if source.text:
            with Path(part.file).open("rb") as file:
                file.seek(part.start)
                rows = file.read(part.stop - part.start)
            found = _with_plain_numbers(source, rows, numbers)
            if found is None:
                whole = source.header.encode("latin-1") + rows
                found = read_texts(Path(source.path), whole, source.separator, source.encoding)
        else:
            wanted = _scan(part.file) if part.file == source.parts[0].file else _scan(part.file, _schema(source))
            found = wanted.slice(part.start, part.stop - part.start).collect(engine="streaming")
    named = zip(source.partitions, part.values, strict=True)
    return found.with_columns(pl.lit(value, _TYPES[kind]).alias(name) for (name, kind), value in named)


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
        return pl.scan_parquet(file, glob=False, hive_partitioning=False)
    return pl.scan_parquet(file, glob=False, hive_partitioning=False, schema=dict(schema), missing_columns="insert")


def _has_named_range(file: Path) -> bool:
    """Whether pandas wrote a column that is in the metadata alone; such a file is read as a whole."""
    try:
        levels = json.loads(pl.read_parquet_metadata(file).get("pandas") or "{}").get("index_columns", [])
        return any(isinstance(level, dict) and level.get("name") for level in levels)
    except (ValueError, AttributeError):
        return False
