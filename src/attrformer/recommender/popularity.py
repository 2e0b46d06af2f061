"""Answers for people without any history: what is popular, and popular with people of their attributes.

The score of item j for somebody with the attribute values v_a is

    log q(j) + sum over a of log lift_a(v_a, j)

with q(j) = (n(j) + 1) / (sum of n + items) the smoothed share of j among all training interactions and lift_a(v, j) how
much more often people with value v act on j than everybody does (`relations.user_attribute`). It is the logarithm of
the popularity of j times the lift of each value, as if the attributes were independent of each other given the item. A
value that is not known has lift 1. Items are ranked by popularity alone where no value is known, or where the model
reads no attribute of users.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.recommender.state import ModelState
from attrformer.relations.naming import relation_name

POPULARITY = "popularity"


def popularity_parts(
    fitted: ModelState, people: int, values: Mapping[str, NDArray[np.int64]]
) -> Iterator[tuple[str, Tensor]]:
    """The terms of the score above, one in memory at a time.

    Args:
        fitted: the model.
        people: b, the number of users.
        values: int64 `[b]` codes by user attribute.

    Yields:
        Name of the part and float32 `[b, items]`: popularity, then each user attribute as relations are named.
    """
    relations = fitted.relations
    count = torch.from_numpy(relations.popularity).double()
    share = ((count + 1.0) / (count.sum() + len(count))).log().float().to(fitted.device)
    yield POPULARITY, share.expand(people, -1)
    for name, user in relations.users.items():
        codes, of_person = np.unique(values[name], return_inverse=True)
        lifts = np.stack([user.lift.row(int(code)) for code in codes])
        # A row of zeros stands for a value that is not known: it says nothing, as lift 1 does.
        logs = np.log(np.where(lifts > 0, lifts, 1.0)).astype(np.float32)
        yield relation_name("user", name), torch.from_numpy(logs[of_person.reshape(-1)]).to(fitted.device)


def popularity_scores(fitted: ModelState, people: int, values: Mapping[str, NDArray[np.int64]]) -> Tensor:
    """The sum of the parts, float32 `[people, items]`; arguments as for `popularity_parts`."""
    scores = torch.zeros(people, fitted.relations.n_items, device=fitted.device)
    for _, part in popularity_parts(fitted, people, values):
        scores += part
    return scores
