"""Data: from tables to a dataset, its filters and its splits."""

from __future__ import annotations

from attrformer.dataset.after_the_fact import after_the_fact
from attrformer.dataset.attributes import Attribute, AttributeKind
from attrformer.dataset.construct import dataset_from_frames
from attrformer.dataset.dataset import Dataset, Edges
from attrformer.dataset.filters import core_filter, keep_items, keep_users
from attrformer.dataset.folder import load_dataset
from attrformer.dataset.frames import library_of, native_like, to_polars
from attrformer.dataset.held_out import held_out_items
from attrformer.dataset.ids import Ids
from attrformer.dataset.same_time import shuffle_same_time
from attrformer.dataset.sequences import Sequences
from attrformer.dataset.splits import Split, Targets, leave_one_out, time_split
from attrformer.dataset.store import save_dataset
from attrformer.dataset.table_files import read_table

__all__ = [
    "Attribute",
    "AttributeKind",
    "Dataset",
    "Edges",
    "Ids",
    "Sequences",
    "Split",
    "Targets",
    "after_the_fact",
    "core_filter",
    "dataset_from_frames",
    "held_out_items",
    "keep_items",
    "keep_users",
    "leave_one_out",
    "library_of",
    "load_dataset",
    "native_like",
    "read_table",
    "save_dataset",
    "shuffle_same_time",
    "time_split",
    "to_polars",
]
