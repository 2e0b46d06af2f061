"""What a call will cost in seconds, learned from what calls before it took."""

from __future__ import annotations

from typing import Any, Final

from attrformer.server.calls import EXPLAIN, RECOMMEND, SIMILAR, Call

PIECE: Final = 0.03
"""Seconds that a call which is answered in pieces takes at a time."""

_PERSON: Final = 20.0
"""Rows of an answer that cost about as much as reading a history and scoring the catalogue for it."""

_ID: Final = 0.2
"""Rows of an answer that cost about as much as an id of a request."""

_START: Final = {RECOMMEND: 2e-5, EXPLAIN: 2e-4, SIMILAR: 2e-5}
"""Seconds for each row of an answer, until something has been measured."""

_FEWEST: Final = {RECOMMEND: 500, EXPLAIN: 50, SIMILAR: 500}
"""Rows of a piece at least: less would not be faster, for each piece takes some time in itself."""

_LEARNING: Final = 0.2
_LEAST, _MOST, _SLOWEST = 1e-7, 1e-1, 10.0


class Prices:
    """Seconds by method; only the thread of the model learns, anybody may ask.

    What a row costs is learned in seconds of the processor. How many times as long it takes where others use the
    processor, too, is learned apart, since that is the same for all rows and changes faster.
    """

    def __init__(self) -> None:
        self._rates = dict(_START)
        self._slowness = 1.0

    def of(self, call: Call, catalogue: int) -> float:
        """Seconds that a call will take.

        Args:
            call: what is asked.
            catalogue: items that can be recommended.
        """
        rows = call.asked * (_PERSON + rows_of_each(call, catalogue))
        ids = _ID * _named(call.arguments.get("histories"))
        return self._slowness * (self._rates[call.method] * rows + self._rates[RECOMMEND] * ids)

    def rows(self, method: str) -> int:
        """Rows of an answer, those that stand for people among them, that take as long as a piece may.

        Where others use the processor, too, a piece holds less: who waits for it notices how long it takes in all.
        """
        return max(_FEWEST[method], int(PIECE / (self._rates[method] * self._slowness)))

    def people(self, method: str, rows: int) -> int:
        """People, or items, with so many rows of the answer each, who can be answered in one piece."""
        return max(1, int(self.rows(method) / (_PERSON + rows)))

    def learn(self, method: str, people: int, rows: int, seconds: float, passed: float) -> None:
        """Tells what a call, or a piece of one, has taken.

        Args:
            method: of the recommender.
            people: or items that it asked about.
            rows: of the answer, all together.
            seconds: of the processor.
            passed: seconds that passed meanwhile.
        """
        rate = min(max(seconds / (people * _PERSON + rows), _LEAST), _MOST)
        # What has become dearer is believed at once, so that the next piece is small enough.
        share = 0.5 if rate > self._rates[method] else _LEARNING
        self._rates[method] += share * (rate - self._rates[method])
        slowness = min(max(passed / max(seconds, _LEAST), 1.0), _SLOWEST)
        self._slowness += _LEARNING * (slowness - self._slowness)


def rows_of_each(call: Call, catalogue: int) -> int:
    """Rows of the answer for each person or item."""
    k = min(int(call.arguments.get("k", 10)), catalogue)
    given = call.arguments.get("items") if call.method == EXPLAIN else None
    return k if given is None else min(len(given), catalogue)


def _named(histories: Any) -> int:
    if histories is None:
        return 0
    rows = histories.values() if isinstance(histories, dict) else histories
    return sum(map(len, rows))
