"""Whether what was read of a model can be one: values in range, sizes that agree, numbers that are finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.dataset.ids import Ids
from attrformer.dataset.sequences import Sequences
from attrformer.recommender.fitted import Knowledge
from attrformer.relations.build import RelationSet
from attrformer.relations.neighbours import NeighbourIndex
from attrformer.relations.reading import Reading
from attrformer.relations.rows import RowRelation

INTEGERS, FLOATS = "iu", "f"


def require_sound(relations: RelationSet, knowledge: Knowledge, parameters: dict[str, Tensor]) -> None:
    """Looks through a model before it answers anybody.

    Args:
        relations: for inference.
        knowledge: ids, histories and what else is stored.
        parameters: weights by name.

    Raises:
        ValueError: a part cannot be that of a fitted model; the message names it.
    """
    _require(_is_count(relations.items), "the number of items is none")
    _require_knowledge(knowledge, relations.items)
    for name, values in parameters.items():
        finite = not values.is_floating_point() or bool(torch.isfinite(values).all())
        _require(finite, f"'{name}' holds values that are no finite numbers")
    _require_array("popularity", relations.popularity, FLOATS, (relations.items,), least=0)
    _require_relations(relations, len(knowledge.user_ids))


def require_sequences(name: str, sequences: Sequences, items: int) -> None:
    """Looks through histories.

    Args:
        name: of the histories, for the error.
        sequences: the histories.
        items: size of the catalogue.

    Raises:
        ValueError: an offset or item is out of range.
    """
    count = len(sequences.items)
    _require_array(f"{name} offsets", sequences.offsets, INTEGERS, (-1,), least=0, most=count)
    ends = len(sequences.offsets) and sequences.offsets[0] == 0 and sequences.offsets[-1] == count
    _require(bool(ends), f"{name} offsets do not span all interactions")
    _require(bool((np.diff(sequences.offsets) >= 0).all()), f"{name} offsets are not ascending")
    _require_array(f"{name} items", sequences.items, INTEGERS, (count,), least=0, most=items - 1)
    if sequences.times is not None:
        _require_array(f"{name} times", sequences.times, INTEGERS, (count,))
    for column, values in sequences.behaviours.items():
        _require(values.dtype.kind == FLOATS and values.shape == (count,), f"{name} {column} is of another size")


def require_neighbours(index: NeighbourIndex, items: int) -> None:
    """Looks through the index of training users.

    Raises:
        ValueError: a position is out of range.
    """
    require_sequences("similar users", index.train, items)
    last = len(index.train.items) - 1
    _require_array("positions of similar users", index.positions, INTEGERS, (-1,), least=0, most=last)
    _require_array("starts of similar users", index.starts, INTEGERS, (items + 1,), least=0, most=len(index.positions))
    spans = index.starts[0] == 0 and index.starts[-1] == len(index.positions) and (np.diff(index.starts) >= 0).all()
    _require(bool(spans), "starts of similar users are not ascending")
    _require_array("idf of similar users", index.idf, FLOATS, (items,))
    sizes = (index.count, index.anchors, index.horizon)
    _require(all(map(_is_count, sizes)), "count, anchors or horizon of similar users is no number")


def require_ids(name: str, ids: Ids) -> None:
    """Looks through external ids.

    Raises:
        ValueError: one is missing or there twice.
    """
    _require(ids.values.null_count() == 0, f"an id of the {name} is missing")
    _require(ids.values.n_unique() == len(ids), f"an id of the {name} is there twice")


def _require_knowledge(knowledge: Knowledge, items: int) -> None:
    require_ids("users", knowledge.user_ids)
    require_ids("items", knowledge.item_ids)
    _require(len(knowledge.item_ids) == items, "there are more or fewer item ids than items")
    titles = knowledge.titles
    _require(titles is None or len(titles) == items, "there are more or fewer titles than items")
    require_sequences("histories", knowledge.histories, items)
    _require(len(knowledge.histories) == len(knowledge.user_ids), "there are more or fewer histories than users")
    texts = (knowledge.dataset, knowledge.frame_library, knowledge.precision, knowledge.selection, *knowledge.edges)
    _require(all(isinstance(text, str) for text in texts), "a name is no text")
    _require(isinstance(knowledge.figures, dict), "its figures are no object")
    _require(_is_finite(knowledge.dropout) and _is_count(knowledge.updated), "a figure about its training is no number")
    _require(all(map(_is_finite, dict(knowledge.strengths).values())), "the strength of a relation is no number")


def _require_relations(relations: RelationSet, users: int) -> None:
    items = relations.items
    for name, rows in relations.rows.items():
        _require_rows(name, rows, items, items)
    for name, feature in relations.features.items():
        values = len(feature.labels)
        _require_array(f"codes of '{name}'", feature.codes, INTEGERS, (items, -1), least=0, most=values - 1)
        _require_array(f"weights of '{name}'", feature.weights, FLOATS, feature.codes.shape)
        _require_array(f"diagonal of '{name}'", feature.diagonal, FLOATS, (values,))
        _require_reading(name, feature.reading)
    for name, user in relations.users.items():
        _require_array(f"codes of '{name}'", user.codes, INTEGERS, (users,), least=0, most=len(user.labels) - 1)
        _require_rows(name, user.lift, len(user.labels), items)
        _require_reading(name, user.reading)
    for name, edges in relations.levels.items():
        _require(edges.ndim == 1 and not np.isnan(edges).any(), f"the levels of '{name}' are no numbers")
    if relations.moment is not None:
        cuts = relations.moment.edges
        _require_array("edges of moments", cuts, INTEGERS, (-1,))
        _require(bool((np.diff(cuts) >= 0).all()), "edges of moments are not ascending")
        _require(_is_finite(relations.moment.reach), "the reach of moments is no number")
        _require_rows("moment", relations.moment.lift, len(cuts) + 1, items)
    if relations.neighbours is not None:
        require_neighbours(relations.neighbours, items)


def _require_rows(name: str, rows: RowRelation, keys: int, items: int) -> None:
    _require(rows.keys == keys and rows.columns == items, f"'{name}' is of another size than the catalogue")
    if rows.dense is not None:
        _require(rows.indices is None and rows.values is None, f"'{name}' is there in two forms")
        _require_array(f"rows of '{name}'", rows.dense, FLOATS, (-1, -1))
        # Rows between items may be as many as there were before items were added.
        grown = keys == items and rows.dense.shape[0] == rows.dense.shape[1] <= items
        _require(grown or rows.dense.shape == (keys, items), f"rows of '{name}': the size is another one")
        return
    indices, values = rows.indices, rows.values
    if indices is None or values is None:
        raise ValueError(f"'{name}' lacks its rows")
    _require_array(f"columns of '{name}'", indices, INTEGERS, (keys, -1), least=0, most=items - 1)
    _require_array(f"values of '{name}'", values, FLOATS, indices.shape)


def _require_reading(name: str, reading: Reading | None) -> None:
    if reading is None:
        return
    edges = reading.edges
    _require_array(f"edges of '{name}'", edges, FLOATS, (-1,))
    _require(bool((np.diff(edges) >= 0).all()), f"edges of '{name}' are not ascending")
    _require_array(f"buckets of '{name}'", reading.buckets, INTEGERS, (-1,), least=0, most=len(edges))


def _require_array(
    name: str,
    values: NDArray[Any],
    kind: str,
    shape: tuple[int, ...],
    least: float | None = None,
    most: float | None = None,
) -> None:
    """Refuses an array of another kind or shape (-1 for any size), or with values out of range."""
    same = len(values.shape) == len(shape) and all(
        wanted in (-1, size) for wanted, size in zip(shape, values.shape, strict=True)
    )
    _require(values.dtype.kind in kind and same, f"{name}: the type or size is another one")
    if values.size == 0:
        return
    lowest, highest = values.min(), values.max()
    _require(bool(np.isfinite(lowest) and np.isfinite(highest)), f"{name}: a value is no finite number")
    inside = (least is None or lowest >= least) and (most is None or highest <= most)
    _require(bool(inside), f"{name}: a value is out of range")


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_finite(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ValueError(problem)
