"""Rules prepared for one catalogue: masks, amounts and limits by item code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute
from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.rules.absent import Absent, told_of
from attrformer.rules.columns import NUMBERS
from attrformer.rules.conditions import Column, Compare, leaves
from attrformer.rules.item_values import ItemValues
from attrformer.rules.matching import known_column, matching, matching_expression, with_value
from attrformer.rules.options import NewItemsRule, Rules
from attrformer.rules.parsing import parse
from attrformer.rules.selection import Likeness, Limit, Selection

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Boosted:
    """One boost.

    Args:
        text: what it is about, as it was written.
        items: bool `[n_items]`, whom it is about.
        amount: what is added to their scores.
    """

    text: str
    items: Mask
    amount: float


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRules:
    """Rules for one catalogue.

    Args:
        n_items: size of the catalogue.
        open: bool `[n_items]`, what may be recommended; None where everything may.
        open_items: int64, the codes of the same, ascending.
        boosts: what is boosted, in the order of the rules.
        boost: float32 `[n_items]`, their sum; None where there is none.
        added: float32 `[n_items]`, the same, and -inf for what may not be recommended; None where it would be 0.
        limits: of `at_most`.
        diversity: from 0 to 1.
        new: bool `[n_items]`, which items are new; None where none is given room.
        share: of a list that is kept for new items.
        last: whether new items stand behind all others of a list.
        pinned: positions from 1 on and item codes, by position.
        told: sentences about values that no item has.
    """

    n_items: int
    open: Mask | None = None
    open_items: NDArray[np.int64] | None = None
    boosts: tuple[Boosted, ...] = ()
    boost: NDArray[np.float32] | None = None
    added: NDArray[np.float32] | None = None
    limits: tuple[Limit, ...] = ()
    diversity: float = 0.0
    new: Mask | None = None
    share: float = 0.0
    last: bool = False
    pinned: tuple[tuple[int, int], ...] = ()
    told: tuple[str, ...] = ()

    @property
    def reorders(self) -> bool:
        """Whether lists are more than the best of what is open."""
        return bool(self.limits or self.diversity or self.new is not None or self.pinned)

    def selection(self, k: int, likeness: Likeness | None) -> Selection:
        """How a list of k items is made.

        Args:
            k: items of a list.
            likeness: of items, for diversity.
        """
        return Selection(k, self.limits, self.diversity, self.new, self.share, likeness, self.last)

    def only_boosts(self) -> CompiledRules | None:
        """The rules that change scores; None where there are none."""
        return CompiledRules(self.n_items, boosts=self.boosts, boost=self.boost) if self.boosts else None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything that a list depends on, to tell rules apart."""
        found: dict[str, NDArray[Any]] = {"numbers": np.array([self.diversity, self.share, self.last])}
        found["pinned"] = np.array(self.pinned, dtype=np.int64)
        found |= {name: getattr(self, name) for name in ("open", "boost", "new") if getattr(self, name) is not None}
        for limit in self.limits:
            found |= {f"limit {limit.column}": limit.codes, f"offsets {limit.column}": limit.offsets}
            found |= {f"most {limit.column}": np.array([limit.most])}
        return found


