"""Delimited text: which separator it has, its header, and rows that do not fit it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Literal, get_args

import polars as pl

from attrformer.data.column_names import HEADLESS, without_header
from attrformer.data.table_paths import SEPARATORS
from attrformer.errors import DataError

_OTHERS: Final = {"\t": "tabs", ";": "semicolons", "|": "|", ",": "commas", " ": "blanks"}
_HEADER: Final = 1 << 20
# The line by which Excel is told the separator, and values in quotes.
_TOLD: Final = re.compile(r"^sep=([,;|\t])\r?\n")
_QUOTED: Final = re.compile(r'"[^"]*"')
_LOOKED_AT: Final = 50
"""Rows that have to have as many fields as the header for a separator that the ending of a file does not say."""


Delimiter = Literal["comma", "semicolon", "tab", "pipe"]
"""What stands between two values of a text file."""

Decimal = Literal["point", "comma"]
"""What stands before the fraction of a number in a text file."""

DECIMALS: Final[tuple[str, ...]] = get_args(Decimal)
_SIGNS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


@dataclass(frozen=True, slots=True)
class TextForm:
    """How text files are written.

    Args:
        encoding: of the text.
        delimiter: between two values; None: as the file tells. Files without it in the header tell it themselves.
        decimal: before the fraction of a number; None: as all values of a column tell.
        texts: columns whose commas are no decimal ones, as they are named in the file.
        header: the names of the columns where the file begins with its first row; empty where it says them itself.
    """

    encoding: str = "utf-8"
    delimiter: str | None = None
    decimal: str | None = None
    texts: frozenset[str] = frozenset()
    header: tuple[str, ...] = ()


DELIMITERS: Final = tuple(_SIGNS)
PLAIN: Final = TextForm()
"""A file that tells everything itself."""


def separator_of(path: Path, data: bytes, ending: str, form: TextForm = PLAIN) -> str:
    """What stands between two values of a text file.

    That is what its ending says, or another sign where the header holds no other and the rows have as many fields.

    Args:
        path: of the file, for errors.
        data: the text, or its beginning up to the end of a row.
        ending: ".csv" or ".tsv".
        form: what is known of it.

    Raises:
        DataError: the header holds other separators alone, and it is not clear which of them counts.
    """
    given = SEPARATORS[ending]
    try:
        text = data[:_HEADER].decode(form.encoding, "replace").removeprefix("\ufeff").lstrip("\r\n")
    except (LookupError, UnicodeError):
        # The error of the reader says more.
        return given
    if (told := _TOLD.match(text)) is not None:
        return told[1]
    header = next((line for line in text.splitlines() if line.strip()), "")
    outside = _QUOTED.sub("", header)
    if form.delimiter is not None and _SIGNS[form.delimiter] in outside:
        return _SIGNS[form.delimiter]
    if form.header:
        fitting = [sign for sign in _SIGNS.values() if _width(header, sign) == len(form.header)]
        if len(fitting) == 1:
            return fitting[0]
    if given in outside:
        return given
    if header.startswith(("#", "//")):
        raise DataError(
            f"the first line is a comment ('{header[:40]}')",
            fix="Remove the lines before the header",
            source=str(path),
        )
    found = [sign for sign in _OTHERS if sign in outside and sign != given]
    clear = [sign for sign in found if sign != " " and _fits(text, sign)]
    if len(clear) == 1 and set(found) <= {clear[0], " "}:
        return clear[0]
    if found:
        named = " or ".join(_OTHERS[sign] for sign in found)
        raise DataError(
            f"its columns are separated by {named}",
            fix="Say which sign counts: --delimiter semicolon (or comma, tab, pipe; in Python delimiter='semicolon'), "
            "or write a .csv with commas, or a .tsv with tabs",
            source=str(path),
        )
    return given


def _width(line: str, sign: str) -> int:
    """How many values a row has; 0 where it cannot be read."""
    try:
        return len(next(csv.reader([line], delimiter=sign), []))
    except csv.Error:
        return 0


def header_line(path: Path, data: bytes, sign: str, form: TextForm) -> str:
    """The line that a file without a header lacks; empty where it has one.

    Args:
        path: of the file, for errors.
        data: the text, or its beginning up to the end of a row.
        sign: between two of its values.
        form: what is known of it.

    Raises:
        DataError: the first row cannot be read, or has another number of values.
    """
    if not form.header:
        return ""
    text = data[:_HEADER].decode(form.encoding, "replace").removeprefix("\ufeff")
    try:
        first = next(filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=sign)), [])
    except csv.Error as error:
        raise DataError(
            f"its first row cannot be read ({error})", fix="Close the quotes, or write '\"\"' for one", source=str(path)
        ) from error
    if len(first) != len(form.header):
        raise DataError(
            f"its first row has {len(first)} values ({_OTHERS[sign]} between them), and --headers names "
            f"{len(form.header)} columns",
            fix="Name every column, in order, or say with --delimiter what stands between the values",
            source=str(path),
        )
    line = io.StringIO()
    csv.writer(line, delimiter=sign, lineterminator="\n").writerow(form.header)
    return line.getvalue()


def _fits(text: str, sign: str) -> bool:
    """Whether rows have as many fields as the header where a sign is between them."""
    rows = filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=sign))
    try:
        found = list(islice(rows, _LOOKED_AT))
    except csv.Error:
        return False
    # The last one may be cut off.
    whole = found if len(found) == _LOOKED_AT or len(text) < _HEADER // 4 else found[:-1]
    return len({len(row) for row in whole}) == 1 and len(whole[0]) > 1


def read_texts(path: Path, data: bytes, separator: str, encoding: str, header: str = "") -> pl.DataFrame:
    """The table that delimited text holds, every value as it stands there.

    Args:
        path: of the file, for errors.
        data: the text, or the header and a part of it.
        separator: between two values.
        encoding: of the text.
        header: the line that the text lacks, where it has no header.

    Raises:
        DataError: it is no such table.
    """
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _encoding_error(str(path), data, separator, error) from error
    except (LookupError, UnicodeError) as error:
        # Some of Python's encodings are of names of hosts, not of text.
        raise DataError(
            f"the encoding '{encoding}' is not known", fix="Use a name such as 'utf-8' or 'latin-1'", source=str(path)
        ) from error
    text = header + _TOLD.sub("", text, count=1)
    if "\n" not in text:
        # As spreadsheets of the first Macintoshes ended lines, and still offer to.
        text = text.replace("\r", "\n")
    try:
        raw = pl.read_csv(text.encode(), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError:
        _refuse_ragged(text, separator, str(path))
        raise
    return _without_blank_lines(raw.rename(_headings(raw.columns, text, separator, str(path))))


def _headings(given: Collection[str], text: str, separator: str, source: str) -> dict[str, str]:
    """New names of columns: without blanks around them, and blank where polars numbered repeated blank ones.

    Raises:
        DataError: two columns have one name.
    """
    words = [word.strip() for word in next(csv.reader(io.StringIO(text[:_HEADER]), delimiter=separator), [])]
    if len(words) != len(given):
        return {}
    blank, names = 0, dict[str, str]()
    for old, new in zip(given, words, strict=True):
        if new and new in names.values():
            values = without_header(words)
            fix = HEADLESS if values else "Rename one"
            raise DataError(f"the column stands twice in the header{values}", fix=fix, source=source, column=new)
        # Columns without a name need different ones all the same; they are left out later.
        names[old] = new or f"{'' if not blank else f'Unnamed: {blank}'}"
        blank += not new
    return {old: new for old, new in names.items() if old != new}


def _refuse_ragged(text: str, separator: str, source: str) -> None:
    """Names the first row that has more fields than the header, if that is what went wrong.

    Raises:
        DataError: there is one.
    """
    rows = filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    width = len(next(rows, []))
    for number, row in enumerate(rows):
        if len(row) > width:
            raise DataError(
                f"it has {len(row)} fields and the header {width}",
                fix="Put quotes around values that hold the separator, and give every column a name",
                source=source,
                row=number,
            )


def _without_blank_lines(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows that hold anything."""
    first = frame.to_series(0)
    if not first.null_count():
        return frame
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def _encoding_error(source: str, data: bytes, separator: str, error: UnicodeDecodeError) -> DataError:
    line = data.count(b"\n", 0, error.start)
    line_start = data.rfind(b"\n", 0, error.start) + 1
    header = data.split(b"\n", 1)[0].decode(error.encoding, errors="replace").strip().split(separator)
    field = data[line_start : error.start].count(separator.encode())
    return DataError(
        f"the text is not {error.encoding.upper()}",
        fix="Save the file as UTF-8 (iconv -f latin1 -t utf-8), or name its encoding: --encoding latin-1",
        source=source,
        column=header[field].strip('"') if line and field < len(header) else None,
        row=line - 1 if line else None,
    )
