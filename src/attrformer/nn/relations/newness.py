"""How new items are as a module: an offset for each group of items, by the groups that the history is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from attrformer.nn.batch import Batch
from attrformer.nn.contributions import Contribution
from attrformer.nn.offsets import OffsetContribution
from attrformer.nn.recency import RecencyProfile, distance_bins
from attrformer.nn.relations.base import ContributingModule, Gate, ModuleOptions
from attrformer.relations.newness import GROUPS, NewnessRelation

if TYPE_CHECKING:
    from typing_extensions import Self

DECAY: Final = 0.6
"""An interaction counts this much less for each step back."""


class NewnessModule(ContributingModule):
    """Adds b(g_j) + sum_s w_s M(g_s, g_j) to the score of item j, g its group and w_s a share of the history.

    Training leaves it alone: its gate is 1 and its recency profile falls by `DECAY`. b and M are 0 until they are
    fitted (`recommender/newness.py`).

    Args:
        relation: the group of each item.
        gate: signed.
        recency: its recency profile.
    """

    groups: Tensor

    def __init__(self, relation: NewnessRelation, gate: Gate, recency: RecencyProfile) -> None:
        super().__init__(gate, recency)
        self.padding = len(relation.groups)
        self.register_buffer("groups", torch.from_numpy(relation.groups), persistent=False)
        self.bias = nn.Parameter(torch.zeros(GROUPS))
        self.pairs = nn.Parameter(torch.zeros(GROUPS, GROUPS))
        with torch.no_grad():
            gate.bias.fill_(1.0)
        self.requires_grad_(False)

    @classmethod
    def make(cls, relation: NewnessRelation, options: ModuleOptions) -> Self:
        """See `RelationModule.make`."""
        return cls(relation, Gate(options.width, 1.0, signed=True), options.recency(DECAY))

    def _of_history(self, batch: Batch) -> Tensor:
        """Group of each position, int64 `[b, l]`; padding has any."""
        return self.groups[batch.items.clamp_max(self.padding - 1)]

    def contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> tuple[Contribution, Tensor]:
        """The offset of each group."""
        shares = weights / weights.sum(2, keepdim=True).clamp_min(1e-12)
        return OffsetContribution(self.groups), torch.bmm(shares, self.pairs[self._of_history(batch)]) + self.bias

    def values_between(self, batch: Batch, items: Tensor) -> Tensor:
        """M(g_s, g_j); see `ContributingModule.values_between`."""
        return self.pairs[self._of_history(batch).unsqueeze(2), self.groups[items].unsqueeze(1)]

    def onnx_contribution(self, batch: Batch, looked_up: Tensor | None, weights: Tensor) -> Tensor:
        """See `ContributingModule.onnx_contribution`; the offsets as they are."""
        shares = weights / weights.sum(2, keepdim=True).clamp_min(1e-12)
        offsets = torch.bmm(shares, self.pairs[self._of_history(batch)]) + self.bias
        return offsets.squeeze(1).index_select(1, self.groups)


@torch.no_grad()
def weight_by_distance(length: int) -> Tensor:
    """How much an interaction counts by how many steps it lies back, float32 `[length]`; far ones share a value.

    Args:
        length: longest history.
    """
    return RecencyProfile(length, DECAY, 0, {}).by_distance[distance_bins(length)[0]].exp()