def compile_rules(
    rules: Rules,
    expression: pl.Expr | None,
    values: ItemValues | None,
    n_items: int,
    codes_of: Callable[[list[Any]], NDArray[np.int64]],
    is_new: Callable[[NewItemsRule], Mask],
) -> CompiledRules:
    """Rules for one catalogue.

    Args:
        rules: as they were given.
        expression: a polars expression in place of `rules.where`, or None.
        values: attribute values of all items; None where the model does not have them.
        n_items: size of the catalogue.
        codes_of: codes of item ids, for pinned ones.
        is_new: which items are new, bool `[n_items]`.

    Raises:
        RuleError: a condition cannot be read, or does not fit the attributes.
        ConfigurationError: a column or value does not exist.
        CheckpointError: a rule reads attributes and the model does not have them.
    """
    reads = rules.where is not None or expression is not None or rules.boosts or rules.at_most
    if reads and values is None:
        raise CheckpointError(
            "The model was saved by a version that did not keep the values of item attributes, which these rules "
            "read. Fit it again, or give the values with the request (item_values)."
        )
    held = ItemValues(n_items) if values is None else values
    opened, absent = None, list[Absent]()
    if rules.where is not None:
        opened = matching(parse(rules.where), held, rules.where, tell=absent.append)
    if expression is not None:
        more = matching_expression(expression, held)
        opened = more if opened is None else opened & more
    boosts = tuple(_boosted(what, amount, held, absent.append) for what, amount in rules.boosts)
    boost = _total(boosts, n_items)
    pinned = codes_of([item for _, item in rules.pinned]) if rules.pinned else np.empty(0, np.int64)
    return CompiledRules(
        n_items,
        opened,
        None if opened is None else np.flatnonzero(opened),
        boosts,
        boost,
        _added(opened, boost),
        tuple(_limit(column, most, held) for column, most in rules.at_most.items()),
        rules.diversity,
        None if rules.new_items is None else is_new(rules.new_items),
        0.0 if rules.new_items is None else rules.new_items.share,
        rules.new_items is not None and rules.new_items.last,
        tuple((position, int(code)) for (position, _), code in zip(rules.pinned, pinned, strict=True) if code >= 0),
        told_of(absent),
    )


def columns_read(rules: Rules, expression: pl.Expr | None = None) -> set[str]:
    """The item attributes that rules read.

    Args:
        rules: as they were given.
        expression: a polars expression in place of `rules.where`, or None.

    Raises:
        RuleError: a condition cannot be read.
    """
    found = set(rules.at_most) | set([] if expression is None else expression.meta.root_names())
    texts = [rules.where, *(what for what, _ in rules.boosts if isinstance(what, str))]
    for text in texts:
        for leaf in () if text is None else leaves(parse(text)):
            found.add(leaf.column.name)
            if isinstance(leaf, Compare) and isinstance(leaf.value, Column):
                found.add(leaf.value.name)
    return found | {what[0] for what, _ in rules.boosts if not isinstance(what, str)}


def require_positions(pinned: Mapping[int, int] | tuple[tuple[int, int], ...], k: int) -> None:
    """Refuses pinned items behind the end of the list.

    Args:
        pinned: positions and items.
        k: items of a list.

    Raises:
        ConfigurationError: there is one.
    """
    for position, _ in dict(pinned).items():
        if position > k:
            raise ConfigurationError(f"pinned names position {position} of lists of {k} items. Give {k} at most.")


def _boosted(
    what: str | tuple[str, str], amount: float, values: ItemValues, tell: Callable[[Absent], object]
) -> Boosted:
    if isinstance(what, str):
        return Boosted(what, matching(parse(what, "boost"), values, what, "boost", tell), amount)
    column, value = what
    return Boosted(f"{column} is {value}", with_value(column, value, values, "boost", tell), amount)


def _total(boosts: tuple[Boosted, ...], n_items: int) -> NDArray[np.float32] | None:
    if not boosts:
        return None
    total = np.zeros(n_items, dtype=np.float64)
    for each in boosts:
        total[each.items] += each.amount
    return total.astype(np.float32)


def _added(opened: Mask | None, boost: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    if opened is None:
        return boost
    added = np.zeros(len(opened), dtype=np.float32) if boost is None else boost.copy()
    added[~opened] = -np.inf
    return added


def _limit(column: str, most: int, values: ItemValues) -> Limit:
    attribute = known_column(column, values, "at_most")
    if attribute.kind not in NUMBERS:
        return Limit(column, most, attribute.offsets, attribute.codes)
    return _numbers_limit(column, most, attribute)


def _numbers_limit(column: str, most: int, attribute: Attribute) -> Limit:
    known = ~np.isnan(attribute.numbers)
    codes = np.unique(attribute.numbers[known], return_inverse=True)[1].reshape(-1).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(known)]).astype(np.int64)
    return Limit(column, most, offsets, codes)
