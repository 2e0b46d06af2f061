"""Behaviour attributes as attention heads: time gap and rating relate positions of one sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.nn import pair_values
from attrformer.nn.batch import Batch
from attrformer.nn.recency import look_up
from attrformer.nn.relations.base import ModuleOptions, RelationModule
from attrformer.relations.positions import GAP_BUCKETS, BehaviourRelation, CategoryRelation, TimeGapRelation

if TYPE_CHECKING:
    from typing_extensions import Self


class TimeGapModule(RelationModule):
    """R(t, s), one learned value for each bucket of the time between two positions.

    Args:
        buckets: number of buckets.
    """

    attends: ClassVar[bool] = True

    def __init__(self, buckets: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(buckets))

    @classmethod
    def make(cls, relation: TimeGapRelation, options: ModuleOptions) -> Self:
        """See `RelationModule.make`."""
        return cls(GAP_BUCKETS)

    def attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """Values for all pairs of positions, `[b, l, l]`; 0 where times are not known."""
        length = batch.items.shape[1]
        if gaps is None:
            return self.value.new_zeros(len(batch.items), length, length)
        return pair_values.of_buckets(self.value, gaps) if pair_values.takes(batch.items) else look_up(self.value, gaps)

    def onnx_attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """See `RelationModule.onnx_attention_values`; one more bucket stands for times that are not known."""
        return torch.cat([self.value, self.value.new_zeros(1)])[gaps]


class BehaviourModule(RelationModule):
    """R(t, s), one learned value for each level of a behaviour attribute at the earlier position.

    Args:
        column: the behaviour attribute.
        levels: number of levels, one for a missing value included.
    """

    attends: ClassVar[bool] = True

    def __init__(self, column: str, levels: int) -> None:
        super().__init__()
        self.column = column
        self.value = nn.Parameter(torch.zeros(levels))

    @classmethod
    def make(cls, relation: BehaviourRelation, options: ModuleOptions) -> Self:
        """See `RelationModule.make`."""
        return cls(relation.column, len(relation.edges) + 2)

    def attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """Values for all pairs of positions, `[b, l, l]`; 0 where the attribute is not known."""
        length = batch.items.shape[1]
        if self.column not in batch.levels:
            return self.value.new_zeros(len(batch.items), length, length)
        return look_up(self.value, batch.levels[self.column]).unsqueeze(1).expand(-1, length, -1)


class CategoryModule(RelationModule):
    """R(t, s), one learned value for each pair of values of a category at the two positions.

    Args:
        column: the behaviour attribute.
        levels: number of values, one for a missing value included.
    """

    attends: ClassVar[bool] = True

    def __init__(self, column: str, levels: int) -> None:
        super().__init__()
        self.column = column
        self.pair = nn.Parameter(torch.zeros(levels, levels))

    @classmethod
    def make(cls, relation: CategoryRelation, options: ModuleOptions) -> Self:
        """See `RelationModule.make`."""
        return cls(relation.column, len(relation.labels) + 1)

    def attention_values(self, batch: Batch, looked_up: Tensor | None, gaps: Tensor | None) -> Tensor:
        """Values for all pairs of positions, `[b, l, l]`; 0 where the attribute is not known."""
        length = batch.items.shape[1]
        if self.column not in batch.levels:
            return self.pair.new_zeros(len(batch.items), length, length)
        levels = batch.levels[self.column]
        # Two products in place of one look-up of pairs, whose gradient would be added up one by one.
        named = F.one_hot(levels, self.pair.shape[0]).to(self.pair.dtype)
        return named @ self.pair @ named.transpose(1, 2)
