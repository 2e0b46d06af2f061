"""How often workers that die are replaced, and when no more."""

from __future__ import annotations

from collections import deque
from typing import Final

DEATHS: Final = 5
"""Workers that may die within `WITHIN` seconds; with one more the service ends."""

WITHIN: Final = 60.0


class Deaths:
    """When workers died, and whether it is worth going on."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def seconds_to_wait(self, now: float) -> float | None:
        """Notes a death: seconds until another worker may take the place, None where too many have died.

        Args:
            now: seconds of a clock that only goes forwards.
        """
        self._times.append(now)
        while now - self._times[0] > WITHIN:
            self._times.popleft()
        deaths = len(self._times)
        if deaths > DEATHS:
            return None
        # The first at once, the others less and less so.
        return 0.0 if deaths == 1 else 0.1 * 2**deaths
