"""Item attributes as networks read them at the positions of a history, and as they predict them of the next item."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from attrformer.relations.item_attribute import ItemAttributeRelation


class AttributeEmbedding(nn.Module):
    """The mean of the embeddings of an item's values of one attribute; zeros where it has none, and for padding.

    Args:
        relation: values of every item; how rare they are is not read.
        width: of the embeddings.
    """

    codes: Tensor
    weights: Tensor

    def __init__(self, relation: ItemAttributeRelation, width: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.randn(len(relation.labels), width) * 0.02)
        present = with_padding((relation.weights > 0).astype(np.float32))
        self.register_buffer("codes", with_padding(relation.codes), persistent=False)
        self.register_buffer("weights", present / present.sum(1, keepdim=True).clamp_min(1.0), persistent=False)

    def forward(self, items: Tensor) -> Tensor:
        """Embeddings of the items `[b, l]`, `[b, l, width]`."""
        flat = items.flatten()
        pooled = F.embedding_bag(self.codes[flat], self.values, per_sample_weights=self.weights[flat], mode="sum")
        return pooled.view(*items.shape, -1)

    def known(self, items: Tensor) -> Tensor:
        """Whether each item has a value, bool of the shape of `items`."""
        return (self.weights[items] > 0).any(-1)


def with_padding(rows: NDArray[Any]) -> Tensor:
    """Rows of the items, and a row of zeros for padding behind them."""
    return torch.from_numpy(np.concatenate([rows, np.zeros_like(rows[:1])]))


class AttributePredictor(nn.Module):
    """Tells the attribute values of the next item from the hidden state, each value with a yes or no of its own.

    For attribute j the loss is the binary cross-entropy between sigma(W_j h + b_j) and the values that the next item
    has, the mean over the values; the losses of the attributes are added. All attributes stand side by side in one
    matrix, and logits are made in blocks.

    The biases start where they tell how common each value is in training. From zero the optimiser would take thousands
    of steps to get there, and use the hidden state for it until then.

    Args:
        relations: item attributes, at least one.
        width: of the hidden state.
        popularity: float32 `[items]`, training interactions of each item.
    """

    codes: Tensor
    present: Tensor
    shares: Tensor

    def __init__(self, relations: list[ItemAttributeRelation], width: int, popularity: NDArray[np.float32]) -> None:
        super().__init__()
        counts = [len(relation.labels) for relation in relations]
        starts = np.cumsum([0, *counts])
        self.weight = nn.Parameter(torch.randn(int(starts[-1]), width) * 0.02)
        codes = np.concatenate([r.codes + start for r, start in zip(relations, starts[:-1], strict=True)], 1)
        present = np.concatenate([(r.weights > 0).astype(np.float32) for r in relations], 1)
        had = np.bincount(codes.ravel(), weights=(present * popularity[:, None]).ravel(), minlength=int(starts[-1]))
        odds = (had + 0.5) / (popularity.sum() - had + 0.5)
        self.bias = nn.Parameter(torch.from_numpy(np.log(odds).astype(np.float32)))
        shares = np.repeat([1.0 / count for count in counts], counts).astype(np.float32)
        self.register_buffer("codes", torch.from_numpy(codes), persistent=False)
        self.register_buffer("present", torch.from_numpy(present), persistent=False)
        self.register_buffer("shares", torch.from_numpy(shares), persistent=False)

    def loss(self, hidden: Tensor, items: Tensor, mask: Tensor, block_elements: int, precision: torch.dtype) -> Tensor:
        """The mean loss over the places that count, a scalar.

        Args:
            hidden: `[b, t, width]`.
            items: int64 `[b, t]`, the next items.
            mask: float32 `[b, t]`, 0 for places that do not count.
            block_elements: about how many logits are made at a time.
            precision: type of the matrix products.
        """
        loss: Tensor = _FusedBinaryLoss.apply(  # type: ignore[no-untyped-call]
            hidden.flatten(0, 1),
            self.weight,
            self.bias,
            self.shares,
            self.codes[items.flatten()],
            self.present[items.flatten()],
            mask.flatten() / mask.sum().clamp_min(1.0),
            max(1, block_elements // len(self.bias)),
            precision,
        )
        return loss


class _FusedBinaryLoss(torch.autograd.Function):
    """Binary cross-entropy over many values; a block of logits becomes its own gradient and is dropped."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor,
        shares: Tensor,
        codes: Tensor,
        present: Tensor,
        scale: Tensor,
        step: int,
        precision: torch.dtype,
    ) -> Tensor:
        low, table = hidden.to(precision), weight.to(precision)
        of_hidden, of_weight, of_bias = torch.empty_like(hidden), torch.zeros_like(weight), torch.zeros_like(bias)
        loss = hidden.new_zeros(())
        for start in range(0, len(hidden), step):
            rows = slice(start, start + step)
            logits = (low[rows] @ table.t()).float() + bias
            has = present[rows] * shares[codes[rows]]
            said = F.softplus(logits) @ shares - (logits.gather(1, codes[rows]) * has).sum(1)
            loss += (said * scale[rows]).sum()
            gradient = torch.sigmoid_(logits).mul_(shares).scatter_add_(1, codes[rows], -has)
            gradient.mul_(scale[rows].unsqueeze(1))
            of_bias += gradient.sum(0)
            narrow = gradient.to(precision)
            of_hidden[rows] = (narrow @ table).to(hidden.dtype)
            of_weight += (narrow.t() @ low[rows]).to(weight.dtype)
        ctx.save_for_backward(of_hidden, of_weight, of_bias)
        return loss

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        return (*(saved * outputs[0] for saved in ctx.saved_tensors), *[None] * 6)
