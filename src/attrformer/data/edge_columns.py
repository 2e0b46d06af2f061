"""From a table of item relations to edges."""

from __future__ import annotations

import numpy as np
import polars as pl

from attrformer.columns import EDGE_RANK, RELATION, SOURCE_ITEM, TARGET_ITEM, WEIGHT
from attrformer.data.edges import Edges
from attrformer.data.id_map import IdMap
from attrformer.data.tables import Table, id_column, number_column, require_columns, rows_outside
from attrformer.errors import DataError


def read_edges(table: Table | None, item_ids: IdMap, unknown: str) -> tuple[dict[str, Edges], list[str]]:
    """The edges within the catalogue, by relation, and sentences about those that were left out.

    Args:
        table: `source_item_id`, `target_item_id`, `relation`, optionally `weight` or `rank`; None where there is none.
        item_ids: the catalogue.
        unknown: "raise" where edges may not lead out of the catalogue.

    Returns:
        Edge tables by relation, each edge once, with its greatest weight.

    Raises:
        DataError: a column is missing, an id is null, or a weight or rank cannot be used.
    """
    if table is None:
        return {}, []
    require_columns(table, (SOURCE_ITEM, TARGET_ITEM, RELATION))
    ends = {name: id_column(table, name) for name in (SOURCE_ITEM, TARGET_ITEM)}
    codes = {name: item_ids.encode(values) for name, values in ends.items()}
    id_column(table, RELATION)
    notes = []
    for name, values in ends.items():
        notes += rows_outside(table, name, values, codes[name] < 0, unknown)
    items = len(item_ids)
    # One number for both ends is grouped and sorted several times as fast as two columns and the relation's name.
    both = codes[SOURCE_ITEM].astype(np.int64) * items + codes[TARGET_ITEM]
    parts = (
        pl.DataFrame({"both": both, "weight": _edge_weights(table)})
        .with_columns(table.frame[RELATION].cast(pl.String))
        .filter((codes[SOURCE_ITEM] >= 0) & (codes[TARGET_ITEM] >= 0))
        .partition_by(RELATION, as_dict=True)
    )
    found = {}
    for (name,), part in sorted(parts.items()):
        kept = part.group_by("both").agg(pl.col("weight").max()).sort("both")
        source, target = (ends.astype(np.int32) for ends in np.divmod(kept["both"].to_numpy(), max(items, 1)))
        found[str(name)] = Edges(source, target, kept["weight"].to_numpy().copy())
    lost = len(table.frame) - sum(len(edges.source) for edges in found.values())
    if lost:
        notes.append(f"{table.label}: {lost:,} of {len(table.frame):,} edges are repeated or lead out of the catalogue")
    return found, notes


def _edge_weights(table: Table) -> pl.Series:
    """Weights as given, else 1/sqrt(1 + rank), else 1; float32 `[rows]`."""
    name = next((name for name in (WEIGHT, EDGE_RANK) if name in table.frame.columns), None)
    if name is None:
        return pl.repeat(1.0, len(table.frame), dtype=pl.Float32, eager=True)
    numbers = number_column(table, name)
    bad = (numbers.is_null() | (numbers <= 0 if name == WEIGHT else numbers < 0)).arg_true()
    if len(bad):
        raise DataError(
            f"{table.frame[name][int(bad[0])]} is not a {name}",
            fix="Give a positive weight" if name == WEIGHT else "Give ranks from 0 upwards, best first",
            source=table.source,
            column=name,
            row=int(bad[0]),
        )
    weights = numbers if name == WEIGHT else 1 / (1 + numbers).sqrt()
    return weights.cast(pl.Float32)
