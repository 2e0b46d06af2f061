"""Raw files of public data sets: recognised, read into plain tables, written as dataset folders."""

from __future__ import annotations

from attrformer.data.formats.base import RawFormat, Source, SourceFile
from attrformer.data.formats.delimited import Layout, read_delimited
from attrformer.data.formats.files import RawFiles
from attrformer.data.formats.reading import Prepared, detect, prepare, read_raw
from attrformer.data.formats.registry import SOURCES, find_format, known_formats, register
from attrformer.data.formats.tables import Tables, TablesSummary, summarise, write_tables

__all__ = [
    "SOURCES",
    "Layout",
    "Prepared",
    "RawFiles",
    "RawFormat",
    "Source",
    "SourceFile",
    "Tables",
    "TablesSummary",
    "detect",
    "find_format",
    "known_formats",
    "prepare",
    "read_delimited",
    "read_raw",
    "register",
    "summarise",
    "write_tables",
]
