"""The items of a request as a caller names them, read into a choice; without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.id_map import IdMap
from attrformer.recommender.choice import Choice, ItemLists
from attrformer.recommender.own_lists import is_for_each, own_lists
from attrformer.recommender.short_lists import ShortLists
from attrformer.recommender.unknown import CATALOGUE, OnUnknown, chosen_items, id_series
from attrformer.rules.compiled import CompiledRules


def read_choice(
    ids: IdMap,
    names: pl.Series | None,
    unknown: OnUnknown,
    *,
    k: int,
    hide_seen: bool,
    candidates: Any,
    exclude: Any,
    rules: CompiledRules | None,
) -> Choice:
    """What may be recommended, as arguments say it.

    Args:
        ids: the catalogue.
        names: users of the request, `[n]`; None where nothing can be said of each.
        unknown: what becomes of unknown ids.
        k: items for each.
        hide_seen: leave out what the history holds.
        candidates: external ids to choose from, for everybody or by user; the whole catalogue where None.
        exclude: external ids never to choose, for everybody or by user.
        rules: of the shop, or None.

    Raises:
        UnknownIdError: an id is unknown and not to be left out.
        DataError: an argument cannot be read.
        ConfigurationError: an argument has a value that cannot be used.
    """

    def split(given: Any, what: str) -> tuple[ItemLists | None, Any]:
        """What is given for each user, and what is given for everybody; one of them is None."""
        if names is None or given is None or not is_for_each(given):
            return None, given
        return own_lists(ids, names, given, what, unknown), None

    own_candidates, candidates = split(candidates, "candidates")
    own_excluded, exclude = split(exclude, "exclude")
    chosen = None if candidates is None else chosen_items(ids, candidates, "candidates", unknown)
    excluded: NDArray[np.int64] | None = None
    if exclude is not None:
        codes = unknown.known(ids, id_series(exclude, "exclude"), "exclude", CATALOGUE)
        excluded = np.unique(codes[codes >= 0])
    choice = Choice(k, hide_seen, chosen, excluded, own_candidates, own_excluded, rules)
    return choice.telling(ShortLists(names)) if choice.ruled and names is not None else choice
