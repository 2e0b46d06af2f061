"""Where text files are cut into parts: behind whole rows."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

BLOCK: Final = 1 << 20
"""Bytes that are looked at together."""


def keeps_ascii(encoding: str) -> bool:
    """Whether line ends and quotes of a text are bytes of their own in an encoding."""
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        # The error of the reader says more.
        return False
    return name in ("utf-8", "ascii", "cp1252") or name.startswith("iso8859")


def cuts_of_text(path: Path, size: int, *, headed: bool = True) -> tuple[int, list[int]]:
    """Where the header of a text file ends, and where parts of about a size end, each behind a whole row.

    The first part is a small one, since it is looked at before the others.

    Args:
        path: of the file.
        size: bytes of a part.
        headed: whether it has a header; else the first row follows the mark of the encoding, if there is one.
    """
    with path.open("rb") as file:
        mark = len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
        file.seek(0)
        start = _end_of_header(file) if headed else mark
        file.seek(start)
        ends, last = list[int](), start
        for end in _row_ends(file, min(size, BLOCK)):
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
