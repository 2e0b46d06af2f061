"""Rules of a shop in an evaluation: each target is ranked under the rules as they read at its own time."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.sequences import Sequences
from attrformer.data.splits import Targets
from attrformer.errors import UnknownValueWarning
from attrformer.recommender.choice import Choice
from attrformer.recommender.requests import Group
from attrformer.recommender.ruled_lists import listed
from attrformer.recommender.shop_rules import compiled, new_items_at
from attrformer.recommender.state import ModelState
from attrformer.recommender.unknown import REFUSE
from attrformer.rules.compiled import CompiledRules
from attrformer.rules.item_values import ItemValues
from attrformer.rules.over_time import RulesOverTime
from attrformer.rules.request import ShopRules

Rows = NDArray[np.int64]


class RuledTargets:
    """The rules for every target; see `evaluation.blocks.ListRules`.

    Args:
        fitted: the model.
        shop: the rules.
        targets: in item codes of the model.

    Raises:
        RuleError: a condition cannot be read, or does not fit the attributes.
        ConfigurationError: a column or value does not exist.
        UnknownIdError: a pinned item is unknown.
        CheckpointError: the model does not have what the rules read.
    """

    def __init__(self, fitted: ModelState, shop: ShopRules, targets: Targets) -> None:
        self._fitted, self._shop, self._times = fitted, shop, targets.times
        # What is wrong with the rules is wrong at any time.
        self._any = compiled(shop, fitted, REFUSE)
        for sentence in self._any.told:
            warnings.warn(UnknownValueWarning(sentence), stacklevel=4)
        self.reorders = self._any.reorders
        self._over_time = None if targets.times is None else self._rules_over_time()
        self.forbidden = sum(
            int((~rules.open[targets.items[rows]]).sum()) - _pinned(rules, targets.items[rows])
            for rules, rows in self._groups(np.arange(len(targets)))
            if rules.open is not None
        )

    @property
    def told(self) -> str:
        """The rules and when they are read, for the protocol line."""
        own = {name: value for name, value in self._shop.rules.to_dict().items() if value}
        when = "with the latest values" if self._times is None else "as of each target's time"
        return f"{json.dumps(own, ensure_ascii=False)} {when}"

    def ruled(self, scores: Tensor, rows: Rows) -> Tensor:
        """See `ListRules.ruled`."""
        found = scores.clone()
        for rules, places in self._groups(rows):
            if rules.added is not None:
                found[torch.from_numpy(places).to(found.device)] += torch.from_numpy(rules.added).to(found.device)
        return found

    def lists(self, scores: Tensor, rows: Rows, contexts: Sequences, hide_seen: bool, length: int) -> Tensor:
        """See `ListRules.lists`; they are made as `recommend` makes them."""
        found = torch.full((len(rows), length), -1, dtype=torch.int64, device=scores.device)
        for rules, places in self._groups(rows):
            group = Group(places, contexts.rows(places))
            choice = Choice(length, hide_seen, rules=rules)
            # Indexing copies, and what is given is overwritten.
            own, items, _ = listed(self._fitted, choice, scores[torch.from_numpy(places).to(scores.device)], group)
            counts = torch.bincount(own, minlength=len(places))
            columns = torch.arange(len(own), device=own.device) - (counts.cumsum(0) - counts)[own]
            found[torch.from_numpy(places).to(own.device)[own], columns] = items
        return found

    def _rules_over_time(self) -> RulesOverTime:
        rules, n_items = self._shop.rules, self._fitted.relations.n_items
        values = self._fitted.knowledge.item_values
        new_at = None if rules.new_items is None else new_items_at(self._fitted, rules.new_items)
        return RulesOverTime(rules, ItemValues(n_items) if values is None else values, self._any, new_at)

    def _groups(self, rows: Rows) -> Iterator[tuple[CompiledRules, Rows]]:
        """The places of some targets by the rules that hold for them, those of one time together."""
        if self._over_time is None or self._times is None:
            yield self._any, np.arange(len(rows))
            return
        order = np.argsort(self._times[rows], kind="stable")
        for rules, start, stop in self._over_time.at(self._times[rows[order]]):
            yield rules, np.sort(order[start:stop])


def _pinned(rules: CompiledRules, items: NDArray[np.int32]) -> int:
    """How many of some items are pinned though they are not open."""
    assert rules.open is not None
    own = [item for _, item in rules.pinned if not rules.open[item]]
    return int(np.isin(items, own).sum())
