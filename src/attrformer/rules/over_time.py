"""Rules at many times: what they say of an item is computed once for each time at which the item changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.changing_attributes import ALWAYS, ChangingAttribute
from attrformer.rules.columns import numbers_attribute
from attrformer.rules.compiled import CompiledRules, columns_read, compile_rules
from attrformer.rules.item_values import ItemValues
from attrformer.rules.options import Rules
from attrformer.rules.selection import Limit

Codes = NDArray[np.int64]
NewAt = Callable[[int], NDArray[np.bool_]]

_APART: Final = 1 << 16
"""Changes between two states that are kept; as many as the catalogue has items where these are more."""

_LIMIT: Final = "limit "


@dataclass(frozen=True, slots=True, eq=False)
class _Versions:
    """Items between two of their changes, by item and time; every item has one from before its first change.

    Args:
        items: int64 `[v]`, the item of each.
        times: int64 `[v]`, from when on it holds.
        places: int64 by column, for each version the change of the column that holds then, -1 where none has come.
    """

    items: Codes
    times: Codes
    places: Mapping[str, Codes]

    @classmethod
    def of(cls, changes: Mapping[str, ChangingAttribute], n_items: int) -> _Versions:
        """The versions that some columns make."""
        items = np.concatenate([np.arange(n_items), *(each.items for each in changes.values())])
        times = np.concatenate([np.full(n_items, ALWAYS), *(each.times for each in changes.values())])
        order = np.lexsort((times, items))
        first = np.ones(len(order), dtype=bool)
        first[1:] = (np.diff(items[order]) != 0) | (np.diff(times[order]) != 0)
        version = np.empty(len(order), dtype=np.int64)
        version[order] = np.cumsum(first) - 1
        items, times = items[order][first], times[order][first]
        places, start = {}, n_items
        for name, each in changes.items():
            come = np.zeros(len(items), dtype=np.int64)
            come[version[start : start + len(each.times)]] = 1
            start += len(each.times)
            # Versions stand as changes do, by item and time: so many have come is which one holds.
            latest = np.cumsum(come) - 1
            places[name] = np.where(latest >= each.offsets[items], latest, -1)
        return cls(items, times, places)

    def values(self, still: Mapping[str, Attribute], changes: Mapping[str, ChangingAttribute]) -> ItemValues:
        """The values of every version."""
        columns = {name: each.take(self.items) for name, each in still.items()}
        columns |= {name: _chosen(each, self.places[name]) for name, each in changes.items()}
        return ItemValues(len(self.items), columns)


class RulesOverTime:
    """Rules at many times.

    Args:
        rules: without an expression, which may compare items with each other.
        values: of all items, with their changes.
        at_some_time: the same rules, compiled for any time.
        new_at: which items are new at a time, bool `[n_items]`; None where no rule is about that.
    """

    def __init__(self, rules: Rules, values: ItemValues, at_some_time: CompiledRules, new_at: NewAt | None) -> None:
        self._plain, self._new_at = at_some_time, new_at
        if rules.new_items is None or rules.new_items.within is None:
            # They are the same at all times.
            self._new_at = None
        read = columns_read(rules)
        changes = {name: each for name, each in values.changes.items() if name in read}
        versions = _Versions.of(changes, values.n_items)
        held = versions.values({name: each for name, each in values.still.items() if name in read}, changes)
        asked = replace(rules, pinned=(), new_items=None)
        found = compile_rules(asked, None, held, len(versions.items), _nobody, lambda _: np.empty(0, bool))
        self._said: dict[str, NDArray[Any]] = {
            name: array
            for name, array in (("open", found.open), ("boost", found.boost), ("added", found.added))
            if array is not None
        }
        self._said |= {f"{_LIMIT}{limit.column}": _dense(limit) for limit in found.limits if limit.column in changes}
        order = np.argsort(versions.times, kind="stable")
        self._times, self._order, self._items = versions.times[order], order, versions.items[order]
        self._apart = max(_APART, values.n_items)
        self._kept: list[Codes] = []
        state = np.empty(values.n_items, dtype=np.int64)
        for start in range(0, len(order), self._apart):
            self._kept.append(state.copy())
            self._advance(state, start, start + self._apart)

    def at(self, times: Codes) -> Iterator[tuple[CompiledRules, int, int]]:
        """The rules at some times.

        Args:
            times: int64 `[n]`, seconds since 1970, ascending.

        Yields:
            Rules, and the half-open range of times that they hold for; of boosts they have the sum alone.
        """
        if not len(times):
            return
        # A change at that very time is known.
        come = np.searchsorted(self._times, times, side="right")
        differs = np.diff(come if self._new_at is None else times) != 0
        starts = [0, *(np.flatnonzero(differs) + 1).tolist(), len(times)]
        state, passed = self._state(int(come[0])), int(come[0])
        said = {name: array[state] for name, array in self._said.items()}
        for start, stop in pairwise(starts):
            changed = slice(passed, int(come[start]))
            for name, array in self._said.items():
                said[name][self._items[changed]] = array[self._order[changed]]
            passed = changed.stop
            yield self._compiled(said, int(times[start])), start, stop

    def _compiled(self, said: Mapping[str, NDArray[Any]], time: int) -> CompiledRules:
        found: Any = {name: said[name].copy() for name in ("open", "boost", "added") if name in said}
        codes = [said.get(f"{_LIMIT}{limit.column}") for limit in self._plain.limits]
        limits = (
            each if own is None else _limit(each, own) for each, own in zip(self._plain.limits, codes, strict=True)
        )
        new = self._plain.new if self._new_at is None else self._new_at(time)
        opened = np.flatnonzero(found["open"]) if "open" in found else None
        return replace(self._plain, **found, open_items=opened, boosts=(), limits=tuple(limits), new=new)

    def _state(self, come: int) -> Codes:
        """The version of every item once so many have come, int64 `[n_items]`."""
        block = min(come // self._apart, len(self._kept) - 1)
        state = self._kept[block].copy()
        self._advance(state, block * self._apart, come)
        return state

    def _advance(self, state: Codes, start: int, stop: int) -> None:
        # Of several versions of one item the last one stays.
        state[self._items[start:stop]] = self._order[start:stop]


def _chosen(each: ChangingAttribute, places: Codes) -> Attribute:
    """The values of a column by change, missing where a place is -1."""
    if each.kind is AttributeKind.NUMERIC:
        return numbers_attribute(each.name, each.kind, np.append(each.numbers, np.nan)[places])
    codes = np.append(each.codes, np.int32(-1))[places]
    known = codes >= 0
    return Attribute(each.name, each.kind, offsets_of(known), codes[known], each.vocabulary, np.empty(0))


def _dense(limit: Limit) -> NDArray[np.int32]:
    """The code of each row of a limit, -1 where it has none; columns that change have one value at a time."""
    codes = np.full(len(limit.offsets) - 1, -1, dtype=np.int32)
    codes[np.diff(limit.offsets) > 0] = limit.codes
    return codes


def _limit(limit: Limit, codes: NDArray[np.int32]) -> Limit:
    known = codes >= 0
    return replace(limit, offsets=offsets_of(known), codes=codes[known])


def _nobody(_: list[Any]) -> Codes:
    return np.empty(0, dtype=np.int64)
