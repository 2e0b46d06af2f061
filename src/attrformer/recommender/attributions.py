"""What stands behind an answer in each component of its score: an item of the history, a value, other users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.models.baselines.non_parametric import NonParametricNetwork
from attrformer.models.baselines.popularity import PopularityNetwork
from attrformer.nn.batch import Batch
from attrformer.nn.relations.base import AnswerBatch
from attrformer.recommender.parts import CONTENT, strongest_positions
from attrformer.recommender.popularity import POPULARITY
from attrformer.recommender.predicted_rows import predicted_items, predicts, reads_predicted_rows
from attrformer.recommender.ranking import places_within
from attrformer.recommender.state import ModelState
from attrformer.relations import wording
from attrformer.relations.config import RelationsConfig
from attrformer.relations.explaining import Attribution, Question

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """The answers of a group that are to be explained.

    Args:
        batch: the histories as the network read them; None for people without any.
        rows: int64 `[n]`, whose answer each is, ascending.
        items: int64 `[n]`, item codes.
        users: int64 `[n]`, user codes of the model, -1 for people it does not know.
        values: int64 `[n]` codes by user attribute.
    """

    batch: Batch | None
    rows: Tensor
    items: Tensor
    users: Codes
    values: Mapping[str, Codes]


class Attributor:
    """Finds what stands behind some answers, one component of the score at a time.

    Args:
        fitted: the model.
        explained: the answers.
        options: of the relations.
    """

    def __init__(self, fitted: ModelState, explained: Explained, options: RelationsConfig) -> None:
        self._fitted, self._explained, self._options = fitted, explained, options
        self._items: Codes = explained.items.cpu().numpy()
        batch = explained.batch
        self._answers = None if batch is None else AnswerBatch(batch, explained.rows, explained.items)
        self._strongest = {} if self._answers is None else _strongest_items(fitted, self._answers)

    def attributions(self, component: str, contributions: NDArray[np.float32]) -> list[Attribution]:
        """What stands behind a component; where it adds nothing to a score, nothing does.

        Args:
            component: its name.
            contributions: float32 `[n]`, what it adds to each answer.
        """
        found = self._found(component, contributions)
        asked = reads_predicted_rows(self._fitted.config, self._options)
        if asked and predicts(self._fitted.relations.get(component)):
            new = np.isin(self._items, predicted_items(self._fitted))
            found = [self._expected(one) if is_new else one for one, is_new in zip(found, new, strict=True)]
        return [one if adds else Attribution() for one, adds in zip(found, contributions != 0, strict=True)]

    def _expected(self, found: Attribution) -> Attribution:
        """In place of what counts say of an item that nobody has taken."""
        title = None if found.history < 0 else self._title(found.history)
        return replace(found, count=None, reason=wording.expected(title))

    def _found(self, component: str, contributions: NDArray[np.float32]) -> list[Attribution]:
        fitted, network = self._fitted, self._fitted.network
        if component == POPULARITY:
            counts = fitted.occurrences().holders(self._items, self._explained.users)
            return [Attribution(count=int(count), reason=wording.popular(int(count))) for count in counts]
        relation = fitted.relations.get(component)
        if relation is None:
            return [Attribution(reason=_general(component, fitted))] * len(contributions)
        nothing = np.full(len(self._items), -1, dtype=np.int64)
        question = Question(
            self._items,
            self._strongest.get(component, nothing),
            self._explained.users,
            self._explained.values,
            contributions,
            self._title,
            fitted.occurrences,
            self._options,
        )
        if isinstance(network, AttrFormerNetwork):
            return network.contributing()[component].attributions(relation, question, self._answers)
        return relation.attributions(question)

    def _title(self, item: int) -> str:
        titles = self._fitted.knowledge.titles
        return str(self._fitted.knowledge.item_ids.values[item]) if titles is None else titles[item]


def _strongest_items(fitted: ModelState, answers: AnswerBatch) -> dict[str, Codes]:
    """Item code of the item of the history that counts most for each answer, -1 for none, by relation."""
    batch, rows, items = answers.batch, answers.rows, answers.items
    # Every history has answers of its own; padding them to one width lets all positions be asked at once.
    place = places_within(rows, len(batch.items))
    width = int(place.max()) + 1 if len(place) else 1
    padded = torch.zeros(len(batch.items), width, dtype=torch.int64, device=items.device)
    padded[rows, place] = items
    found = {}
    for name, positions in strongest_positions(fitted.network, batch, padded).items():
        position = positions[rows, place]
        codes = torch.where(position < 0, -1, batch.items[rows, position.clamp_min(0)])
        found[name] = codes.cpu().numpy()
    return found


def _general(component: str, fitted: ModelState) -> str:
    """What can be said of the part of a score that no relation makes."""
    if component != CONTENT:
        return wording.FOLLOWS
    counted = isinstance(fitted.network, (NonParametricNetwork, PopularityNetwork))
    return wording.WIDELY_CHOSEN if counted else wording.CONTENT
