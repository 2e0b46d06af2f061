"""What is prepared of the relations once, so that what they add to a large catalogue is quickly added up."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrformer.retrieval.compiled import CompiledContribution, CompiledGroups, CompiledRows
from attrformer.retrieval.pruning import Sums

Codes = NDArray[np.int64]
Values = NDArray[np.float32]
Groups = list[tuple[tuple[str, ...], CompiledGroups]]

_JOINED = 1 << 17
"""Most groups of attributes that are looked up together; a table of so many values stays close to the processor."""

_STRONG = 64
"""One item in so many counts as a strong one of its row."""


class Memory:
    """What is looked up in the relations again and again; it belongs to one state of one model.

    Args:
        items: catalogue size.
    """

    def __init__(self, items: int) -> None:
        self._items = items
        self._groups: dict[tuple[str, ...], NDArray[np.int32]] = {}
        self._rows: dict[tuple[str, int], tuple[Codes, Values]] = {}
        self._scratch = threading.local()

    def sums(self, names: list[str], contributions: list[CompiledContribution]) -> Sums:
        """What the relations add to every item; overwritten when the same thread asks again.

        Args:
            names: of the relations.
            contributions: what they say of one history.
        """
        if not hasattr(self._scratch, "rows"):
            # Fresh memory of this size is given out page by page, which takes longer than what is done with it.
            self._scratch.rows = np.empty((2, self._items), dtype=np.float32)
        total, spare = self._scratch.rows
        groups: Groups = []
        others: list[CompiledContribution] = []
        rows: list[tuple[str, CompiledRows]] = []
        for name, contribution in zip(names, contributions, strict=True):
            if isinstance(contribution, CompiledGroups):
                groups.append(((name,), contribution))
            elif isinstance(contribution, CompiledRows) and len(contribution.rows) == 1:
                rows.append((name, contribution))
            else:
                others.append(contribution)
        joined = self._joined(groups)
        if joined:
            joined[0].write_to(total)
        else:
            total.fill(0.0)
        for each in [*joined[1:], *others]:
            each.add_to(total, spare)
        return self._with_rows(total, rows)

    def _joined(self, groups: Groups) -> list[CompiledGroups]:
        """The same sum from fewer contributions: attributes that have few groups are looked up together."""
        joined: Groups = []
        for name, contribution in sorted(groups, key=lambda named: len(named[1].values)):
            if joined and len(joined[-1][1].values) * len(contribution.values) <= _JOINED:
                before, first = joined.pop()
                name, contribution = (*before, *name), self._together((*before, *name), first, contribution)
            joined.append((name, contribution))
        return [
            CompiledGroups(contribution.values, self._narrow(name, contribution.of_item))
            for name, contribution in joined
        ]

    def _together(self, names: tuple[str, ...], first: CompiledGroups, second: CompiledGroups) -> CompiledGroups:
        if names not in self._groups:
            both = first.of_item.astype(np.int64) * len(second.values) + second.of_item
            self._narrow(names, both)
        return CompiledGroups(np.add.outer(first.values, second.values).ravel(), self._groups[names])

    def _narrow(self, names: tuple[str, ...], of_item: NDArray[Any]) -> NDArray[np.int32]:
        """Numbers of 32 bits: most of the time of looking them up goes into reading them."""
        if names not in self._groups:
            self._groups[names] = of_item.astype(np.int32)
        return self._groups[names]

    def _with_rows(self, total: Values, rows: list[tuple[str, CompiledRows]]) -> Sums:
        """Whole rows stay aside: they add nearly the same to most items, and can decide at few."""
        strong: list[Codes] = []
        ceiling = most = 0.0
        for name, contribution in rows:
            if contribution.gate <= 0:
                continue
            items, limits = self._row(name, contribution)
            strong.append(items)
            usual, largest = contribution.added(limits * contribution.weights[0])
            ceiling, most = ceiling + float(usual), most + float(largest)
        return Sums(total, [contribution for _, contribution in rows], strong, ceiling, most)

    def _row(self, name: str, contribution: CompiledRows) -> tuple[Codes, Values]:
        """The strong items of a row; what is the largest of all others, and of all."""
        row = int(contribution.rows[0])
        if (name, row) not in self._rows:
            values = contribution.values[row]
            place = len(values) - 1 - len(values) // _STRONG
            usual = np.partition(values, place)[place]
            limits = np.array([usual, values.max()], dtype=np.float32)
            self._rows[name, row] = np.flatnonzero(values > usual), limits
        return self._rows[name, row]
