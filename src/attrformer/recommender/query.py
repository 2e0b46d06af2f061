"""Queries to a fitted model, in external ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrformer.recommender.arguments import point_in_time
from attrformer.recommender.choice import Choice
from attrformer.recommender.choosing import read_choice
from attrformer.recommender.requests import Request, read_request
from attrformer.recommender.shop_rules import compiled
from attrformer.recommender.state import ModelState
from attrformer.recommender.unknown import OnUnknown, chosen_items
from attrformer.rules.request import ARGUMENTS, ShopRules


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """The arguments that `recommend`, `explain` and `Index.search` have in common, and how they are read.

    Args:
        users: external user ids; all users of the model where no argument names anybody.
        histories: item ids, oldest first: a mapping by user id, a list of lists, or a table.
        user_attributes: a mapping of user id to {attribute: value}, or a table.
        k: items for each user.
        hide_seen: leave out items of the history.
        candidates: external ids of the items to choose from, for everybody or by user; the whole catalogue where None.
        exclude: external ids of items never to recommend, for everybody or by user.
        on_unknown: what to do with unknown ids and attribute values: "raise", "warn" or "skip".
        as_of: when items have the values of attributes that change: seconds since 1970, a datetime or ISO 8601 text.
            Where None, relations read those at the last interaction of each history, and rules the latest ones.
        where: condition on item attributes, a text or a polars expression.
        boost: what is added to scores, {column: {value: amount}} or [(condition, amount), ...].
        at_most: items with the same value of a column in one list, {column: count}.
        diversity: from 0, by score alone, to 1.
        new_items: room for new items, {"share": 0.1, "within": "30d"}.
        pinned: items by position, or a list of items for the first positions.
        item_values: attribute values that have changed, a table or a mapping of item id to {column: value}.
        rules: several of these together, as `Rules`, a mapping, or a YAML file.
    """

    users: Any = None
    histories: Any = None
    user_attributes: Any = None
    k: int = 10
    hide_seen: bool = True
    candidates: Any = None
    exclude: Any = None
    on_unknown: str = "raise"
    as_of: Any = None
    where: Any = None
    boost: Any = None
    at_most: Any = None
    diversity: float | None = None
    new_items: Any = None
    pinned: Any = None
    item_values: Any = None
    rules: Any = None

    def ruled(
        self,
        where: Any,
        boost: Any,
        at_most: Any,
        diversity: float | None,
        new_items: Any,
        pinned: Any,
        item_values: Any,
        rules: Any,
    ) -> Query:
        """The same query with rules; arguments as the fields have them."""
        return replace(
            self,
            where=where,
            boost=boost,
            at_most=at_most,
            diversity=diversity,
            new_items=new_items,
            pinned=pinned,
            item_values=item_values,
            rules=rules,
        )

    def read(self, fitted: ModelState) -> tuple[Request, Choice]:
        """The users and the choice of items, in codes of the model.

        Args:
            fitted: the model.

        Raises:
            UnknownIdError: an id or value is unknown and `on_unknown` is "raise".
            DataError: an argument cannot be read.
            ConfigurationError: an argument has a value that cannot be used.
            CheckpointError: the rules read what the model does not have.
        """
        unknown = OnUnknown(self.on_unknown)
        shop = ShopRules.read({name: getattr(self, name) for name in ARGUMENTS}, self.rules)
        as_of = None if self.as_of is None else point_in_time(self.as_of, "as_of")
        request = read_request(fitted, self.users, self.histories, self.user_attributes, unknown)
        request = request if as_of is None else replace(request, as_of=as_of)
        rules = None if shop is None else compiled(shop, fitted, unknown, as_of)
        choice = read_choice(
            fitted.knowledge.item_ids,
            request.names,
            unknown,
            k=self.k,
            hide_seen=self.hide_seen,
            candidates=self.candidates,
            exclude=self.exclude,
            rules=rules,
        )
        return request, choice

    def among(self, fitted: ModelState, items: Any, what: str) -> NDArray[np.int64] | None:
        """Codes of items that are chosen by id.

        Args:
            fitted: the model.
            items: external ids, or None where none are chosen.
            what: the argument that names them, for messages.

        Raises:
            UnknownIdError: an id is unknown and `on_unknown` is "raise".
            ConfigurationError: there are none.
        """
        unknown = OnUnknown(self.on_unknown)
        return None if items is None else chosen_items(fitted.knowledge.item_ids, items, what, unknown)
