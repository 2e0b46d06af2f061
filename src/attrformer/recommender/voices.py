"""What spoke for an answer in each part of its score: an item of the history, a value, other users, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.dataset.attributes import AttributeKind
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.models.counting import CountingNetwork
from attrformer.models.popularity import PopularityNetwork
from attrformer.nn.batch import Batch
from attrformer.nn.evidence import FeatureEvidence, IdentityEvidence, RowEvidence
from attrformer.nn.moment import MomentEvidence
from attrformer.nn.neighbours import NeighbourEvidence
from attrformer.recommender import wording
from attrformer.recommender.fitted import Fitted
from attrformer.recommender.parts import CONTENT, loudest_positions, loudest_values
from attrformer.recommender.popularity import POPULARITY
from attrformer.recommender.ranking import places_within
from attrformer.relations.build import UserRelation
from attrformer.relations.item_attribute import FeatureRelation
from attrformer.relations.naming import relation_name
from attrformer.relations.rows import RowRelation

Codes = NDArray[np.int64]

ARROW = " → "
"""Between the value of an item of the history and the value of the item that it speaks for."""


@dataclass(frozen=True, slots=True)
class Voice:
    """What spoke for one answer in one part.

    Args:
        history: item code of the item of the history that spoke loudest, -1 for none.
        value: the attribute value in common, or the pair of values, or the user's own value; None where none plays a
            part.
        count: other users who did the same; None where none are counted.
        reason: a sentence; None where the part says nothing.
    """

    history: int = -1
    value: str | None = None
    count: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
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


class Speakers:
    """Finds who spoke, one part at a time.

    Args:
        fitted: the model.
        asked: the answers.
        windows: most steps between the two items of a pair, by the co-occurrence relation that counts it.
    """

    def __init__(self, fitted: Fitted, asked: Asked, windows: Mapping[str, int]) -> None:
        self._fitted, self._asked, self._windows = fitted, asked, windows
        self._items: Codes = asked.items.cpu().numpy()
        self._loudest = {} if asked.batch is None else _loudest_items(fitted, asked.batch, asked)

    def voices(self, part: str, contributions: NDArray[np.float32]) -> list[Voice]:
        """What spoke in a part; where it adds nothing to a score, nothing did.

        Args:
            part: its name.
            contributions: float32 `[n]`, what it adds to each answer.
        """
        found = self._found(part, contributions)
        return [voice if said else Voice() for voice, said in zip(found, contributions != 0, strict=True)]

    def _found(self, part: str, contributions: NDArray[np.float32]) -> list[Voice]:
        network = self._fitted.network
        if part == POPULARITY:
            counts = self._fitted.occurrences().holders(self._items, self._asked.users)
            return [Voice(count=int(count), reason=wording.popular(int(count))) for count in counts]
        user = {relation_name("user", name): name for name in self._fitted.relations.users}
        if part in user:
            return self._preferred(user[part])
        module = network.relations[part] if isinstance(network, AttrFormerNetwork) and part != CONTENT else None
        if isinstance(module, RowEvidence):
            return self._row(part)
        if isinstance(module, FeatureEvidence):
            return self._feature(part, module)
        if isinstance(module, NeighbourEvidence):
            return self._neighbours()
        if isinstance(module, MomentEvidence):
            reasons = [wording.at_the_time(self._title(int(item))) for item in self._loudest[part]]
            return [Voice(int(h), reason=reason) for h, reason in zip(self._loudest[part], reasons, strict=True)]
        if isinstance(module, IdentityEvidence):
            sentences = [wording.had_before(bool(welcome)) for welcome in contributions > 0]
            return [Voice(int(h), reason=s) for h, s in zip(self._loudest[part], sentences, strict=True)]
        return [Voice(reason=_general(part, self._fitted))] * len(contributions)

    def _title(self, item: int) -> str:
        titles = self._fitted.knowledge.titles
        return str(self._fitted.knowledge.item_ids.values[item]) if titles is None else titles[item]

    def _row(self, part: str) -> list[Voice]:
        """Co-occurrence, with the users who had both; edge tables and items between, which nobody counts."""
        loudest = self._loudest[part]
        if part not in self._windows:
            indirect = part == "indirect"
            told = [self._title(int(item)) for item in loudest]
            edge = part.removeprefix("edge_")
            reasons = [wording.indirectly(title) if indirect else wording.listed(edge, title) for title in told]
            return [Voice(int(h), reason=reason) for h, reason in zip(loudest, reasons, strict=True)]
        found = [Voice()] * len(loudest)
        spoke = np.flatnonzero(loudest >= 0)
        after, before = self._fitted.occurrences().pairs(
            loudest[spoke], self._items[spoke], self._asked.users[spoke], self._windows[part]
        )
        for place, ahead, behind in zip(spoke, after.tolist(), before.tolist(), strict=True):
            title = self._title(int(loudest[place]))
            # Somebody's own pair alone is behind a relation that no other user can vouch for.
            reason = wording.after(title, ahead) if ahead else wording.goes_with(title)
            if behind and not ahead:
                reason = wording.before(title, behind)
            found[place] = Voice(int(loudest[place]), count=ahead or behind, reason=reason)
        return found

    def _feature(self, part: str, module: FeatureEvidence) -> list[Voice]:
        """An item attribute, with the value in common or the pair of values."""
        loudest = self._loudest[part]
        sources = torch.from_numpy(np.maximum(loudest, 0)).to(self._asked.items.device)
        pairs = [codes.tolist() for codes in loudest_values(module, sources, self._asked.items)]
        name = next(n for n in self._fitted.relations.features if relation_name("item", n) == part)
        feature = self._fitted.relations.features[name]
        labels = _labels(feature)
        found = []
        for item, own, other in zip(loudest.tolist(), *pairs, strict=True):
            title = self._title(item)
            value = labels[own] if own == other else f"{labels[own]}{ARROW}{labels[other]}"
            if feature.from_ids:
                reason = wording.near_in_order(title) if own == other else wording.goes_with(title)
            elif own == other:
                reason = wording.shared(name, labels[own], title)
            else:
                reason = wording.paired(name, labels[own], labels[other], title)
            found.append(Voice(item, value, reason=reason))
        return found

    def _preferred(self, attribute: str) -> list[Voice]:
        """A user attribute, with the users of the same value who had the item."""
        user, codes = self._fitted.relations.users[attribute], self._asked.values[attribute]
        holders = self._fitted.occurrences().holders(self._items, self._asked.users, (user.codes, codes))
        lifts, labels = _values_at(user.lift, codes, self._items), (*_labels(user), "")
        return [
            Voice(-1, labels[code], count, wording.preferred(attribute, labels[code], lift))
            for code, count, lift in zip(codes.tolist(), holders.tolist(), lifts.tolist(), strict=True)
        ]

    def _neighbours(self) -> list[Voice]:
        """Users with a similar history, with how many of them had the item soon after."""
        batch = self._asked.batch
        assert batch is not None and batch.neighbours is not None
        following = batch.neighbours.following[self._asked.rows, 0]
        took = (following == self._asked.items[:, None, None]).any(2).sum(1).tolist()
        similar = (batch.neighbours.users[self._asked.rows, 0] >= 0).sum(1).tolist()
        return [
            Voice(count=users, reason=wording.followed(users, among))
            for users, among in zip(took, similar, strict=True)
        ]


def _loudest_items(fitted: Fitted, batch: Batch, asked: Asked) -> dict[str, Codes]:
    """Item code of the item of the history that speaks loudest for each answer, -1 for none, by relation."""
    # Every history has answers of its own; padding them to one width lets all positions be asked at once.
    place = places_within(asked.rows, len(batch.items))
    width = int(place.max()) + 1 if len(place) else 1
    padded = torch.zeros(len(batch.items), width, dtype=torch.int64, device=asked.items.device)
    padded[asked.rows, place] = asked.items
    found = {}
    for name, positions in loudest_positions(fitted.network, batch, padded).items():
        position = positions[asked.rows, place]
        codes = torch.where(position < 0, -1, batch.items[asked.rows, position.clamp_min(0)])
        found[name] = codes.cpu().numpy()
    return found


def _labels(relation: FeatureRelation | UserRelation) -> tuple[str, ...]:
    """The values of an attribute as people read them: times, which are kept as seconds, as dates."""
    reading = relation.reading
    if reading is None or reading.kind is not AttributeKind.TIME:
        return relation.labels
    dates = reading.edges.astype("datetime64[s]").astype("datetime64[D]").astype(str).tolist()
    bounds = ["", *dates, ""]
    return tuple(f"{bounds[bucket]}..{bounds[bucket + 1]}" for bucket in reading.buckets)


def _values_at(relation: RowRelation, keys: Codes, items: Codes) -> NDArray[np.float32]:
    """R(key, item) of each pair, float32 `[n]`."""
    distinct, row = np.unique(keys, return_inverse=True)
    values = np.zeros(len(keys), dtype=np.float32)
    for number, key in enumerate(distinct):
        mine = row.reshape(-1) == number
        values[mine] = relation.row(int(key))[items[mine]]
    return values


def _general(part: str, fitted: Fitted) -> str:
    """What can be said of a part that points at nothing."""
    if part == CONTENT:
        counted = isinstance(fitted.network, (CountingNetwork, PopularityNetwork))
        return wording.WIDELY_CHOSEN if counted else wording.CONTENT
    return wording.LIKE_MINDED if part == "neighbours" else wording.FOLLOWS
