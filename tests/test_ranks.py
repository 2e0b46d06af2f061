"""Ranks as a launcher starts them: processes of their own that exchange what they have."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.ranks import start, words

from attrformer.errors import ConfigurationError
from attrformer.ranks import ALONE, LAUNCHED, TIMEOUT, Ranks, current, joined

pytestmark = pytest.mark.slow


class Third(Ranks):
    rank, size = 2, 3


EXCHANGE = """
import mmap, os
import numpy as np, torch
from attrformer.ranks import current, joined

class Kept:
    def __init__(self):
        self.numbers, self.none, self.text = np.arange(5000.0), np.empty(0, dtype=np.int64), ("a", None)

with joined() as ranks:
    assert current() is ranks and (ranks.rank, ranks.size) == (int(os.environ["RANK"]), 3)
    values = torch.full((3,), float(ranks.rank + 1))
    ranks.sum(values)
    assert values.tolist() == [6.0, 6.0, 6.0]
    # Two rows, two rows, and none: a rank may own nothing.
    table = torch.full((4, 2), -1.0)
    table[ranks.rows(4)] = ranks.rank
    ranks.spread(table)
    assert table[:, 0].tolist() == [0, 0, 1, 1]
    for length in (8, 60):
        # Eight places are summed whole, of sixty those alone that a rank has written; the last rank has written none.
        values, places = torch.zeros(length), torch.tensor([[7, 0, 3], [5, 3], []][ranks.rank], dtype=torch.int64)
        values[places] = 1.5
        found = ranks.sum_at(values, places)
        assert values[[0, 3, 5, 7]].tolist() == [1.5, 3.0, 1.5, 1.5] and values.sum() == 7.5, values
        assert found.tolist() == [0, 3, 5, 7]
    assert ranks.told(lambda: {"rank": ranks.rank}) == {"rank": 0}
    called = []
    assert ranks.in_turn(lambda: called.append(ranks.rank) or ranks.rank) == ranks.rank and called == [ranks.rank]
    made = []
    kept = ranks.shared(lambda: made.append(1) or Kept())
    assert len(made) == ranks.first and kept.text == ("a", None) and len(kept.none) == 0
    assert kept.numbers.sum() == 5000 * 4999 / 2
    # Mapped into memory, and what one rank writes is its own.
    base = kept.numbers
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(memoryview(base).obj, mmap.mmap)
    kept.numbers[:] = ranks.rank
    torch.from_numpy(kept.numbers)
    ranks.sum(torch.zeros(1))
    assert set(kept.numbers) == {float(ranks.rank)}
assert current().size == 1
print("done")
"""


def test_what_ranks_say_to_each_other(tmp_path: Path) -> None:
    assert [words(process).strip() for process in start(EXCHANGE, 3, tmp_path)] == ["done"] * 3
    # What was shared is mapped, and no file is left.
    assert list(tmp_path.iterdir()) == []


SILENT = """
import os, time, torch
from datetime import timedelta
from torch.distributed import group
from attrformer.errors import RankError
from attrformer.ranks import joined

with joined() as ranks:
    ranks.sum(torch.zeros(1))
    gloo = group.WORLD._get_backend(torch.device("cpu"))
    assert gloo.options._timeout == timedelta(seconds=200)
    # All are there; how late one was started does not count.
    gloo._set_default_timeout(timedelta(seconds=5))
    if ranks.rank == 1:
        print("silent", flush=True)
        time.sleep(3600)
    try:
        ranks.sum(torch.zeros(1))
    except RankError as error:
        print(error.reports, error, flush=True)
        # The process group is as good as lost.
        os._exit(0)
"""


def test_a_rank_that_does_not_answer_is_named_by_one_of_the_others(tmp_path: Path) -> None:
    processes = start(SILENT, 3, tmp_path, **{TIMEOUT: "200"})
    try:
        # torch may warn of the connection that broke, at its own length.
        said = [words(processes[rank]).splitlines()[0] for rank in (0, 2)]
    finally:
        processes[1].kill()
        processes[1].communicate()
    assert said == [f"{speaks} Rank 1 has ended or no longer answers, so all ranks stop." for speaks in (True, False)]


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_rows_are_cut_as_dtensor_does(rank: int) -> None:
    import torch

    for count in (1, 2, 3, 4, 7, 9):
        parts = torch.arange(count).chunk(3)
        own = torch.arange(count)[Third().rows(count, rank)]
        assert own.tolist() == (parts[rank].tolist() if rank < len(parts) else [])


def test_one_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LAUNCHED:
        monkeypatch.setenv(name, "1")
    with joined() as ranks:
        assert ranks is ALONE and current() is ALONE
    monkeypatch.delenv("RANK")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with joined() as ranks:
        assert ranks is ALONE


@pytest.mark.parametrize("seconds", ["soon", "-1", "0", "inf", "nan"])
def test_a_timeout_that_is_no_time_is_refused(monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    for name, value in zip(LAUNCHED, ("0", "2", "127.0.0.1", "1"), strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(TIMEOUT, seconds)
    with pytest.raises(ConfigurationError, match=TIMEOUT), joined():
        pass
