"""Predicts what is counted of items without interactions from items with like attributes, once training is over.

Co-occurrence and lifts are what a model reads most, and a new item has none. Kernel ridge regression carries them over:
the column of a new item becomes a weighted sum of the columns of items that have interactions, with the weights by
which likeness of attributes predicts these best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from attrformer.data.attributes import NUMBER_KINDS
from attrformer.models.attrformer import AttrFormerConfig
from attrformer.recommender.state import ModelState
from attrformer.relations.base import Relation
from attrformer.relations.config import RelationsConfig
from attrformer.relations.cooccurrence import CooccurrenceRelation
from attrformer.relations.indirect import IndirectRelation
from attrformer.relations.item_attribute import ItemAttributeRelation
from attrformer.relations.row_table import RowRelation, keep_top
from attrformer.relations.time_bucket import TimeBucketRelation
from attrformer.relations.user_attribute import UserAttributeRelation

MOST_KNOWN: Final = 4096
"""Items with interactions that are read, those with most of them."""

MOST_NEW: Final = 16_384
"""Items without interactions whose rows are predicted, the last of the catalogue."""

PREDICTED: Final = 32
"""Predicted entries of each row, where a large catalogue keeps the largest entries only."""

_CELLS: Final = 1 << 24
"""Values that are predicted at a time."""

_OF_ITEMS = CooccurrenceRelation | IndirectRelation
_LIFTS = UserAttributeRelation | TimeBucketRelation

Matrix = NDArray[np.float32]
Rows = TypeVar("Rows", bound=RowRelation)


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """How the columns of new items follow from those of known ones.

    Args:
        known: int64 `[k]`, item codes, ascending.
        new: int64 `[m]`, item codes, ascending.
        weights: float32 `[k, m]`.
    """

    known: NDArray[np.int64]
    new: NDArray[np.int64]
    weights: Matrix

    def of(self, columns: Matrix | scipy.sparse.csr_array) -> Matrix:
        """The columns of the new items, none below 0, float32 `[n, m]`. Deviations from a row's mean carry over.

        Args:
            columns: those of the known items, float32 `[n, k]`.
        """
        mean = np.asarray(columns.sum(1), dtype=np.float32)[:, None] / np.float32(len(self.known))
        predicted: Matrix = np.maximum(columns @ self.weights + mean * (1.0 - self.weights.sum(0)), 0.0)
        return predicted


def reads_predicted_rows(config: object, options: RelationsConfig) -> bool:
    """Whether a model is to predict rows: it is AttrFormer, whose relations contribute to scores, and asked for it.

    Args:
        config: options of the model.
        options: of the relations.
    """
    return options.predicted_rows and isinstance(config, AttrFormerConfig) and config.catalogue_evidence


def with_predicted_rows(fitted: ModelState) -> ModelState:
    """The same model with rows of items without interactions; what it says of other items stays as it was.

    Args:
        fitted: the model, with relations for inference.
    """
    found = prediction(fitted)
    if found is None:
        return fitted
    relations = [_predicted(relation, found) for relation in fitted.relations.relations]
    return fitted.rebuilt(fitted.relations.replaced(relations), fitted.knowledge)


def predicted_items(fitted: ModelState) -> NDArray[np.int64]:
    """The new items whose rows are predicted, int64, ascending; none where the model reads no attribute.

    Args:
        fitted: the model.
    """
    return np.flatnonzero(fitted.new_items & bool(fitted.relations.features))[-MOST_NEW:]


def prediction(fitted: ModelState) -> Prediction | None:
    """The weights of known items for each new one; None where no item is new, or the model reads no attribute.

    Args:
        fitted: the model.
    """
    relations = fitted.relations
    attributes, popularity = list(relations.features.values()), relations.popularity
    new = predicted_items(fitted)
    order = np.argsort(-popularity, kind="stable")
    known = np.sort(order[popularity[order] > 0][:MOST_KNOWN])
    if not (len(new) and len(known)):
        return None
    among = likeness(fitted, attributes, known, known)
    # As much as an item is like itself.
    among[np.diag_indices(len(known))] += np.float32(len(attributes) + 1)
    factor = scipy.linalg.cho_factor(among, overwrite_a=True, check_finite=False)
    to_new = likeness(fitted, attributes, known, new)
    return Prediction(known, new, scipy.linalg.cho_solve(factor, to_new, overwrite_b=True, check_finite=False))


def likeness(
    fitted: ModelState, attributes: list[ItemAttributeRelation], known: NDArray[np.int64], others: NDArray[np.int64]
) -> Matrix:
    """How alike known items and others are, float32 `[k, n]`: over attributes, the sum and the product.

    Args:
        fitted: the model, whose values of items tell numbers.
        attributes: that it reads.
        known: int64 `[k]`, item codes.
        others: int64 `[n]`, item codes.
    """
    shape = (len(known), len(others))
    total, product = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    for attribute in attributes:
        numbers = _numbers(fitted, attribute)
        own = _cosines(attribute, known, others) if numbers is None else nearness(numbers, known, others)
        total += own
        product *= own
    total += product
    return total


def nearness(numbers: NDArray[np.float64], known: NDArray[np.int64], others: NDArray[np.int64]) -> Matrix:
    """1 for equal numbers, 1 / e at half the distance between the quartiles; 0 where one is missing.

    Args:
        numbers: float64 `[items]`, NaN where missing.
        known: int64 `[k]`, items of the rows, whose quartiles they are.
        others: int64 `[n]`, items of the columns.
    """
    there = numbers[known][~np.isnan(numbers[known])]
    lower, upper = np.quantile(there, [0.25, 0.75]) if len(there) else (0.0, 0.0)
    scale = (upper - lower) / 2.0 or 1.0
    near: Matrix = np.exp(-np.abs(numbers[known, None] - numbers[others]) / scale).astype(np.float32)
    return np.nan_to_num(near, copy=False)


def _numbers(fitted: ModelState, attribute: ItemAttributeRelation) -> NDArray[np.float64] | None:
    """The numbers of a column as they are; None for other kinds, and where a model was saved without them."""
    values = fitted.knowledge.item_values
    column = None if values is None else values.still.get(attribute.column)
    if column is None or column.kind not in NUMBER_KINDS:
        return None
    return column.numbers


def _cosines(attribute: ItemAttributeRelation, known: NDArray[np.int64], others: NDArray[np.int64]) -> Matrix:
    count, slots = attribute.codes.shape
    bounds = np.arange(count + 1) * slots
    shape = (count, len(attribute.labels))
    phi = scipy.sparse.csr_array((attribute.weights.ravel(), attribute.codes.ravel(), bounds), shape=shape)
    cosines: Matrix = (phi[known] @ phi[others].T).toarray()
    return cosines


def predicts(relation: Relation | None) -> bool:
    """Whether what a relation says of new items is predicted.

    Args:
        relation: any, or None.
    """
    return isinstance(relation, _OF_ITEMS | _LIFTS)


def _predicted(relation: Relation, found: Prediction) -> Relation:
    if isinstance(relation, _OF_ITEMS):
        return with_columns(relation, found)
    return replace(relation, lift=with_columns(relation.lift, found)) if isinstance(relation, _LIFTS) else relation


def with_columns(relation: Rows, found: Prediction) -> Rows:
    """Rows whose columns of new items are predicted; other columns stay as they are.

    Args:
        relation: for inference.
        found: how they are predicted.
    """
    if relation.dense is not None:
        rows, columns = relation.dense.shape
        dense = np.pad(relation.dense, [(0, relation.keys - rows), (0, relation.columns - columns)])
        dense[:, found.new] = found.of(dense[:, found.known])
        return replace(relation, dense=dense)
    kept = _kept(relation, found.new)
    known, more = kept[:, found.known], []
    for some in np.array_split(np.arange(relation.keys), 1 + relation.keys * len(found.new) // _CELLS):
        predicted = found.of(known[some])
        indices, values = keep_top(scipy.sparse.csr_array(predicted), PREDICTED)
        place = np.nonzero(values)
        shape = (len(some), relation.columns)
        more.append(scipy.sparse.csr_array((values[place], (place[0], found.new[indices[place]])), shape=shape))
    assert relation.indices is not None
    width = int(np.diff(kept.indptr).max(initial=0)) + PREDICTED
    indices, values = keep_top(kept + scipy.sparse.vstack(more, format="csr"), width)
    return replace(relation, indices=indices, values=values)


def _kept(relation: RowRelation, new: NDArray[np.int64]) -> scipy.sparse.csr_array:
    """The kept entries of a relation as a matrix, without those of new items, which were predicted before."""
    assert relation.indices is not None and relation.values is not None
    there = (relation.values > 0) & ~np.isin(relation.indices, new)
    rows = np.nonzero(there)[0]
    shape = (relation.keys, relation.columns)
    return scipy.sparse.csr_array((relation.values[there], (rows, relation.indices[there])), shape=shape)
