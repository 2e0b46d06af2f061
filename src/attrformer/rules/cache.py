"""Rules that were prepared for a catalogue, kept for requests that bring the same again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from attrformer.rules.compiled import CompiledRules


class RuleCache:
    """The rules that were asked for last; it belongs to one state of one model.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int = 32) -> None:
        self._most, self._lock = most, threading.Lock()
        self._kept: OrderedDict[str, CompiledRules] = OrderedDict()

    def get(self, key: str, make: Callable[[], CompiledRules]) -> CompiledRules:
        """The rules of a key, made where they are not kept.

        Args:
            key: equal for equal rules.
            make: prepares them.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made
