"""The attribute values of all items as they are, for rules; relations keep only codes and buckets of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.dataset import Dataset

if TYPE_CHECKING:
    from typing_extensions import Self

NUMBERS: Final = (AttributeKind.NUMERIC, AttributeKind.TIME)
"""Kinds whose values are numbers."""

SEVERAL: Final = (AttributeKind.MULTI, AttributeKind.HIERARCHY, AttributeKind.WEIGHTED)
"""Kinds with several values for an item."""

READABLE: Final = (*NUMBERS, *SEVERAL, AttributeKind.CATEGORICAL)
"""Kinds that rules read; vectors, texts and locations are compared by relations only."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemValues:
    """A row of attribute values for each item.

    Args:
        n_items: size of the catalogue.
        columns: attributes of the kinds in `READABLE`, each with `n_items` rows.
    """

    n_items: int
    columns: Mapping[str, Attribute] = field(default_factory=dict)
    _codes: dict[str, dict[str, int]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, attributes: Mapping[str, Attribute], n_items: int) -> Self:
        """Those of the attributes that rules can read.

        Args:
            attributes: by column.
            n_items: size of the catalogue.
        """
        return cls(n_items, {name: each for name, each in attributes.items() if each.kind in READABLE})

    @classmethod
    def latest(cls, dataset: Dataset) -> Self:
        """The values of a dataset; of attributes that change in time the latest ones.

        Args:
            dataset: the data.
        """
        changing = {name: each.at() for name, each in dataset.item_changes.items()}
        return cls.of({**dataset.item_attributes, **changing}, dataset.item_count)

    def with_items(self, attributes: Mapping[str, Attribute], count: int) -> Self:
        """The values of a larger catalogue.

        Args:
            attributes: of the new items; columns that are not among them are missing there.
            count: how many items are new.
        """
        columns = {
            name: joined(old, attributes[name]) if name in attributes else joined(old, _missing(old, count))
            for name, old in self.columns.items()
        }
        return type(self)(self.n_items + count, columns)

    def overlaid(self, items: NDArray[np.int64], given: Mapping[str, Attribute]) -> Self:
        """The same with other values for some items.

        Args:
            items: int64 `[m]`, item codes, each once.
            given: attributes with `m` rows; of the kind of the column that they replace, or new columns.
        """
        columns = dict(self.columns)
        rows = np.arange(self.n_items, dtype=np.int64)
        rows[items] = self.n_items + np.arange(len(items))
        for name, new in given.items():
            old = columns.get(name) or _missing(new, self.n_items)
            columns[name] = joined(old, new).take(rows)
        return type(self)(self.n_items, columns)

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
        return pl.DataFrame([_series(self.columns[name]).rename(name) for name in names])

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], list[dict[str, Any]]]:
        """Arrays by name and a description that JSON can hold."""
        arrays: dict[str, NDArray[Any]] = {}
        described: list[dict[str, Any]] = []
        for number, (name, each) in enumerate(self.columns.items()):
            described.append({"column": name, "kind": each.kind.value, "separator": each.separator})
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
        columns = {}
        for number, told in enumerate(described):
            name, kind = told["column"], AttributeKind(told["kind"])
            if kind in NUMBERS:
                each = numbers_attribute(name, kind, arrays[f"{number}/numbers"])
            else:
                offsets, codes = arrays[f"{number}/offsets"], arrays[f"{number}/codes"]
                each = Attribute(name, kind, offsets, codes, tuple(told["values"]), np.empty(0), told["separator"])
            columns[name] = each
        return cls(n_items, columns)

    def check(self) -> None:
        """Looks through values that were read from files.

        Raises:
            ValueError: they cannot be those of a fitted model.
        """
        for name, each in self.columns.items():
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


def numbers_attribute(name: str, kind: AttributeKind, numbers: NDArray[np.float64]) -> Attribute:
    """An attribute of numbers or times.

    Args:
        name: of the column.
        kind: numeric or time.
        numbers: float64 `[n]`, NaN where missing.
    """
    return Attribute(name, kind, np.zeros(len(numbers) + 1, np.int64), np.empty(0, np.int32), (), numbers)


def joined(first: Attribute, second: Attribute) -> Attribute:
    """The rows of two attributes of one kind behind each other; values of the second one may be new.

    Args:
        first: whose name the result has.
        second: of the same kind.
    """
    if first.kind in NUMBERS:
        return numbers_attribute(first.name, first.kind, np.concatenate([first.numbers, second.numbers]))
    codes = {value: code for code, value in enumerate(first.vocabulary)}
    renumber = np.array([codes.setdefault(value, len(codes)) for value in second.vocabulary], dtype=np.int32)
    return replace(
        first,
        offsets=np.concatenate([first.offsets, first.offsets[-1] + second.offsets[1:]]),
        codes=np.concatenate([first.codes, renumber[second.codes].astype(np.int32)]),
        vocabulary=tuple(codes),
        weights=np.empty(0, np.float32),
    )


def _missing(like: Attribute, count: int) -> Attribute:
    """An attribute of the same kind without any value."""
    if like.kind in NUMBERS:
        return numbers_attribute(like.name, like.kind, np.full(count, np.nan))
    offsets = np.zeros(count + 1, dtype=np.int64)
    return Attribute(like.name, like.kind, offsets, np.empty(0, np.int32), (), np.empty(0), like.separator)


def _series(attribute: Attribute) -> pl.Series:
    if attribute.kind in NUMBERS:
        numbers = pl.Series(attribute.numbers, nan_to_null=True)
        if attribute.kind is AttributeKind.NUMERIC:
            return numbers
        return (numbers.cast(pl.Int64) * 1000).cast(pl.Datetime("ms", "UTC"))
    lengths = np.diff(attribute.offsets)
    values = pl.Series(attribute.vocabulary, dtype=pl.String)
    owner = np.repeat(np.arange(len(attribute)), lengths)
    if attribute.kind is AttributeKind.CATEGORICAL:
        found = np.full(len(attribute), -1, dtype=np.int64)
        found[owner[::-1]] = attribute.codes[::-1]
        return _gathered(values, found)
    texts = pl.DataFrame({"owner": owner, "text": values.gather(attribute.codes)})
    lists = texts.group_by("owner", maintain_order=True).agg("text")
    every = pl.DataFrame({"owner": np.arange(len(attribute))})
    return every.join(lists, on="owner", how="left", maintain_order="left")["text"]


def _gathered(values: pl.Series, codes: NDArray[np.int64]) -> pl.Series:
    known = pl.Series(codes)
    return values.gather(known.set(known < 0, None))
