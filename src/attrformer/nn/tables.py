"""Relation tables as tensors: rows over the catalogue, dense or top-k, and attribute features of items."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class DenseRows:
    """Whole rows of a relation over a small catalogue.

    Args:
        values: `[rows, items]`, at least 0.
    """

    values: Tensor

    def evidence(self, weights: Tensor, rows: Tensor) -> Tensor:
        """`e(t, j) = sum_s weights(t, s) values[rows(s), j]`.

        Args:
            weights: `[b, t, s]`.
            rows: int64 `[b, s]`.

        Returns:
            float32 `[b, t, items]`.
        """
        gathered = self.values[rows]
        return torch.bmm(weights.to(gathered.dtype), gathered).float()

    def weight_gradient(self, gradient: Tensor, rows: Tensor) -> Tensor:
        """Gradient of `evidence` with respect to its weights, `[b, t, s]`."""
        gathered = self.values[rows]
        return torch.bmm(gradient.to(gathered.dtype), gathered.transpose(1, 2)).float()

    def pairs(self, rows: Tensor, items: Tensor) -> Tensor:
        """Values at `rows [b, t]` x `items [b, s]`, float32 `[b, t, s]`."""
        return self.values[rows.unsqueeze(2), items.unsqueeze(1)].float()


@dataclass(frozen=True, slots=True, eq=False)
class SparseRows:
    """The k largest entries of each row of a relation, columns ascending within a row.

    Args:
        indices: int32 `[rows, k]`, item codes; unused entries hold value 0.
        values: float32 `[rows, k]`, at least 0.
        columns: number of items.
    """

    indices: Tensor
    values: Tensor
    columns: int

    def entries(self, weights: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Items that the rows name and what each weighs.

        Args:
            weights: `[b, t, s]`.
            rows: int64 `[b, s]`.

        Returns:
            int64 items `[b, t, s * k]` and float32 weights of the same shape; an item may appear several times.
        """
        items = self.indices[rows].long().flatten(1).unsqueeze(1).expand(-1, weights.shape[1], -1)
        return items, (weights.unsqueeze(3) * self.values[rows].unsqueeze(1)).flatten(2)

    def weight_gradient(self, gradient: Tensor, rows: Tensor) -> Tensor:
        """Gradient with respect to the weights from that of the entries, `[b, t, s]`."""
        values = self.values[rows]
        split = gradient.unflatten(2, values.shape[1:])
        return torch.einsum("btsk,bsk->bts", split, values)

    def pairs(self, rows: Tensor, items: Tensor) -> Tensor:
        """Values at `rows [b, t]` x `items [b, s]`, float32 `[b, t, s]`; 0 where an entry was not kept."""
        keys, values = self._sorted_entries()
        wanted = rows.unsqueeze(2) * self.columns + items.unsqueeze(1)
        place = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
        return torch.where(keys[place] == wanted, values[place], 0.0)

    def _sorted_entries(self) -> tuple[Tensor, Tensor]:
        rows = torch.arange(len(self.indices), device=self.indices.device).unsqueeze(1)
        return (rows * self.columns + self.indices).flatten(), self.values.flatten()


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """phi_a of every item in slots: up to m value codes with their weights.

    Args:
        codes: int64 `[items, m]`; unused slots hold code 0 with weight 0.
        weights: float32 `[items, m]`.
        values: number of attribute values.
    """

    codes: Tensor
    weights: Tensor
    values: int

    def dense(self, items: Tensor) -> Tensor:
        """phi_a of the given items, float32 `[..., values]`."""
        out = torch.zeros(*items.shape, self.values, device=items.device)
        return out.scatter_add_(-1, self.codes[items], self.weights[items])

    def matrix(self) -> Tensor:
        """Phi_a as `[values, items]`."""
        out = torch.zeros(self.values, len(self.codes), device=self.codes.device)
        items = torch.arange(len(self.codes), device=self.codes.device).unsqueeze(1).expand_as(self.codes)
        return out.index_put_((self.codes.flatten(), items.flatten()), self.weights.flatten(), accumulate=True)
