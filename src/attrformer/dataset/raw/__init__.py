"""Raw files of public data sets: recognised, read into plain tables, written as dataset folders."""

from __future__ import annotations

from attrformer.dataset.raw.reading import Prepared, RawFormat, detect, prepare, read_raw
from attrformer.dataset.raw.tables import Tables, TablesSummary, summarise, write_tables

__all__ = [
    "Prepared",
    "RawFormat",
    "Tables",
    "TablesSummary",
    "detect",
    "prepare",
    "read_raw",
    "summarise",
    "write_tables",
]
