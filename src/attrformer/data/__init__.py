"""Data: from tables to a dataset, its filters and its splits."""

from __future__ import annotations

from attrformer.data.after_the_fact import after_the_fact
from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.changing_attributes import ChangingAttribute
from attrformer.data.dataset import Dataset, dataset_from_frames, load_dataset
from attrformer.data.edges import Edges
from attrformer.data.filters import core_filter, keep_items, keep_users
from attrformer.data.frames import library_of, native_like, to_polars
from attrformer.data.held_out import held_out_items
from attrformer.data.id_map import IdMap
from attrformer.data.same_time import shuffle_same_time
from attrformer.data.sequences import Sequences
from attrformer.data.splits import Split, Targets, leave_one_out, time_split
from attrformer.data.store import save_dataset
from attrformer.data.table_files import read_table

__all__ = [
    "Attribute",
    "AttributeKind",
    "ChangingAttribute",
    "Dataset",
    "Edges",
    "IdMap",
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
