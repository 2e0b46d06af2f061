"""What a model has learned about its relations: the influence of each, and which values go together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.evaluation.blocks import MOST_SCORES
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.nn.relations.base import PairScores
from attrformer.recommender.parts import part_scores
from attrformer.recommender.state import ModelState
from attrformer.relations.naming import relation_name

SMALLEST = 0.01
"""Learned pairs weaker than this share of the strongest are taken for noise."""

_BATCH = 128


def relation_strengths(fitted: ModelState, users: NDArray[np.int64], contexts: Sequences) -> dict[str, float]:
    """How much each relation tells items apart: |g_a(h)| times the spread over the catalogue of log(1 + e_a / eps_a).

    Args:
        fitted: the model.
        users: int64 `[n]`, user codes.
        contexts: their histories.

    Returns:
        The mean over the histories, by relation, the strongest first.
    """
    totals: dict[str, float] = {}
    together = max(1, min(_BATCH, MOST_SCORES // fitted.relations.n_items))
    for rows in fitted.pieces(contexts, together):
        _, outputs = fitted.outputs(users[rows], contexts.rows(rows))
        for name, scores in part_scores(outputs, fitted.precision):
            # The gate is the same for all items of a history, so the spread of the product is the product.
            totals[name] = totals.get(name, 0.0) + float(scores.std(dim=1, correction=0).double().sum())
    means = {name: total / max(len(users), 1) for name, total in totals.items() if name != "content"}
    return dict(sorted(means.items(), key=lambda entry: -entry[1]))


def pair_attributes(fitted: ModelState) -> list[str]:
    """Attributes whose pairs of values have a learned strength, by the names that `strongest_pairs` takes."""
    columns = [(scores.owner, scores.column) for scores in _learned(fitted)]
    whole = {relation_name(*column) for column in columns}
    names = [name for _, name in columns]
    # A column's own name where that says which one is meant; a user attribute "age" may stand beside an item
    # attribute that is called "user_age".
    return [
        name if names.count(name) == 1 and name not in whole else relation_name(kind, name) for kind, name in columns
    ]


def strongest_pairs(fitted: ModelState, attribute: str, count: int) -> tuple[list[str], NDArray[np.float32]]:
    """The values of an attribute with the strongest learned pairs, and the learned relation among them.

    For an item attribute that is M_a: row a, column b says how much an item with value a in the history speaks for
    items with value b. For a user attribute it is how much a similar user with value b counts for a user with value a.
    Pairs are ordered by that strength times the root of both values' frequency (training interactions, or users): what
    is learned about a value that hardly anybody meets moves no ranking. Values are taken from the top pairs on, pairs
    of two different values before those of a value with itself.

    Args:
        fitted: the model.
        attribute: its name; "item_age" and "user_age" tell two of one name apart.
        count: most values to show.

    Returns:
        Names of values `[n]` and the matrix `[n, n]`, in the order in which they were taken.

    Raises:
        ConfigurationError: the model has learned no pairs for the attribute.
    """
    asked = _pairs_of(fitted, attribute)
    matrix, root = asked.matrix, np.sqrt(asked.frequency)
    weight = matrix * root[:, None] * root
    telling = (matrix > SMALLEST * matrix.max(initial=0.0)) & ~np.eye(len(matrix), dtype=bool)
    # Pairs of two values first: that a value goes with itself is where learning started.
    order = np.lexsort((-weight.ravel(), ~telling.ravel()))[: count * count]
    values = np.stack(np.unravel_index(order, weight.shape), axis=1).ravel()
    chosen = values[np.sort(np.unique(values, return_index=True)[1])][:count]
    return [asked.labels[value] for value in chosen], matrix[np.ix_(chosen, chosen)]


def _learned(fitted: ModelState) -> list[PairScores]:
    """Every attribute whose pairs of values are learned."""
    if not isinstance(fitted.network, AttrFormerNetwork):
        return []
    relations = fitted.relations
    modules = fitted.network.contributing().items()
    return [scores for name, module in modules for scores in module.pair_scores(relations[name], relations)]


def _pairs_of(fitted: ModelState, attribute: str) -> PairScores:
    """The pairs of the attribute that is meant.

    Raises:
        ConfigurationError: there is none, or two.
    """
    learned = _learned(fitted)
    whole = [scores for scores in learned if _name(scores) == attribute]
    found = whole or [scores for scores in learned if scores.column == attribute]
    if len(found) == 1:
        return found[0]
    if found:
        named = " or ".join(f"'{_name(scores)}'" for scores in found)
        raise ConfigurationError(f"'{attribute}' is an attribute of items and of users. Ask for one: {named}.")
    raise ConfigurationError(
        f"No pairs are learned for '{attribute}'. Ask for one of: {', '.join(pair_attributes(fitted)) or 'none'}."
    )


def _name(scores: PairScores) -> str:
    return relation_name(scores.owner, scores.column)
