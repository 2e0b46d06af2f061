"""What is in files, whatever they are called: packed text, and files of another form than their name says."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Final

import polars as pl

from attrformer.data.table_paths import ARROW, PARQUET, ending_of, unpacked_ending
from attrformer.errors import DataError

_BEHIND: Final = "Give its name the ending {0} behind the one it has, or unpack it"
_RENAME: Final = "Give its name the ending {0}"
_EXPORT: Final = "Save the table as .csv (UTF-8) or .parquet"
_UTF16: Final = "Save it as UTF-8, or name its encoding: --encoding utf-16 (in Python encoding='utf-16')"
ARROW_STREAM: Final = b"\xff\xff\xff\xff"
"""How an Arrow file begins that is a stream."""

_SIGNS: Final = (
    (b"\x1f\x8b", "packed by gzip", _BEHIND.format(".gz"), ".gz"),
    (
        b"\x28\xb5\x2f\xfd",
        "packed by zstd",
        _BEHIND.format(".zst"),
        ".zst",
    ),
    (b"BZh", "packed by bzip2", "Unpack it, or pack it by gzip", ""),
    (b"\xfd7zXZ\x00", "packed by xz", "Unpack it, or pack it by gzip", ""),
    (b"PAR1", "a parquet file", _RENAME.format(PARQUET[0]), PARQUET),
    (b"ARROW1", "an Arrow file", _RENAME.format(ARROW[0]), ARROW),
    (ARROW_STREAM, "a stream of Arrow", _RENAME.format(ARROW[0]), ARROW),
    (b"PK\x03\x04", "a zip archive, as workbooks of Excel are", f"Unpack it. {_EXPORT}", ""),
    (b"\xd0\xcf\x11\xe0", "a workbook of Excel", _EXPORT, ""),
    (b"SQLite format 3\x00", "a database of SQLite", "Export the table as .csv or .parquet", ""),
    (b"Obj\x01", "an Avro file", "Write it as .parquet", ""),
    (b"ORC", "an ORC file", "Write it as .parquet", ""),
    (b"<!DOCTYPE", "a page of HTML, such as a download leaves that was refused", "Get the file again", ""),
    (b"<html", "a page of HTML, such as a download leaves that was refused", "Get the file again", ""),
    (b"<?xml", "XML", _EXPORT, ""),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "Fetch it (git lfs pull)", ""),
    (b"\xff\xfe", "text in UTF-16", _UTF16, ""),
    (b"\xfe\xff", "text in UTF-16", _UTF16, ""),
)
_LONGEST: Final = max(len(sign[0]) for sign in _SIGNS)


def check_content(path: Path, *, text: bool = False) -> None:
    """Refuses a file that begins as one of another form does.

    Args:
        path: a file with one of the known endings.
        text: whether its text may be in UTF-16.

    Raises:
        DataError: it is a file of another form.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_LONGEST)
    ending = ending_of(path) or ""
    for sign, what, fix, own in _SIGNS:
        if head.startswith(sign):
            # Text may begin with the letters of a sign.
            if (own and ending.endswith(own)) or ("UTF-16" in what and text) or (sign.isalnum() and _is_text(path)):
                return
            raise DataError(f"it is {what}, and its name ends in {ending}", fix=fix, source=str(path))
    for known, form in ((PARQUET, "parquet"), (ARROW, "Arrow"), ((".gz",), "gzip"), ((".zst",), "zstd")):
        if ending.endswith(known) and head and head.decode("utf-8", "replace").isprintable():
            raise DataError(
                f"it is no {form} file (it begins with {head[:12].decode('utf-8', 'replace')!r})",
                fix="Write it again, or give its name the ending of what it is, such as .csv",
                source=str(path),
            )


def is_stream(path: Path) -> bool:
    """Whether an Arrow file is a stream, which is read as a whole."""
    with path.open("rb") as file:
        return file.read(len(ARROW_STREAM)) == ARROW_STREAM


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\x00" not in file.read(1 << 12)


def text_of(path: Path, ending: str, encoding: str = "utf-8") -> bytes:
    """The text in a file, unpacked where its ending says that it is packed.

    Args:
        path: the file.
        ending: one of `ENDINGS`.
        encoding: of the text.

    Raises:
        DataError: it is packed by zstd, and not in UTF-8.
        polars.exceptions.PolarsError: it is packed by zstd, and damaged.
        OSError: it cannot be read.
    """
    if ending == unpacked_ending(ending):
        return path.read_bytes()
    if ending.endswith(".gz"):
        return gzip.decompress(path.read_bytes())
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8", "ascii"):
        raise DataError(
            f"a file that is packed by zstd is read as UTF-8, not as {encoding}",
            fix="Unpack it, or pack it by gzip",
            source=str(path),
        )
    # Polars unpacks tables alone: one column of lines, whatever stands in them.
    try:
        lines = pl.read_csv(
            path,
            glob=False,
            has_header=False,
            separator="\x01",
            quote_char=None,
            infer_schema=False,
            new_columns=["line"],
        )
    except pl.exceptions.NoDataError:
        return b""
    return ("\n".join(lines["line"].fill_null("")) + "\n").encode()
