"""Attributes that change in time as relations: R(i at s, j at t) = phi(v_i(s))^T M phi(v_j(t)).

What an item of the history had when it was taken is compared with what every item has at the time of the latest
interaction. Nothing that became true later is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.data.attributes import Attribute
from attrformer.data.changing_attributes import ChangingAttribute, in_order
from attrformer.data.sequences import Sequences
from attrformer.relations import wording
from attrformer.relations.array_checks import FLOATS, INTEGERS, require_array, require_that
from attrformer.relations.attribute_encoder import STORED_AS, AttributeEncoder
from attrformer.relations.base import Arrays, Labels, NewItems, Relation, Sources, chosen
from attrformer.relations.naming import relation_name

if TYPE_CHECKING:
    from typing_extensions import Self

OPTION: Final = "relations.changing_attributes"

_PARTS: Final = ("offsets", "times", "codes", "diagonal")


@dataclass(frozen=True, slots=True, eq=False)
class ChangingAttributeRelation(Relation):
    """The values of every item over time, and the starting diagonal of M; M itself is learned.

    Args:
        column: of the table of changes.
        offsets: int64 `[items + 1]`, item i owns the changes `offsets[i]:offsets[i + 1]`, oldest first.
        times: int64 `[m]`, seconds since 1970 from which on a value holds; ascending and distinct for each item.
        codes: int64 `[m]`, value codes, -1 where the value is missing, or relates to nothing, from then on.
        diagonal: float32 `[values]`, at the start: squared inverse frequency, scaled to a maximum of 1.
        labels: external value of each code.
        encoder: how changes that come later are read.
    """

    kind: ClassVar[str] = "changing_attribute"
    relates_items: ClassVar[bool] = True
    reads_times: ClassVar[bool] = True

    column: str
    offsets: NDArray[np.int64]
    times: NDArray[np.int64]
    codes: NDArray[np.int64]
    diagonal: NDArray[np.float32]
    labels: tuple[str, ...]
    encoder: AttributeEncoder

    @property
    def name(self) -> str:
        """As that of other attributes of items, such as "item_price"."""
        return relation_name("item", self.column)

    @property
    def source(self) -> str:
        """The column."""
        return self.column

    @property
    def changing_columns(self) -> Mapping[str, AttributeEncoder]:
        """See `Relation.changing_columns`."""
        return {self.column: self.encoder}

    @property
    def value_labels(self) -> tuple[str, ...]:
        """The values as people read them."""
        return self.encoder.spoken(self.labels)

    @property
    def exact_labels(self) -> tuple[str, ...]:
        """The values in full precision, by which those of two models are matched."""
        return self.encoder.exact(self.labels)

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One for each column that the options name and that tells items apart during the training."""
        available = sources.item_changes
        names = chosen(options.changing_attributes, available, OPTION)
        period = period_of(sources.train)
        if period is None:
            return []
        made = [
            changing_attribute_relation(available[name], period, buckets=options.buckets, max_values=options.max_values)
            for name in names
        ]
        return [relation for relation in made if relation is not None]

    def with_items(self, new: NewItems) -> Self:
        """New items have no values until an update brings changes of them."""
        return replace(self, offsets=np.concatenate([self.offsets, np.full(len(new), self.offsets[-1])]))

    def with_changes(self, changes: Mapping[str, ChangingAttribute]) -> Self:
        """See `Relation.with_changes`; values that training has not seen relate to nothing.

        Changes within one bucket are kept: one that comes in later, of a time before them, ends where they begin.
        """
        more = changes.get(self.column)
        if more is None or not len(more.times):
            return self
        owner = np.concatenate([np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets)), more.items])
        times = np.concatenate([self.times, more.times])
        codes = np.concatenate([self.codes, encoded(self.encoder, more.as_attribute(), self.labels)])
        kept = in_order(owner, times)
        offsets = offsets_of(np.bincount(owner[kept], minlength=len(self.offsets) - 1))
        return replace(self, offsets=offsets, times=times[kept], codes=codes[kept])

    def values_at(self, time: int | None = None) -> NDArray[np.int64]:
        """The value code of every item at a time, int64 `[items]`, -1 where none is known; the latest for None."""
        lengths = np.diff(self.offsets)
        if time is not None:
            owner = np.repeat(np.arange(len(lengths)), lengths)
            lengths = np.bincount(owner[self.times <= time], minlength=len(lengths))
        place = self.offsets[:-1] + lengths - 1
        return np.where(lengths > 0, np.append(self.codes, -1)[place], -1)

    def row(self, key: int) -> NDArray[np.float32]:
        """R(key, j) for every item j before any learning, by the latest values, float32 `[items]`."""
        values = self.values_at()
        same = (values == values[key]) & (values >= 0)
        out: NDArray[np.float32] = (same * np.append(self.diagonal, np.float32(0))[values]).astype(np.float32)
        return out

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `Relation.to_arrays`."""
        arrays, encoder = AttributeEncoder.to_arrays(self.encoder)
        arrays |= {part: getattr(self, part) for part in _PARTS}
        return arrays, {"column": self.column, "labels": list(self.labels), STORED_AS: encoder}

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> Self:
        """See `Relation.from_arrays`."""
        parts = {part: arrays[part] for part in _PARTS}
        encoder = AttributeEncoder.from_described(described[STORED_AS], arrays["edges"], arrays["buckets"])
        return cls(described["column"], labels=tuple(described["labels"]), encoder=encoder, **parts)

    def check(self, items: int, users: int) -> None:
        """See `Relation.check`."""
        values, name, count = len(self.labels), self.column, len(self.times)
        require_array(f"offsets of '{name}'", self.offsets, INTEGERS, (items + 1,), least=0, most=count)
        ends = self.offsets[0] == 0 and self.offsets[-1] == count
        require_that(bool(ends and (np.diff(self.offsets) >= 0).all()), f"offsets of '{name}' do not span all changes")
        require_array(f"times of '{name}'", self.times, INTEGERS, (count,))
        first = np.zeros(count + 1, dtype=bool)
        first[self.offsets] = True
        ascending = bool((np.diff(self.times)[~first[1:-1]] > 0).all()) if count else True
        require_that(ascending, f"times of '{name}' are not ascending")
        require_array(f"codes of '{name}'", self.codes, INTEGERS, (count,), least=-1, most=values - 1)
        require_array(f"diagonal of '{name}'", self.diagonal, FLOATS, (values,))
        self.encoder.check(name)

    def parameter_axes(self, relations: Mapping[str, Relation]) -> dict[str, list[Labels]]:
        """See `Relation.parameter_axes`."""
        labels = self.exact_labels
        return {"log_diagonal": [labels], "left": [labels, None], "right": [labels, None]}

    def reason(self, own: int, other: int, title: str) -> str:
        """The sentence that explains an answer by a pair of values.

        Args:
            own: value code that the item of the history had when it was taken.
            other: value code that the answer has at the time of the latest interaction.
            title: of the item of the history.
        """
        labels = self.value_labels
        if own == other:
            return wording.shared_then(self.column, labels[own], title)
        return wording.paired_then(self.column, labels[own], labels[other], title)


def period_of(train: Sequences) -> tuple[int, int] | None:
    """Time of the first and of the last training interaction, in seconds; None where there are no times."""
    return None if train.times is None or not len(train.times) else (int(train.times.min()), int(train.times.max()))


def changing_attribute_relation(
    attribute: ChangingAttribute, period: tuple[int, int], *, buckets: int, max_values: int
) -> ChangingAttributeRelation | None:
    """Turns an attribute that changes in time into a relation.

    Which values there are, how common each is and where numbers are cut is told by the changes up to the last training
    interaction alone; later ones are read as values of that time.

    Args:
        attribute: one list of changes for each item.
        period: time of the first and of the last training interaction.
        buckets: most buckets of a number.
        max_values: the commonest values that are kept.

    Returns:
        The relation, or None where no value of the training tells items apart.
    """
    known = attribute.until(period[1])
    encoder, values = AttributeEncoder.of(known.as_attribute(), buckets)
    held = values_of_rows(values)
    share, holders = _frequency(known, held, len(values.vocabulary), period)
    telling = np.flatnonzero((holders >= 2) & (share > 0) & (share < 1))
    kept = np.sort(telling[np.argsort(-share[telling], kind="stable")[:max_values]])
    if not len(kept):
        return None
    labels, encoder = tuple(values.vocabulary[code] for code in kept), encoder.keeping(kept)
    idf = -np.log(share[kept])
    return ChangingAttributeRelation(
        attribute.name,
        attribute.offsets,
        attribute.times,
        encoded(encoder, attribute.as_attribute(), labels),
        (idf**2 / (idf**2).max()).astype(np.float32),
        labels,
        encoder,
    )


def encoded(encoder: AttributeEncoder, values: Attribute, labels: tuple[str, ...]) -> NDArray[np.int64]:
    """The value code of each change, int64 `[m]`, -1 for what is missing or has no code."""
    rows, codes = encoder.codes(values, labels)
    found = np.full(len(values), -1, dtype=np.int64)
    found[rows] = codes
    return found


def values_of_rows(values: Attribute) -> NDArray[np.int64]:
    """The code of each row of a categorical attribute, int64 `[n]`, -1 where missing."""
    found = np.full(len(values), -1, dtype=np.int64)
    found[np.diff(values.offsets) > 0] = values.codes
    return found


def _frequency(
    known: ChangingAttribute, held: NDArray[np.int64], count: int, period: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each value, the share of items and time of the training in which it held, and how many items ever had it.

    Args:
        known: changes up to the end of the period.
        held: int64 `[m]`, the value of each, -1 for none.
        count: of values.
        period: first and last second of the training.
    """
    begin, end = period[0], period[1] + 1
    until = np.append(known.times[1:], end)
    until[known.offsets[1:][np.diff(known.offsets) > 0] - 1] = end
    lasted = np.clip(until, begin, end) - np.clip(known.times, begin, end)
    there = (held >= 0) & (lasted > 0)
    share = np.bincount(held[there], lasted[there].astype(np.float64), minlength=count)
    pairs = np.unique(known.items[there] * max(count, 1) + held[there])
    return share / ((end - begin) * max(len(known), 1)), np.bincount(pairs % max(count, 1), minlength=count)
