"""Whether a model has counted what it is asked to predict."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.dataset.sequences import Sequences
from attrformer.dataset.splits import Targets
from attrformer.recommender.fitted import Fitted

UNLEAKED: Final = "Evaluate the model as it was before the update, or on what happened after it"


def leak_of(fitted: Fitted, users: NDArray[np.int64], items: NDArray[np.integer], targets: Targets) -> str:
    """How many targets an update has counted, as a sentence; empty where it has counted none.

    Training counts the training part of its split alone. An update counts all that the model knows of everybody, so a
    target is no longer to be predicted if the history of its user holds it, or anything later.

    Args:
        fitted: the model.
        users: int64 `[n]`, the user of each target in codes of the model, -1 for people it does not know.
        items: `[n]`, the item of each target in codes of the model.
        targets: what is to be predicted.
    """
    if not fitted.knowledge.updated:
        return ""
    count = int(_counted(fitted.knowledge.histories, users, items, targets).sum())
    if not count:
        return ""
    return f"an update has counted {count:,} of {len(targets):,} targets, or what their users did later"


def _counted(
    histories: Sequences, users: NDArray[np.int64], items: NDArray[np.integer], targets: Targets
) -> NDArray[np.bool_]:
    """Whether the histories hold each target or something later of the same user, bool `[n]`."""
    found = np.zeros(len(users), dtype=bool)
    known = np.flatnonzero(users >= 0)
    known = known[histories.lengths[users[known]] > 0]
    if histories.times is None or targets.times is None:
        found[known] = histories.lengths[users[known]] > targets.contexts.lengths[known]
        return found
    last = histories.times[histories.offsets[1:][users[known]] - 1]
    found[known] = last > targets.times[known]
    for place in known[last == targets.times[known]]:
        row = slice(histories.offsets[users[place]], histories.offsets[users[place] + 1])
        same = histories.times[row] == targets.times[place]
        found[place] = bool((histories.items[row][same] == items[place]).any())
    return found
