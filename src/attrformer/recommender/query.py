"""Queries to a fitted model, in external ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrformer.recommender.arguments import point_in_time
from attrformer.recommender.ranking import Choice
from attrformer.recommender.requests import Request, read_request
from attrformer.recommender.state import ModelState
from attrformer.recommender.unknown import CATALOGUE, OnUnknown, chosen_items, id_series


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """The arguments that `recommend`, `explain` and `Index.search` have in common, and how they are read.

    Args:
        users: external user ids; all users of the model where no argument names anybody.
        histories: item ids, oldest first: a mapping by user id, a list of lists, or a table.
        user_attributes: a mapping of user id to {attribute: value}, or a table.
        k: items for each user.
        hide_seen: leave out items of the history.
        candidates: external ids of the items to choose from; the whole catalogue where None.
        exclude: external ids of items never to recommend.
        on_unknown: what to do with unknown ids and attribute values: "raise", "warn" or "skip".
        as_of: when items have the values of attributes that change: seconds since 1970, a datetime or ISO 8601 text;
            the time of the last interaction of each history where None.
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

    def read(self, fitted: ModelState) -> tuple[Request, Choice]:
        """The users and the choice of items, in codes of the model.

        Args:
            fitted: the model.

        Raises:
            UnknownIdError: an id or value is unknown and `on_unknown` is "raise".
            DataError: an argument cannot be read.
            ConfigurationError: an argument has a value that cannot be used.
        """
        unknown = OnUnknown(self.on_unknown)
        as_of = None if self.as_of is None else point_in_time(self.as_of, "as_of")
        request = read_request(fitted, self.users, self.histories, self.user_attributes, unknown)
        request = request if as_of is None else replace(request, as_of=as_of)
        chosen, excluded = self.among(fitted, self.candidates, "candidates"), None
        if self.exclude is not None:
            codes = unknown.known(fitted.knowledge.item_ids, id_series(self.exclude, "exclude"), "exclude", CATALOGUE)
            excluded = np.unique(codes[codes >= 0])
        return request, Choice(self.k, self.hide_seen, chosen, excluded)

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
