"""Ranks: the processes that train one model together, and what they say to each other.

A launcher such as `torchrun` starts them. Everything goes through a `Ranks`, which for one process does nothing.
"""

from __future__ import annotations

import json
import mmap
import os
import pickle
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrformer.errors import ConfigurationError, RankError, is_out_of_memory

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Value = TypeVar("Value")

LAUNCHED: Final = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables that a launcher sets for each process."""

TIMEOUT: Final = "ATTRFORMER_RANK_TIMEOUT"
"""Variable with the seconds after which a rank that does not answer is given up."""

_SECONDS: Final = 600.0
_ROLL_CALL: Final = 3.0
"""Seconds within which ranks that are alive say so, once one is lost."""

_ALIGNED: Final = 64


class Ranks:
    """One process that trains alone; `joined` gives those of several."""

    rank = 0
    """Number of this process, from 0."""
    size = 1
    """Number of processes (world size)."""

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which alone writes and speaks."""
        return self.rank == 0

    def rows(self, count: int, rank: int | None = None) -> slice:
        """The rows that a rank owns of a table, as `torch.distributed.tensor.Shard` cuts it.

        Args:
            count: rows of the table.
            rank: whose; None: of this process.
        """
        step = -(-count // self.size)
        start = (self.rank if rank is None else rank) * step
        return slice(min(start, count), min(start + step, count))

    def sum(self, values: Tensor) -> None:
        """Replaces a tensor by its sum over all ranks.

        Args:
            values: contiguous, of the same shape on all ranks.
        """

    def spread(self, values: Tensor) -> None:
        """Completes a table of which each rank has filled its own `rows`.

        Args:
            values: contiguous, of the same shape on all ranks.
        """

    def told(self, tell: Callable[[], Value]) -> Value:
        """What rank 0 says, on all ranks; they wait for it.

        Args:
            tell: called by rank 0 alone; its result can be written as JSON.
        """
        return tell()

    def in_turn(self, make: Callable[[], Value]) -> Value:
        """What every rank makes for itself, rank 0 first, so that a mistake is found and said once.

        Args:
            make: called by every rank.
        """
        found = [make()] if self.first else []
        self.told(lambda: None)
        return found[0] if found else make()

    def shared(self, make: Callable[[], Value]) -> Value:
        """What is made once on each machine; the arrays in it are mapped into memory by all ranks there.

        Args:
            make: called by one rank of each machine; it gives the same everywhere.
        """
        return make()

    def safely(self, call: Callable[[], Value]) -> Value:
        """Makes a call that needs all ranks.

        Args:
            call: made by every rank.

        Raises:
            RankError: another rank was lost meanwhile.
        """
        return call()

    def device(self, wanted: torch.device) -> torch.device:
        """The device of this rank.

        Args:
            wanted: of the options.
        """
        return wanted


ALONE: Final = Ranks()

_current: Ranks = ALONE


def current() -> Ranks:
    """The ranks that this process has joined; a single one outside of `joined`."""
    return _current


@contextmanager
def joined() -> Iterator[Ranks]:
    """Joins the ranks that a launcher has started, so that `fit` trains one model on all of them.

    Every rank has to make the same calls. Without a launcher, or with one process, this does nothing.

    Yields:
        The ranks.

    Raises:
        ConfigurationError: the launcher or this installation of torch cannot be used.
        RankError: another rank did not come or was lost.
    """
    global _current
    if not all(os.environ.get(name) for name in LAUNCHED) or os.environ["WORLD_SIZE"] == "1":
        yield ALONE
        return
    ranks = _join()
    _current = ranks
    try:
        yield ranks
        ranks.leave()
    finally:
        _current = ALONE
        ranks.close()


def _join() -> JoinedRanks:
    import torch
    import torch.distributed as dist

    local = int(os.environ.get("LOCAL_RANK", 0))
    if torch.cuda.is_available():
        if local >= torch.cuda.device_count():
            raise ConfigurationError(
                f"Rank {os.environ['RANK']} has no device of its own: this machine has {torch.cuda.device_count()}. "
                "Start as many processes as there are devices."
            )
        torch.cuda.set_device(local)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    made = not dist.is_initialized()
    if made:
        try:
            dist.init_process_group(backend, timeout=timedelta(seconds=_timeout()))
        except (RuntimeError, ValueError) as error:
            raise RankError(f"Rank {os.environ['RANK']} could not join the others ({error}).") from error
    return JoinedRanks(local, made)


def _timeout() -> float:
    given = os.environ.get(TIMEOUT)
    if not given:
        return _SECONDS
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise ConfigurationError(f"{TIMEOUT} is '{given}'. Give seconds, a number above 0.")
    return seconds


class JoinedRanks(Ranks):
    """The ranks of the default process group of torch, which exists.

    Args:
        local_rank: number of this process on its machine.
        made: whether the process group ends with these.
    """

    def __init__(self, local_rank: int, made: bool) -> None:
        import torch.distributed as dist

        self._dist, self._made, self._local = dist, made, local_rank
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._local_size = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        self._machine = os.environ.get("GROUP_RANK", str(self.rank) if self._local_size == 1 else "0")
        restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = dist.distributed_c10d._get_default_store()
        self._store = dist.PrefixStore(f"attrformer/{restarts}", store)
        self._calls = 0

    def sum(self, values: Tensor) -> None:
        """See `Ranks.sum`."""
        self.safely(lambda: self._dist.all_reduce(values))

    def spread(self, values: Tensor) -> None:
        """See `Ranks.spread`."""
        parts = ((values[self.rows(len(values), rank)], rank) for rank in range(self.size))
        works = [
            self.safely(partial(self._dist.broadcast, part, rank, async_op=True))
            for part, rank in parts
            if len(part)
        ]
        for work in works:
            self.safely(work.wait)

    def told(self, tell: Callable[[], Value]) -> Value:
        """See `Ranks.told`."""
        key = self._key("told")
        if self.first:
            value = tell()
            self.safely(lambda: self._store.set(key, json.dumps(value)))
            return value
        self._wait(lambda: self._store.check([key]))
        value: Value = json.loads(self.safely(lambda: self._store.get(key)))
        return value

    def shared(self, make: Callable[[], Value]) -> Value:
        """See `Ranks.shared`."""
        key = f"{self._key('shared')}/{self._machine}"
        if self._local_size == 1:
            return make()
        if self._local:
            self._wait(lambda: self._store.check([key]))
            value: Value = _mapped(Path(self.safely(lambda: self._store.get(key)).decode()))
            self.safely(lambda: self._store.add(f"{key}/mapped", 1))
            return value
        folder = Path(tempfile.mkdtemp(prefix="attrformer-"))
        try:
            _write(make(), folder)
            # What was made is let go, so that the machine holds the arrays once.
            value = _mapped(folder)
            self.safely(lambda: self._store.set(key, str(folder)))
            self._wait(lambda: self._store.add(f"{key}/mapped", 0) == self._local_size - 1)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return value

    def device(self, wanted: torch.device) -> torch.device:
        """See `Ranks.device`."""
        import torch

        return torch.device(wanted.type, self._local) if wanted.type == "cuda" else wanted

    def leave(self) -> None:
        """Waits until every rank has come this far: rank 0 may be where the others' messages lie."""
        key = self._key("left")
        self.safely(lambda: self._store.add(key, 1))
        if self.first:
            self._wait(lambda: self._store.add(key, 0) == self.size)

    def close(self) -> None:
        """Ends the process group, if it was made for these ranks."""
        if self._made:
            with suppress(RuntimeError):
                self._dist.destroy_process_group()

    def _key(self, kind: str) -> str:
        self._calls += 1
        return f"{kind}/{self._calls}"

    def _wait(self, done: Callable[[], bool]) -> None:
        # A call that waits inside of the store would keep signals from this process.
        while not self.safely(done):
            time.sleep(0.02)

    def safely(self, call: Callable[[], Value]) -> Value:
        """See `Ranks.safely`."""
        try:
            return call()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise self._lost(error) from error

    def _lost(self, error: RuntimeError) -> RankError:
        """Who is missing, once an exchange has failed."""
        alive = {self.rank}
        with suppress(RuntimeError):
            self._store.set(f"alive/{self.rank}", "")
            until = time.monotonic() + _ROLL_CALL
            while len(alive) < self.size and time.monotonic() < until:
                alive |= {rank for rank in range(self.size) if self._store.check([f"alive/{rank}"])}
                time.sleep(0.05)
        missing = [str(rank) for rank in range(self.size) if rank not in alive]
        if not missing:
            return RankError(f"The ranks have lost their connection ({error}).", speaks=self.rank == min(alive))
        who = f"Rank {missing[0]} has" if len(missing) == 1 else f"Ranks {', '.join(missing)} have"
        return RankError(f"{who} ended or no longer answers, so all ranks stop.", speaks=self.rank == min(alive))


def _write(value: object, folder: Path) -> None:
    """Writes a value so that `_mapped` finds its arrays outside of the pickle."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    places: list[tuple[int, int]] = []
    with (folder / "arrays").open("wb") as file:
        for buffer in buffers:
            raw = buffer.raw()
            file.write(b"\0" * (-file.tell() % _ALIGNED))
            places.append((file.tell(), raw.nbytes))
            file.write(raw)
        # An empty file cannot be mapped.
        file.write(b"\0")
    (folder / "value").write_bytes(pickle.dumps((head, places)))


def _mapped(folder: Path) -> Any:
    """What `_write` wrote, in a folder that nobody else can write to; pages are copied only where they are changed."""
    head, places = pickle.loads((folder / "value").read_bytes())
    with (folder / "arrays").open("rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    return pickle.loads(head, buffers=[whole[start : start + size] for start, size in places])
