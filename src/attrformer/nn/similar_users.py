"""Similar users found and read where the network computes (docs/paper.md, part 3, position-to-position aggregation)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from attrformer.compiled import is_ready
from attrformer.nn.batch import NeighbourBatch
from attrformer.ranks import Ranks
from attrformer.relations.user_index import UserIndex

TABLE_ENTRIES = 1 << 28
"""Items times users up to which a CUDA device searches in a whole table of who had what."""

BLOCK_ENTRIES = 1 << 23
"""Contexts times users that are searched at a time there."""

MANY = 1 << 12
"""Fewer positions are not worth a compiled pass."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignedUsers:
    """Similar training users of some contexts, and where each stood, as `Alignment` has them, on a device.

    Args:
        positions: int32 `[n, k]`, -1 where there are fewer than k.
        similarity: float32 `[n, k]`, 0 where there are fewer.
    """

    positions: Tensor
    similarity: Tensor

    def rows(self, chosen: NDArray[np.int64]) -> AlignedUsers:
        """Those of some of the contexts."""
        index = torch.from_numpy(chosen).to(self.positions.device)
        return AlignedUsers(self.positions[index], self.similarity[index])

    def of_all_ranks(self, count: int, ranks: Ranks) -> AlignedUsers:
        """All contexts, where these are the ones that this rank owns.

        Args:
            count: contexts in all.
            ranks: that have searched, each its own.
        """
        if ranks.size == 1:
            return self
        whole = AlignedUsers(*(own.new_empty(count, own.shape[1]) for own in (self.positions, self.similarity)))
        for own, every in ((self.positions, whole.positions), (self.similarity, whole.similarity)):
            every[ranks.rows(count)] = own
            ranks.spread(every)
        return whole


class SimilarUsers:
    """Finds and reads the users of an index on a device.

    On a CUDA device that happens in a table of all users and items, where that is not too large; elsewhere the index
    searches itself. Both ways find the same users.

    Args:
        index: of the training users.
        device: where it is read.
    """

    def __init__(self, index: UserIndex, device: torch.device) -> None:
        self._index, self._device = index, device
        train = index.train
        owner = train.row_of_position().astype(np.int32)
        # The last one is that of no position.
        self._owner = torch.from_numpy(np.append(owner, np.int32(-1))).to(device)
        # After each user, and in the end for no position, there is room for whole horizons of no item.
        rooms = np.full(len(train.items) + (len(train) + 2) * index.horizon, -1, dtype=np.int32)
        rooms[np.arange(len(owner)) + owner.astype(np.int64) * index.horizon] = train.items
        self._rooms = torch.from_numpy(rooms).to(device)
        self._following = self._rooms.unfold(0, index.horizon, 1)
        entries = len(index.idf) * max(len(train), 1)
        self._table = _Table(index, device) if device.type == "cuda" and entries <= TABLE_ENTRIES else None

    def align(self, anchors: NDArray[np.int64], users: NDArray[np.int64]) -> AlignedUsers:
        """The most similar users of each context; see `UserIndex.align`.

        Args:
            anchors: int64 `[n, anchors]`, latest items of each context, most recent first, -1 for none.
            users: int64 `[n]`, the training user that each context belongs to and that is left out, -1 for none.
        """
        if self._table is not None and self._index.count and len(anchors):
            return self._table.align(anchors, users)
        found = self._index.align(anchors, users)
        return AlignedUsers(
            torch.from_numpy(found.positions).to(self._device), torch.from_numpy(found.similarity).to(self._device)
        )

    def read(self, found: AlignedUsers, shape: tuple[int, ...]) -> NeighbourBatch:
        """What the users did right after the positions where they are aligned.

        Args:
            found: users of all places of a batch, in the order of rows.
            shape: of the places, `(b, t)`.
        """
        users, following = self._next(found.positions)
        return NeighbourBatch(
            users.view(*shape, -1), found.similarity.view(*shape, -1), following.view(*shape, *following.shape[1:])
        )

    def _next(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        horizon = self._following.shape[1]
        if positions.numel() < MANY or positions.device.type != "cpu" or not is_ready():
            owner, long = self._owner[positions], positions.long()
            # No position is one before the first: it begins with the room in the end.
            return owner, self._following[long + owner.long() * horizon + 1]
        from attrformer.nn.similar_user_kernels import read

        users, following = torch.empty_like(positions), positions.new_empty(*positions.shape, horizon)
        arrays = (positions.flatten(), self._owner, self._rooms, users.view(-1), following.view(-1, horizon))
        read(*(tensor.numpy() for tensor in arrays))
        return users, following


class _Table:
    """Where each user last had each item, searched for many contexts at once.

    Args:
        index: of the training users.
        device: an accelerator, or a CPU where the result is to be compared with the index's own.
    """

    def __init__(self, index: UserIndex, device: torch.device) -> None:
        self._index, self._device = index, device
        holders, items = index.holders, len(index.idf)
        self._users = holders.count
        # The last row stands for anchors that are not there.
        self._latest = torch.full((items + 1, self._users), -1, dtype=torch.int32, device=device)
        flat = self._latest.view(-1)
        flat[torch.from_numpy(holders.pairs).to(device)] = torch.from_numpy(holders.positions).to(device)
        lengths = np.maximum(np.diff(index.train.offsets), 1) if len(index.train) else np.ones(1)
        self._roots = torch.from_numpy(np.sqrt(lengths).astype(np.float32)).to(device)
        # Of equal similarities the user with the lower code comes first.
        self._tie = torch.arange(self._users - 1, -1, -1, device=device)

    def align(self, anchors: NDArray[np.int64], users: NDArray[np.int64]) -> AlignedUsers:
        """See `SimilarUsers.align`."""
        step = max(1, BLOCK_ENTRIES // self._users)
        blocks = [self._block(anchors[k : k + step], users[k : k + step]) for k in range(0, len(anchors), step)]
        return AlignedUsers(torch.cat([found for found, _ in blocks]), torch.cat([found for _, found in blocks]))

    def _block(self, anchors: NDArray[np.int64], users: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        index, width = self._index, anchors.shape[1]
        weights = torch.from_numpy(index.anchor_weights(anchors)).to(self._device)
        items = torch.from_numpy(np.where(anchors >= 0, anchors, len(index.idf))).to(self._device)
        scores = torch.zeros(len(anchors), self._users, device=self._device)
        for slot in range(width):
            scores += (self._latest[items[:, slot]] >= 0) * weights[:, slot : slot + 1]
        similarity = scores.div_(self._roots)
        own = torch.from_numpy(users).to(self._device).unsqueeze(1)
        of_own = similarity.gather(1, own.clamp_min(0)).masked_fill(own >= 0, 0.0)
        similarity.scatter_(1, own.clamp_min(0), of_own)
        # The bits of numbers that are not negative have the order of the numbers.
        keys = (similarity.view(torch.int32).long() << 32) | self._tie
        best = keys.topk(min(index.count, self._users), 1).indices
        values = similarity.gather(1, best)
        stood = self._latest[items.unsqueeze(2), best.unsqueeze(1)]
        slots = torch.arange(width, device=self._device).view(1, -1, 1)
        newest = torch.where(stood >= 0, slots, width).amin(1, keepdim=True).clamp_max(width - 1)
        positions = stood.gather(1, newest).squeeze(1).masked_fill(values <= 0, -1)
        missing = (0, index.count - best.shape[1])
        return F.pad(positions, missing, value=-1), F.pad(values, missing)
