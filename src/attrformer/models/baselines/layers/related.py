"""Relations between items as a teacher: which pairs are related, and pairs to learn from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attrformer.csr import offsets_of
from attrformer.models.baselines.layers.attributes import with_padding
from attrformer.relations.item_attribute import ItemAttributeRelation
from attrformer.relations.row_table import RowRelation

RAREST = 8
"""Values of an item that are compared, the rarest; it bounds what a pair costs."""

WHOLE_ELEMENTS = 1 << 22
"""Size up to which an attribute is kept as one row of all values for each item."""


class ItemRelation(nn.Module):
    """A relation between items that does not learn."""

    def between(self, history: Tensor, following: Tensor) -> Tensor:
        """How much each item of a history is related to each item that follows.

        Args:
            history: int64 `[b, l]`, the catalogue size as padding.
            following: int64 `[b, t]`, items.

        Returns:
            float32 `[b, t, l]`, 0 to 1; 0 for padding.
        """
        raise NotImplementedError

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Random related pairs: items evenly among those that are related to any, and one of their related items.

        Args:
            count: number of pairs.

        Returns:
            Two int64 `[count]`.
        """
        raise NotImplementedError


class SharedValues(ItemRelation):
    """Items that share values of one attribute.

    R(i, j) is the cosine of phi(i) and phi(j) with values weighted by inverse document frequency: for an attribute with
    one value, 1 where the values are equal and 0 elsewhere.

    Args:
        relation: values of every item.
    """

    codes: Tensor
    shares: Tensor
    owners: Tensor
    members: Tensor
    starts: Tensor
    rank: Tensor
    whole: Tensor | None

    def __init__(self, relation: ItemAttributeRelation) -> None:
        super().__init__()
        codes, shares = _rarest(relation)
        items, slots = codes.shape
        filled = np.flatnonzero(shares.ravel() > 0)
        # Stable, so that the members of a value are in the order of the catalogue.
        filled = filled[np.argsort(codes.ravel()[filled], kind="stable")]
        counts = np.bincount(codes.ravel()[filled], minlength=len(relation.labels))
        starts = offsets_of(counts)
        rank = np.zeros(items * slots, dtype=np.int64)
        rank[filled] = np.arange(len(filled)) - np.repeat(starts[:-1], counts)
        buffers: dict[str, Tensor | None] = {
            "codes": with_padding(codes),
            "shares": with_padding(shares),
            "owners": torch.from_numpy(np.flatnonzero(shares.any(1))),
            "members": torch.from_numpy(filled // slots),
            "starts": torch.from_numpy(starts),
            "rank": torch.from_numpy(rank.reshape(items, slots)),
            "whole": None,
        }
        if slots > 1 and items * len(relation.labels) <= WHOLE_ELEMENTS:
            dense = np.zeros((items, len(relation.labels)), dtype=np.float32)
            np.add.at(dense, (np.arange(items)[:, None], codes), shares)
            buffers["whole"] = with_padding(dense)
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def between(self, history: Tensor, following: Tensor) -> Tensor:
        """See `ItemRelation.between`."""
        if self.whole is not None:
            return self.whole[following] @ self.whole[history].transpose(1, 2)
        codes, shares = self.codes[history].unsqueeze(1), self.shares[history].unsqueeze(1)
        total = shares.new_zeros(*following.shape, history.shape[1])
        for slot in range(self.codes.shape[1]):
            code = self.codes[following, slot][:, :, None, None]
            shared = ((codes == code) * shares).sum(3)
            total += shared * self.shares[following, slot].unsqueeze(2)
        return total

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """See `ItemRelation.draw`; the value that is shared is drawn by its weight in the cosine."""
        items = self.owners[torch.randint(len(self.owners), (count,), device=self.owners.device)]
        slot = torch.multinomial(self.shares[items].square(), 1).squeeze(1)
        value, rank = self.codes[items, slot], self.rank[items, slot]
        others = self.starts[value + 1] - self.starts[value] - 1
        drawn = _below(others)
        drawn = drawn + ((drawn >= rank) & (others > 0))
        return items, self.members[self.starts[value] + drawn]


class KnownPairs(ItemRelation):
    """Items joined by an edge table: 1 where the table leads from the item of the history to the other one.

    Args:
        relation: of the edge table.
    """

    keys: Tensor
    sources: Tensor
    targets: Tensor
    starts: Tensor

    def __init__(self, relation: RowRelation) -> None:
        super().__init__()
        source, target = _pairs(relation.for_inference())
        self.items = relation.columns
        counts = np.bincount(source, minlength=self.items)
        sources = np.flatnonzero(counts)
        buffers = {
            "keys": source * self.items + target,
            "sources": sources,
            "targets": target,
            "starts": offsets_of(counts),
        }
        for name, value in buffers.items():
            self.register_buffer(name, torch.from_numpy(value.astype(np.int64)), persistent=False)

    def between(self, history: Tensor, following: Tensor) -> Tensor:
        """See `ItemRelation.between`."""
        wanted = history.unsqueeze(1) * self.items + following.unsqueeze(2)
        at = torch.searchsorted(self.keys, wanted).clamp_max(len(self.keys) - 1)
        return (self.keys[at] == wanted).float()

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """See `ItemRelation.draw`."""
        items = self.sources[torch.randint(len(self.sources), (count,), device=self.sources.device)]
        drawn = _below(self.starts[items + 1] - self.starts[items])
        return items, self.targets[self.starts[items] + drawn]


def _below(counts: Tensor) -> Tensor:
    """A random whole number from 0 up to below each count, 0 where the count is 0."""
    drawn = (torch.rand(counts.shape, device=counts.device, dtype=torch.float64) * counts).long()
    return drawn


def _rarest(relation: ItemAttributeRelation) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The rarest values of each item and their weights, whose squares sum to one, both `[items, slots]`."""
    weights = np.sqrt(relation.diagonal)[relation.codes] * relation.weights
    order = np.argsort(-weights, axis=1, kind="stable")[:, :RAREST]
    codes, weights = np.take_along_axis(relation.codes, order, 1), np.take_along_axis(weights, order, 1)
    norm = np.sqrt((weights**2).sum(1, keepdims=True))
    return codes, (weights / np.maximum(norm, 1e-12)).astype(np.float32)


def _pairs(relation: RowRelation) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sources and targets of the edges, in the order of both; an item is not joined to itself."""
    if relation.dense is not None:
        source, target = np.nonzero(relation.dense > 0)
    else:
        indices, values = relation.entries(slice(None))
        source, place = np.nonzero(values > 0)
        target = indices[source, place].astype(np.int64)
    kept = source != target
    return source[kept], target[kept]
