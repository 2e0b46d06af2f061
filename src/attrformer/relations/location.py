"""Places as a relation between items: R(i, j) = exp(-distance / scale)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
import scipy
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.relations import wording
from attrformer.relations.array_checks import FLOATS, is_finite, require_array, require_that
from attrformer.relations.attribute_encoder import AttributeEncoder
from attrformer.relations.base import Arrays, NewItems, Relation, Sources, chosen
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.item_attribute import OPTION
from attrformer.relations.naming import relation_name
from attrformer.relations.row_table import RowRelation
from attrformer.relations.sphere import along_the_earth, unit_vectors

NEIGHBOUR: Final = 10
"""The scale is the median distance to the neighbour of this number, among different places."""

MOST_SAMPLED: Final = 100_000
"""Places whose neighbours the scale is taken from; of more, an even sample."""

LEAST_SCALE: Final = 1e-3
"""Kilometres. Degrees are stored with about seven digits, which is a metre or two."""

_ROWS: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class LocationRelation(RowRelation):
    """Items that are near each other on the earth; an item is not related to itself.

    Args:
        coordinates: float32 `[items, 2]`, degrees of latitude and longitude, NaN where missing.
        scale: kilometres at which R has fallen to 1 / e.
    """

    kind: ClassVar[str] = "location"

    coordinates: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 2), np.float32))
    scale: float = 1.0

    @property
    def source(self) -> str:
        """The column."""
        return self.name.removeprefix(relation_name("item", ""))

    @property
    def item_columns(self) -> Mapping[str, AttributeEncoder | None]:
        """See `Relation.item_columns`."""
        return {self.source: AttributeEncoder(AttributeKind.LOCATION, np.empty(0), np.empty(0, dtype=np.int64))}

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One for each column of places that the options name and that has two different ones."""
        available, found = sources.item_attributes, list[Relation]()
        for name in chosen(options.item_attributes, available, OPTION):
            if available[name].kind is AttributeKind.LOCATION:
                relation = location_relation(available[name], options.location_scale_km, sources.top_k)
                found += [] if relation is None else [relation]
        return found

    @classmethod
    def at(cls, name: str, coordinates: NDArray[np.float32], scale: float, top_k: int | None) -> LocationRelation:
        """The relation of some places.

        Args:
            name: of the relation.
            coordinates: float32 `[items, 2]`, NaN where missing.
            scale: in kilometres.
            top_k: entries kept for each row; None keeps whole rows.
        """
        items, dense, indices, values = len(coordinates), None, None, None
        if top_k is None:
            dense = _whole_rows(coordinates, scale)
        else:
            indices, values = _nearest_rows(coordinates, scale, min(top_k, items))
        return cls(name, items, 0, items, dense, indices, values, coordinates=coordinates, scale=scale)

    def with_items(self, new: NewItems) -> LocationRelation:
        """New items, related by where they are; in rows of a few entries they take the place of what is farther."""
        more = new.attributes[self.source].vectors
        top_k = None if self.indices is None else self.indices.shape[1]
        return self.at(self.name, np.concatenate([self.coordinates, more]), self.scale, top_k)

    def distances(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        """Kilometres between pairs of items, `[n]`; NaN where a place is missing.

        Args:
            first: int64 `[n]`, item codes.
            second: int64 `[n]`, item codes.
        """
        ends = [unit_vectors(self.coordinates[items]) for items in (first, second)]
        return along_the_earth(np.linalg.norm(ends[0] - ends[1], axis=1))

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `Relation.to_arrays`."""
        arrays, described = RowRelation.to_arrays(self)
        return {**arrays, "coordinates": self.coordinates}, {**described, "scale": self.scale}

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> LocationRelation:
        """See `Relation.from_arrays`."""
        rows = RowRelation.from_arrays(name, arrays, described)
        own = {"coordinates": arrays["coordinates"], "scale": described["scale"]}
        return cls(name, rows.keys, 0, rows.columns, rows.dense, rows.indices, rows.values, **own)

    def check(self, items: int, users: int) -> None:
        """See `Relation.check`."""
        self.check_rows(items, items)
        require_array(f"places of '{self.name}'", np.nan_to_num(self.coordinates), FLOATS, (items, 2), -360, 360)
        require_that(is_finite(self.scale) and self.scale > 0, f"the scale of '{self.name}' is no distance")

    def attributions(self, question: Question) -> list[Attribution]:
        """The item of the history that counts most, and how far it is from the answer."""
        answers = question.items.astype(np.int64)
        far = self.distances(np.maximum(question.strongest, 0), answers).tolist()
        return [
            Attribution(item, wording.kilometres(km), reason=wording.away(km, question.title(item)))
            for item, km in zip(question.strongest.tolist(), far, strict=True)
        ]


def location_relation(attribute: Attribute, scale: float | None, top_k: int | None) -> LocationRelation | None:
    """Turns a column of places into a relation.

    Args:
        attribute: one row for each item.
        scale: in kilometres; None takes it from the places.
        top_k: entries kept for each row; None keeps whole rows.

    Returns:
        The relation, or None where there are no two different places, so that the attribute tells nothing apart.
    """
    coordinates = attribute.vectors
    places = np.unique(coordinates[~np.isnan(coordinates).any(axis=1)], axis=0)
    if len(places) < 2:
        return None
    name = relation_name("item", attribute.name)
    return LocationRelation.at(name, coordinates, scale or typical_distance(places), top_k)


def typical_distance(places: NDArray[np.float32]) -> float:
    """The median distance to the tenth neighbour, in kilometres; to the farthest where there are fewer.

    Args:
        places: float32 `[n, 2]`, different from each other, at least two.
    """
    units = unit_vectors(places)
    sample = units[:: -(-len(units) // MOST_SAMPLED)]
    chords = np.asarray(scipy.spatial.KDTree(units).query(sample, k=[min(NEIGHBOUR, len(units) - 1) + 1])[0])
    return max(float(np.median(along_the_earth(chords))), LEAST_SCALE)


def _whole_rows(coordinates: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    units = unit_vectors(coordinates)
    rows = np.zeros((len(units), len(units)), dtype=np.float32)
    for start in range(0, len(units), _ROWS):
        chords = scipy.spatial.distance.cdist(units[start : start + _ROWS], units)
        rows[start : start + _ROWS] = np.nan_to_num(np.exp(-along_the_earth(chords) / scale))
    np.fill_diagonal(rows, 0.0)
    return rows


def _nearest_rows(
    coordinates: NDArray[np.float32], scale: float, top_k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The nearest items of each, as `keep_top` gives them; of equally near ones the earlier."""
    known = np.flatnonzero(~np.isnan(coordinates).any(axis=1))
    units = unit_vectors(coordinates[known])
    indices = np.zeros((len(coordinates), top_k), dtype=np.int32)
    values = np.zeros((len(coordinates), top_k), dtype=np.float32)
    count = min(top_k + 1, len(known))
    tree = scipy.spatial.KDTree(units)
    for start in range(0, len(known), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(known)))
        chords, near = (np.reshape(part, (len(rows), count)) for part in tree.query(units[rows], k=count))
        own = near == rows[:, None]
        # Where many are in one place the item itself need not be among those found; then the last one goes.
        own[~own.any(axis=1), -1] = True
        shape = (len(rows), count - 1)
        columns, far = known[near[~own]].reshape(shape), along_the_earth(chords[~own]).reshape(shape)
        order = np.argsort(columns, axis=1)
        places = (known[rows][:, None], np.arange(top_k - count + 1, top_k)[None, :])
        indices[places] = np.take_along_axis(columns, order, 1)
        values[places] = np.take_along_axis(np.exp(-far / scale), order, 1)
    return indices, values
