"""The ranks of a process group of torch."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from attrformer.errors import RankError, is_out_of_memory
from attrformer.ranks.base import Ranks
from attrformer.ranks.mapped import mapped, write_mappable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Value = TypeVar("Value")

_ROLL_CALL: Final = 3.0
"""Seconds within which ranks that are alive say so, once one is lost."""


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
        # Several machines of a launcher may be one host; torchrun and Ray Train number them by different names.
        host = f"{os.environ.get('NODE_RANK', '')}@{socket.gethostname()}"
        self._machine = os.environ.get("GROUP_RANK", host)
        restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = dist.distributed_c10d._get_default_store()
        self._store = dist.distributed_c10d.PrefixStore(f"attrformer/{restarts}", store)
        self._calls = 0

    def sum(self, values: Tensor) -> None:
        """See `Ranks.sum`."""
        self.safely(lambda: self._dist.all_reduce(values))

    def sum_at(self, values: Tensor, places: Tensor) -> Tensor:
        """See `Ranks.sum_at`; places and their values are sent where that is less than the whole vector."""
        import torch

        most = self._most(places)
        if self.size * most >= len(values):
            self.sum(values)
            return values.nonzero()[:, 0]
        # Whole numbers and the bits of floats in one exchange; what is filled up adds 0 to place 0.
        told = places.new_zeros(self.size, 2, most, dtype=torch.int32)
        told[self.rank, 0, : len(places)] = places
        told[self.rank, 1, : len(places)] = values[places].view(torch.int32)
        self.spread(told)
        values[places] = 0.0
        for numbers, bits in told:
            values.index_add_(0, numbers, bits.view(torch.float32))
        found: Tensor = torch.unique(told[:, 0])
        return found.long()

    def spread(self, values: Tensor) -> None:
        """See `Ranks.spread`."""
        parts = ((values[self.rows(len(values), rank)], rank) for rank in range(self.size))
        works = [
            self.safely(partial(self._dist.broadcast, part, rank, async_op=True)) for part, rank in parts if len(part)
        ]
        for work in works:
            self.safely(work.wait)

    def union(self, values: Tensor) -> Tensor:
        """See `Ranks.union`."""
        import torch

        own: Tensor = torch.unique(values)
        most = self._most(own)
        # Of equal length; what is filled up is no value.
        every = own.new_full((self.size * most,), -1)
        every[self.rank * most : self.rank * most + len(own)] = own
        self.spread(every)
        found: Tensor = torch.unique(every)
        return found[found >= 0]

    def _most(self, values: Tensor) -> int:
        """The length of the longest of the ranks' vectors, at least 1."""
        counts = values.new_zeros(self.size)
        counts[self.rank] = len(values)
        self.sum(counts)
        return max(int(counts.max()), 1)

    def told(self, tell: Callable[[], Value]) -> Value:
        """See `Ranks.told`."""
        key = self._key("told")
        if self.first:
            own = tell()
            self.safely(lambda: self._store.set(key, json.dumps(own)))
            return own
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
            theirs: Value = mapped(Path(self.safely(lambda: self._store.get(key)).decode()))
            self.safely(lambda: self._store.add(f"{key}/mapped", 1))
            return theirs
        folder = Path(tempfile.mkdtemp(prefix="attrformer-"))
        try:
            write_mappable(make(), folder)
            # What was made is let go, so that the machine holds the arrays once.
            value: Value = mapped(folder)
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
            return RankError(f"The ranks have lost their connection ({error}).", reports=self.rank == min(alive))
        who = f"Rank {missing[0]} has" if len(missing) == 1 else f"Ranks {', '.join(missing)} have"
        return RankError(f"{who} ended or no longer answers, so all ranks stop.", reports=self.rank == min(alive))
