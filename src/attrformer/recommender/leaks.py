"""Whether a model was trained on, or has counted, what it is asked to predict."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.data.splits import Targets
from attrformer.errors import DataError
from attrformer.recommender.config import DataConfig
from attrformer.recommender.state import ModelState

UNLEAKED: Final = "Evaluate the model as it was before the update, or on what happened after it"
UNTRAINED: Final = "Evaluate it on the split that it was fitted with, or fit it on the training part of this one"


class Leak(NamedTuple):
    """What a model knows of what it is asked to predict.

    Args:
        sentence: how many targets it knows.
        fix: what to do.
    """

    sentence: str
    fix: str


def leak_of(
    fitted: ModelState,
    data: DataConfig,
    users: NDArray[np.int64],
    items: NDArray[np.integer],
    targets: Targets,
    popularity: NDArray[np.float32],
) -> Leak | None:
    """How many targets a model was trained on or an update has counted; None where there are none.

    Training counts the training part of its split alone, which is cut again from the histories that the model keeps.
    An update counts all that the model knows of everybody. A target is no longer to be predicted if what was counted of
    its user holds it, or anything later.

    Args:
        fitted: the model.
        data: how the data that it was fitted on were split.
        users: int64 `[n]`, the user of each target in codes of the model, -1 for people it does not know.
        items: `[n]`, the item of each target in codes of the model.
        targets: what is to be predicted.
        popularity: float32 `[n_items]`, `Sequences.popularity` of each item of the model in the training part of the
            split at hand.
    """
    updated = bool(fitted.knowledge.updated)
    trained = fitted.knowledge.histories if updated else _trained(fitted, data, popularity)
    count = 0 if trained is None else int(_counted(trained, users, items, targets).sum())
    if not count:
        return None
    what = "an update has counted" if updated else "the model was trained on"
    return Leak(
        f"{what} {count:,} of {len(targets):,} targets, or what their users did later",
        UNLEAKED if updated else UNTRAINED,
    )


def _trained(fitted: ModelState, data: DataConfig, popularity: NDArray[np.float32]) -> Sequences | None:
    """What a model was trained on; None where that is the training part at hand, or is not known.

    A split that was made in another way than the options say leaves other counts of items, by which it is told.
    """
    counts = fitted.relations.popularity
    if np.array_equal(counts, popularity):
        return None
    knowledge = fitted.knowledge
    known = Dataset(knowledge.dataset, knowledge.user_ids, knowledge.item_ids, knowledge.histories)
    try:
        train = data.split_of(known).train
    except DataError:
        return None
    same = np.array_equal(counts, train.popularity(len(counts)))
    return train if same and len(train) == len(knowledge.histories) else None


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
        held = int((histories.items[row][same] == items[place]).sum())
        found[place] = held > _before(targets, int(place))
    return found


def _before(targets: Targets, place: int) -> int:
    """How often the context of a target holds the same item at the same time, as repeated rows have it."""
    contexts = targets.contexts
    if contexts.times is None or targets.times is None:
        return 0
    row = slice(contexts.offsets[place], contexts.offsets[place + 1])
    return int(((contexts.items[row] == targets.items[place]) & (contexts.times[row] == targets.times[place])).sum())
