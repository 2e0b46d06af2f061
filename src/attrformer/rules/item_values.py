"""The attribute values of all items as they are, for rules; relations keep only codes and buckets of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.changing_attributes import ChangingAttribute, from_then_on, merged
from attrformer.data.dataset import Dataset
from attrformer.rules.columns import NUMBERS, SEVERAL, ColumnsAt, as_series, joined, missing, numbers_attribute
from attrformer.rules.stored_changes import PARTS, changing_of, is_sound, parts_of

if TYPE_CHECKING:
    from typing_extensions import Self

READABLE: Final = (*NUMBERS, *SEVERAL, AttributeKind.CATEGORICAL)
"""Kinds that rules read; vectors, texts and locations are compared by relations only."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemValues:
    """A row of attribute values for each item.

    Args:
        n_items: size of the catalogue.
        columns: attributes of the kinds in `READABLE`, each with `n_items` rows; of those that change in time the
            values of one time.
        changes: columns that change in time, each with `n_items` items; empty where their history is not known.
    """

    n_items: int
    columns: Mapping[str, Attribute] = field(default_factory=dict)
    changes: Mapping[str, ChangingAttribute] = field(default_factory=dict)
    _codes: dict[str, dict[str, int]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls, attributes: Mapping[str, Attribute], n_items: int, changes: Mapping[str, ChangingAttribute] | None = None
    ) -> Self:
        """Those of the attributes that rules can read, with the latest values of those that change.

        Args:
            attributes: by column.
            n_items: size of the catalogue.
            changes: attributes that change in time, by column.
        """
        still = {name: each for name, each in attributes.items() if each.kind in READABLE}
        return cls(n_items, ColumnsAt(still, changes or {}, None), changes or {})

    @classmethod
    def of_dataset(cls, dataset: Dataset) -> Self:
        """The values of a dataset, with all changes of those that change in time.

        Args:
            dataset: the data.
        """
        return cls.of(dataset.item_attributes, dataset.item_count, dataset.item_changes)

    @property
    def still(self) -> Mapping[str, Attribute]:
        """The columns that do not change in time."""
        return self.columns.still if isinstance(self.columns, ColumnsAt) else self.columns

    def at(self, time: int | None) -> Self:
        """The values that were true at a time.

        Args:
            time: seconds since 1970, a change at that very time is known; None for the latest values.
        """
        if time is None or not self.changes:
            return self
        found = type(self)(self.n_items, ColumnsAt(self.still, self.changes, time))
        # The values of a column have the same codes at all times.
        object.__setattr__(found, "_codes", self._codes)
        return found

    def come(self, names: Collection[str], time: int) -> tuple[int, ...]:
        """How many changes of some columns have come; at times where these are equal, values are equal.

        Args:
            names: of columns.
            time: seconds since 1970.
        """
        changing = sorted(set(names) & set(self.changes))
        return tuple(int(np.count_nonzero(self.changes[name].times <= time)) for name in changing)

    def with_items(self, attributes: Mapping[str, Attribute], count: int) -> Self:
        """The values of a larger catalogue.

        Args:
            attributes: of the new items; columns that are not among them are missing there. A value of a column that
                changes in time holds until the first change.
            count: how many items are new.
        """
        still = {
            name: joined(old, attributes[name]) if name in attributes else joined(old, missing(old, count))
            for name, old in self.still.items()
        }
        changes = {name: _with_more(old, attributes.get(name), count) for name, old in self.changes.items()}
        return self.of(still, self.n_items + count, changes)

    def with_changes(
        self, changes: Mapping[str, ChangingAttribute], since: Mapping[str, NDArray[np.int64]] | None = None
    ) -> Self:
        """The values with further changes; one at the time of a known one takes its place.

        Args:
            changes: by column, with `n_items` items; of the kind of the column, or new columns.
            since: int64 `[n_items]` by column, from when on the values of columns that did not change so far hold;
                before all changes where it is not said.
        """
        known, still = dict(self.changes), dict(self.still)
        for name, more in changes.items():
            if name in still:
                known[name] = from_then_on(still.pop(name), (since or {}).get(name))
            known[name] = merged(known[name], more) if name in known else more
        return self.of(still, self.n_items, known)

    def overlaid(self, items: NDArray[np.int64], given: Mapping[str, Attribute]) -> Self:
        """The same with other values for some items, at one time.

        Args:
            items: int64 `[m]`, item codes, each once.
            given: attributes with `m` rows; of the kind of the column that they replace, or new columns.
        """
        columns = dict[str, Attribute]()
        base = self.columns if isinstance(self.columns, ColumnsAt) else ColumnsAt(self.columns, {}, None)
        rows = np.arange(self.n_items, dtype=np.int64)
        rows[items] = self.n_items + np.arange(len(items))
        for name, new in given.items():
            old = base[name] if name in base else missing(new, self.n_items)
            columns[name] = joined(old, new).take(rows)
        return type(self)(self.n_items, base.replaced(columns))

    def codes_of(self, name: str) -> Mapping[str, int]:
        """The code of each value of a column.

        Args:
            name: of the column.
        """
        if name not in self._codes:
            self._codes[name] = {value: code for code, value in enumerate(self.columns[name].vocabulary)}
        return self._codes[name]

    def frame(self, names: list[str]) -> pl.DataFrame:
        """Some columns as a table: text, lists of text, numbers and times in UTC, null where missing.

        Args:
            names: of columns.
        """
        return pl.DataFrame([as_series(self.columns[name]).rename(name) for name in names])

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], list[dict[str, Any]]]:
        """Arrays by name and a description that JSON can hold."""
        arrays: dict[str, NDArray[Any]] = {}
        described: list[dict[str, Any]] = []
        for number, name in enumerate(self.columns):
            # Not looked up, which would keep the values of all columns in memory.
            each = self.changes[name].at() if name in self.changes else self.columns[name]
            described.append({"column": name, "kind": each.kind.value, "separator": each.separator})
            if each.date_order:
                described[-1]["date_order"] = each.date_order
            if name in self.changes:
                described[-1]["changes"] = True
                arrays |= {f"{number}/{part}": array for part, array in parts_of(self.changes[name]).items()}
            if each.kind in NUMBERS:
                arrays[f"{number}/numbers"] = each.numbers
                continue
            arrays[f"{number}/offsets"], arrays[f"{number}/codes"] = each.offsets, each.codes
            described[-1]["values"] = list(each.vocabulary)
        return arrays, described

    @classmethod
    def from_arrays(cls, n_items: int, arrays: Mapping[str, NDArray[Any]], described: list[dict[str, Any]]) -> Self:
        """The inverse of `to_arrays`.

        Raises:
            KeyError: an array or a part of the description is missing.
        """
        columns, changes = dict[str, Attribute](), dict[str, ChangingAttribute]()
        for number, told in enumerate(described):
            name, kind = told["column"], AttributeKind(told["kind"])
            if told.get("changes"):
                own = {part: arrays[f"{number}/{part}"] for part in PARTS}
                changes[name] = changing_of(name, kind, tuple(told.get("values", ())), own)
                continue
            if kind in NUMBERS:
                each = numbers_attribute(name, kind, arrays[f"{number}/numbers"], told.get("date_order", ""))
            else:
                offsets, codes = arrays[f"{number}/offsets"], arrays[f"{number}/codes"]
                each = Attribute(name, kind, offsets, codes, tuple(told["values"]), np.empty(0), told["separator"])
            columns[name] = each
        return cls.of(columns, n_items, changes)

    def check(self) -> None:
        """Looks through values that were read from files.

        Raises:
            ValueError: they cannot be those of a fitted model.
        """
        for name, changing in self.changes.items():
            if not is_sound(changing, self.n_items):
                raise ValueError(f"the changes of '{name}' cannot be those of {self.n_items} items")
        for name, each in self.still.items():
            sound = each.offsets.dtype == np.int64 and each.offsets.shape == (self.n_items + 1,)
            if each.kind in NUMBERS:
                sound = sound and each.numbers.dtype == np.float64 and each.numbers.shape == (self.n_items,)
            else:
                sound = sound and each.codes.dtype == np.int32 and each.codes.ndim == 1
                sound = sound and bool((np.diff(each.offsets) >= 0).all()) and each.offsets[0] == 0
                sound = sound and each.offsets[-1] == len(each.codes)
                sound = sound and all(isinstance(value, str) for value in each.vocabulary)
                least, most = each.codes.min(initial=0), each.codes.max(initial=-1)
                sound = sound and least >= 0 and most < len(each.vocabulary)
            if not sound:
                raise ValueError(f"the values of '{name}' cannot be those of {self.n_items} items")


def _with_more(old: ChangingAttribute, given: Attribute | None, count: int) -> ChangingAttribute:
    """A column that changes, for a larger catalogue; what is given of the new items holds until their first change."""
    longer = replace(old, offsets=np.concatenate([old.offsets, np.full(count, old.offsets[-1])]))
    if given is None:
        return longer
    return merged(longer, from_then_on(joined(missing(given, len(old)), given)))
