"""The lists that an exported model makes of scores, with those rules of a shop that need no relation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.columns import PINNED
from attrformer.errors import ConfigurationError
from attrformer.onnx.folder import Description
from attrformer.onnx.inputs import Codes, item_codes
from attrformer.ordering import best_places
from attrformer.rules.compiled import CompiledRules, compile_rules, require_positions
from attrformer.rules.options import NewItemsRule
from attrformer.rules.request import ShopRules
from attrformer.rules.selection import select

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """How lists are made.

    Args:
        k: items of each.
        rules: of the shop, or None.
        closed: bool `[items]`, what may not be recommended to anybody.
        never: item codes that are not pinned either.
    """

    k: int
    rules: CompiledRules | None
    closed: NDArray[np.bool_]
    never: set[int]

    def of(self, scores: Values, seen: NDArray[np.int32] | None) -> tuple[Codes, Values]:
        """The items of one list in their order, with their scores.

        Args:
            scores: float32 `[items]`, of the model; overwritten.
            seen: item codes of the history that is left out, or None.
        """
        rules = self.rules
        if rules is not None and rules.boost is not None:
            scores += rules.boost
        before = scores.copy() if rules is not None and rules.reorders else scores
        scores[self.closed] = -np.inf
        if rules is not None and rules.open is not None:
            scores[~rules.open] = -np.inf
        if seen is not None:
            scores[seen] = -np.inf
        if rules is None or not rules.reorders:
            best = best_places(scores, self.k)
            return best, scores[best]
        pinned = [(position, item) for position, item in rules.pinned if item not in self.never]
        scores[[item for _, item in pinned]] = -np.inf
        items = best_places(scores, len(scores))
        chosen = select(items, scores[items], None, pinned, rules.selection(self.k, None))
        found = np.array(chosen, dtype=np.int64)
        return found, before[found]

    def marks(self, items: Codes) -> list[pl.Series]:
        """The column that says which items are pinned, where any are.

        Args:
            items: int64 `[n]`, item codes.
        """
        if self.rules is None or not self.rules.pinned:
            return []
        return [pl.Series(PINNED, np.isin(items, [item for _, item in self.rules.pinned]))]


def rules_of(description: Description, k: int, as_of: int | None, **given: Any) -> CompiledRules | None:
    """The rules of a request; None where there are none.

    Args:
        description: of the exported model.
        k: items of a list.
        as_of: when items have the values that rules read, in seconds; the latest values where None.
        given: rules by name.

    Raises:
        ConfigurationError: one cannot be used.
        UnknownIdError: a pinned item is unknown.
        CheckpointError: one reads item attributes, and the model was exported without their values.
    """
    shop = ShopRules.read(given)
    if shop is None:
        return None

    def codes_of(pinned: list[Any]) -> Codes:
        return item_codes(description.items, [str(item) for item in pinned], "pinned")

    def is_new(rule: NewItemsRule) -> NDArray[np.bool_]:
        raise ConfigurationError("An exported model does not have what new_items reads. Leave it out.")

    values, count = description.item_values, len(description.items)
    values = None if values is None else values.at(as_of)
    rules = compile_rules(shop.rules, shop.expression, values, count, codes_of, is_new)
    require_positions(rules.pinned, k)
    return rules
