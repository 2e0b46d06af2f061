"""What stands for an item: an embedding of its own and those of its attribute values."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from attrformer.compiled import may_round
from attrformer.nn.bags import described
from attrformer.nn.fetched import rows_of
from attrformer.nn.named import NamedParameters
from attrformer.relations.item_attribute import ItemAttributeRelation
from attrformer.relations.naming import module_key, relation_name

UNTRAINED_SHARE: Final = 0.25
"""How much the attribute embeddings of an item count that has no embedding of its own.

They were learned beside embeddings of their own and make up for what those get wrong, so that alone they say less.
"""

MANY_ITEMS: Final = 1 << 10
"""Fewer rows are not worth importing numba for."""


class _OfAttribute(torch.autograd.Function):
    """Weighted sums of embeddings; the gradient is summed value by value, several times as fast as item by item."""

    @staticmethod
    def forward(ctx: Any, embedding: Tensor, codes: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(codes, weights)
        ctx.count = len(embedding)
        return F.embedding_bag(codes, embedding, per_sample_weights=weights, mode="sum")

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None, None]:
        codes, weights = ctx.saved_tensors
        place = weights.flatten().nonzero().squeeze(1)
        named = codes.flatten()[place]
        # Radix sorting, which is stable and takes no longer than counting.
        order = named.argsort(stable=True)
        place, starts = place[order], torch.bincount(named, minlength=ctx.count).cumsum(0).roll(1)
        starts[0] = 0
        rows, own = place.div(codes.shape[1], rounding_mode="floor"), weights.flatten()[place]
        return F.embedding_bag(rows, outputs[0].contiguous(), starts, per_sample_weights=own, mode="sum"), None, None


def _of_attribute(embedding: Tensor, codes: Tensor, weights: Tensor) -> Tensor:
    found: Tensor = _OfAttribute.apply(embedding, codes, weights)  # type: ignore[no-untyped-call]
    return found


class ItemTable(nn.Module):
    """Item representation: item embedding plus attribute embeddings, used at the input and tied at the output.

    An item without training interactions has no embedding of its own, in training and afterwards. It is never a target,
    so that the softmax over the catalogue would only push its embedding away from every history. What its attributes
    stand for counts less than where they stand beside an own embedding.

    Args:
        popularity: float32 `[items]`, training interactions of each item.
        width: d.
        features: item attributes; each adds an embedding of its values.
    """

    known: Tensor | None

    def __init__(self, popularity: NDArray[np.float32], width: int, features: dict[str, ItemAttributeRelation]) -> None:
        super().__init__()
        known = torch.from_numpy(popularity > 0).unsqueeze(1)
        # Zero from the start, so that nothing random is left where interactions come in after training.
        self.item = nn.Parameter(torch.randn(len(popularity), width).mul_(0.02).mul_(known))
        self.register_buffer("known", None if bool(known.all()) else known.float(), persistent=False)
        self.attribute = NamedParameters(
            {
                relation_name("item", name): nn.Parameter(torch.randn(len(r.labels), width) * 0.02)
                for name, r in features.items()
            }
        )
        for name, relation in features.items():
            key = module_key(relation_name("item", name))
            self.register_buffer(f"codes_{key}", torch.from_numpy(relation.codes), persistent=False)
            self.register_buffer(f"weights_{key}", torch.from_numpy(relation.weights), persistent=False)

    def forward(self) -> Tensor:
        """Representation of every item, `[items, d]`."""
        table = self.item if self.known is None else self.item * self.known
        if self._compiles(table):
            return self._described(table, torch.arange(len(table)))
        return self._with_attributes(table, None)

    def rows(self, items: Tensor) -> Tensor:
        """Representation of some items, `[n, d]`; nothing as large as the catalogue is made.

        The gradient of the embeddings of items is sparse: it has the rows of these items.

        Args:
            items: int64 `[n]`, distinct.
        """
        table = rows_of(self.item, items)
        table = table if self.known is None else table * self.known[items]
        return self._described(table, items) if self._compiles(table) else self._with_attributes(table, items)

    def _compiles(self, table: Tensor) -> bool:
        return bool(self.attribute) and len(table) >= MANY_ITEMS and table.device.type == "cpu" and may_round()

    def _described(self, table: Tensor, items: Tensor) -> Tensor:
        return described(table, items, UNTRAINED_SHARE, [self._values(*pair) for pair in self.attribute.items()])

    def _values(self, name: str, embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The embeddings of an attribute, and value codes and weights of every item."""
        key = module_key(name)
        return embedding, getattr(self, f"codes_{key}"), getattr(self, f"weights_{key}")

    def _with_attributes(self, table: Tensor, items: Tensor | None) -> Tensor:
        if not self.attribute:
            return table
        # An own embedding of zero is also that of an item to which interactions came after training.
        share = torch.where((table == 0).all(1, keepdim=True), UNTRAINED_SHARE, 1.0)
        for name, embedding in self.attribute.items():
            _, codes, weights = self._values(name, embedding)
            if items is not None:
                codes, weights = codes[items], weights[items]
            if items is None and table.device.type == "cpu":
                table = table + _of_attribute(embedding, codes, weights * share)
                continue
            weights = weights * share
            table = table + F.embedding_bag(codes, embedding, per_sample_weights=weights, mode="sum")
        return table
