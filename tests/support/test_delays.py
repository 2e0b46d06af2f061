from __future__ import annotations

from types import SimpleNamespace

import pytest
from tests.support import delays


def test_pauses_between_lines_leave_long_work_a_few_times_as_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0, slept=0.0)

    def sleep(seconds: float) -> None:
        clock.now += seconds
        clock.slept += seconds

    monkeypatch.setattr(delays, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(delays, "_sleep", sleep)
    delays.seed("1", "lines")
    rest, lines = SimpleNamespace(), 1_000_000
    for _ in range(lines):
        delays.pause_and_rest(rest)
        clock.now += 1e-6
    assert 2 < clock.slept / (lines * 1e-6) < 6
