"""Raw files of public data sets: recognised, read into plain tables, written as dataset folders."""

from __future__ import annotations

from attrformer.dataset.raw.base import RawFormat
from attrformer.dataset.raw.delimited import Layout, read_delimited
from attrformer.dataset.raw.files import RawFiles
from attrformer.dataset.raw.reading import Prepared, detect, prepare, read_raw
from attrformer.dataset.raw.registry import SOURCES, find_format, known_formats, register
from attrformer.dataset.raw.sources import Source, SourceFile
from attrformer.dataset.raw.tables import Tables, TablesSummary, summarise, write_tables

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
