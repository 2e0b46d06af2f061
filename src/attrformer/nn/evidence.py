"""Relations as modules: what each says about earlier positions, and about the whole catalogue.

Every module owns its parameters and reads nothing of another one's, so that what is learned for one attribute gets
gradients from that attribute alone (SPEC part 2.1).
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.nn.batch import Batch
from attrformer.nn.parts import EntryPart, FeaturePart, Part, RowPart
from attrformer.nn.recency import RecencyProfile
from attrformer.nn.tables import DenseRows, FeatureGroups, SparseRows
from attrformer.relations.item_attribute import FeatureRelation
from attrformer.relations.rows import RowRelation

MANY_VALUES = 96
"""Values of an attribute for each slot of an item from which on they are read slot by slot: faster there, on a CPU."""


class Gate(nn.Module):
    """g_a(h_t) and 1 / eps_a of one relation.

    Args:
        width: of the hidden state.
        epsilon: eps_a at the start.
        signed: whether the gate may be negative (identity relation); otherwise it is a softplus.
        start: g_a at the start, where it is not signed.
    """

    def __init__(self, width: int, epsilon: float, signed: bool = False, start: float = 1.0) -> None:
        super().__init__()
        self.signed = signed
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.tensor(0.0 if signed else math.log(math.expm1(start))))
        self.log_inverse_epsilon = nn.Parameter(torch.tensor(-math.log(epsilon)))

    def forward(self, hidden: Tensor) -> Tensor:
        """`[b, t, d]` to `[b, t]`."""
        raw = hidden @ self.weight + self.bias
        return raw if self.signed else F.softplus(raw)

    def inverse_epsilon(self) -> Tensor:
        """1 / eps_a, a positive scalar."""
        return self.log_inverse_epsilon.exp()


class RelationEvidence(nn.Module):
    """Base of all relation modules: a gate and a recency profile.

    What a module looks up of the items of a batch (`read`) serves its attention heads (`pairs`) and its way to the
    catalogue (`part`).

    Args:
        gate: how strongly the relation speaks.
        recency: beta_a, or None where the history plays no part.
    """

    def __init__(self, gate: Gate, recency: RecencyProfile | None) -> None:
        super().__init__()
        self.gate, self.recency = gate, recency

    def weights(self, batch: Batch, gaps: Tensor | None) -> Tensor:
        """beta_a at the places of a batch, padding included with its neighbours' value; `[b, t, l]`."""
        assert self.recency is not None
        profile: Tensor = self.recency(batch, gaps)
        return profile.exp().masked_fill((batch.items == self.padding).unsqueeze(1), 0.0)

    padding: int

    def read(self, batch: Batch) -> Tensor | None:
        """What `pairs` and `part` look up of a batch; None where they need nothing."""
        return None

    def part(self, batch: Batch, read: Tensor | None, weights: Tensor) -> tuple[Part, Tensor]:
        """The path to the catalogue and its differentiable weights.

        Args:
            batch: histories and places.
            read: as `read` gives it.
            weights: beta_a / eps_a at the places, `[b, t, l]`; 1 / eps_a alone where the history plays no part.
        """
        raise NotImplementedError

    def pairs(self, batch: Batch, read: Tensor | None) -> Tensor:
        """log(1 + R_a(i_t, i_s) / eps) for all positions, `[b, l, l]`, where positions are related; `read` as above."""
        raise NotImplementedError


class RowEvidence(RelationEvidence):
    """A relation given as rows over the catalogue (co-occurrence, edges), its values fixed, its reading learned.

    Args:
        relation: the rows.
        gate: its gate.
        recency: its recency profile.
    """

    def __init__(self, relation: RowRelation, gate: Gate, recency: RecencyProfile) -> None:
        super().__init__(gate, recency)
        self.keys, self.folds, self.padding = relation.keys, relation.folds, relation.columns
        self.columns = relation.columns
        for name in ("dense", "indices", "values"):
            block = getattr(relation, name)
            self.register_buffer(name, None if block is None else torch.from_numpy(block), persistent=False)
        self.pair_scale = float(gate.inverse_epsilon().detach())

    dense: Tensor | None
    indices: Tensor | None
    values: Tensor | None

    @property
    def table(self) -> DenseRows | SparseRows:
        """The relation as a tensor table."""
        if self.dense is not None:
            return DenseRows(self.dense, self.columns)
        assert self.indices is not None and self.values is not None
        return SparseRows(self.indices, self.values, self.columns)

    def read(self, batch: Batch) -> Tensor:
        """The table row of every position, its fold's block included, `[b, l]`."""
        return batch.folds.clamp_max(self.folds).unsqueeze(1) * self.keys + batch.items.clamp_max(self.keys - 1)

    def part(self, batch: Batch, read: Tensor | None, weights: Tensor) -> tuple[Part, Tensor]:
        """The rows of the positions, weighted by recency."""
        assert read is not None
        return RowPart(self.table, read), weights

    def pairs(self, batch: Batch, read: Tensor | None) -> Tensor:
        """log(1 + R_a(i_t, i_s) / eps) from the rows, eps as it started, `[b, l, l]`."""
        assert read is not None
        known = batch.items.clamp_max(self.columns - 1)
        return torch.log1p(self.table.pairs(read, known) * self.pair_scale)


class FeatureEvidence(RelationEvidence):
    """An item attribute, R_a(i, j) = phi_a(i)^T M_a phi_a(j) with M_a = diag(s_a) + P_a Q_a^T learned.

    The negative part of phi_a(i)^T M_a is cut off, so that R_a is at least 0.

    Args:
        relation: phi_a and the starting diagonal.
        rank: of P_a and Q_a; 0 for a diagonal M_a.
        gate: its gate.
        recency: its recency profile.
    """

    codes: Tensor
    slot_weights: Tensor
    of_item: Tensor
    features: Tensor | None
    slots: Tensor | None
    shares: Tensor | None

    def __init__(self, relation: FeatureRelation, rank: int, gate: Gate, recency: RecencyProfile) -> None:
        super().__init__(gate, recency)
        items, values = len(relation.codes), len(relation.labels)
        self.padding, self.values = items, values
        empty = torch.zeros(1, relation.codes.shape[1])
        self.register_buffer("codes", torch.cat([torch.from_numpy(relation.codes), empty.long()]), persistent=False)
        self.register_buffer("slot_weights", torch.cat([torch.from_numpy(relation.weights), empty]), persistent=False)
        of_item, features = _group(relation)
        slots, shares = _slots(features, relation.codes.shape[1])
        groups = {"of_item": of_item, "features": features, "slots": slots, "shares": shares}
        for name, block in groups.items():
            self.register_buffer(name, block, persistent=False)
        self.log_diagonal = nn.Parameter(torch.from_numpy(relation.diagonal).clamp_min(1e-4).log())
        self.left = nn.Parameter(torch.zeros(values, rank)) if rank else None
        self.right = nn.Parameter(torch.randn(values, rank) / math.sqrt(max(rank, 1)) * 0.3) if rank else None
        self.pair_scale = float(gate.inverse_epsilon().detach())

    def matrix(self) -> Tensor:
        """M_a with its negative part cut off, `[values, values]`, for people to look at."""
        matrix = torch.diag(self.log_diagonal.exp())
        if self.left is not None and self.right is not None:
            matrix = matrix + self.left @ self.right.t()
        return matrix.clamp_min(0.0)

    def phi(self, items: Tensor) -> Tensor:
        """phi_a of items, padding allowed, `[..., values]`."""
        out = torch.zeros(*items.shape, self.values, device=items.device)
        return out.scatter_add_(-1, self.codes[items], self.slot_weights[items])

    def project(self, items: Tensor) -> Tensor:
        """max(0, phi_a(i)^T M_a) for items `[b, l]`, `[b, l, values]`; M_a itself is never built."""
        codes, weights = self.codes[items].flatten(0, 1), self.slot_weights[items].flatten(0, 1)
        if self.left is not None and self.right is not None:
            out = F.embedding_bag(codes, self.left, per_sample_weights=weights, mode="sum") @ self.right.t()
        else:
            out = torch.zeros(len(codes), self.values, device=items.device)
        out = out.scatter_add(1, codes, self.log_diagonal[codes].exp() * weights)
        # clamp passes the gradient at exactly 0, where the low-rank part starts.
        return out.clamp_min(0.0).view(*items.shape, self.values)

    def read(self, batch: Batch) -> Tensor:
        """The features of every position, carried over by M_a, `[b, l, values]`."""
        return self.project(batch.items)

    def part(self, batch: Batch, read: Tensor | None, weights: Tensor) -> tuple[Part, Tensor]:
        """The profile of the history in the attribute's feature space."""
        assert read is not None
        groups = FeatureGroups(self.of_item, self.features, self.values, self.slots, self.shares)
        return FeaturePart(groups), torch.bmm(weights, read)

    def pairs(self, batch: Batch, read: Tensor | None) -> Tensor:
        """log(1 + R_a(i_t, i_s) / eps) from the features, eps as it started, `[b, l, l]`."""
        assert read is not None
        if self.codes.shape[1] == 1:
            index = self.codes[batch.items].transpose(1, 2).expand(-1, read.shape[1], -1)
            values = read.gather(2, index) * self.slot_weights[batch.items].transpose(1, 2)
        else:
            values = torch.bmm(read, self.phi(batch.items).transpose(1, 2))
        return torch.log1p(values * self.pair_scale)


def _group(relation: FeatureRelation) -> tuple[Tensor, Tensor | None]:
    """Group of each item and phi_a of each group; see `FeatureGroups`."""
    values = len(relation.labels)
    if relation.codes.shape[1] == 1:
        known = torch.from_numpy(relation.weights[:, 0] > 0)
        return torch.where(known, torch.from_numpy(relation.codes[:, 0]), values), None
    order = np.argsort(np.where(relation.weights > 0, relation.codes, values), axis=1)
    codes, weights = np.take_along_axis(relation.codes, order, 1), np.take_along_axis(relation.weights, order, 1)
    keys = np.where(weights > 0, codes, -1)
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    features = np.zeros((values, len(first)), dtype=np.float32)
    np.add.at(features, (codes[first], np.arange(len(first))[:, None]), weights[first])
    return torch.from_numpy(group.reshape(-1).astype(np.int64)), torch.from_numpy(features)


def _slots(features: Tensor | None, width: int) -> tuple[Tensor | None, Tensor | None]:
    """The values of each group in slots where they are few among many; see `FeatureGroups`."""
    if features is None or len(features) < MANY_VALUES * width:
        return None, None
    shares, slots = features.topk(width, 0)
    return slots, shares


class LiftEvidence(RelationEvidence):
    """A user attribute: its value speaks for items by smoothed log-lift.

    Args:
        relation: lift rows keyed by value.
        attribute: name under which batches carry the user's value.
        gate: its gate.
    """

    def __init__(self, relation: RowRelation, attribute: str, gate: Gate) -> None:
        super().__init__(gate, None)
        assert relation.dense is not None
        self.keys, self.folds, self.attribute = relation.keys, relation.folds, attribute
        self.register_buffer("dense", torch.from_numpy(relation.dense), persistent=False)

    dense: Tensor

    def part(self, batch: Batch, read: Tensor | None, weights: Tensor) -> tuple[Part, Tensor]:
        """The row of the user's value, with weight 1."""
        row = batch.folds.clamp_max(self.folds) * self.keys + batch.users[self.attribute]
        return RowPart(DenseRows(self.dense), row.unsqueeze(1)), weights.expand(len(row), 1, 1)


class IdentityEvidence(RelationEvidence):
    """R(i, j) = [i = j]; its signed gate says whether people here come back to the same item.

    Args:
        items: catalogue size.
        gate: its gate, signed.
        recency: its recency profile.
    """

    def __init__(self, items: int, gate: Gate, recency: RecencyProfile) -> None:
        super().__init__(gate, recency)
        self.padding = items

    def part(self, batch: Batch, read: Tensor | None, weights: Tensor) -> tuple[Part, Tensor]:
        """The items of the history, weighted by recency."""
        return EntryPart(batch.items.clamp_max(self.padding - 1).unsqueeze(1), self.padding), weights

    def pairs(self, batch: Batch, read: Tensor | None) -> Tensor:
        """[i_t = i_s], `[b, l, l]`."""
        return (batch.items.unsqueeze(2) == batch.items.unsqueeze(1)).float()


__all__ = ["FeatureEvidence", "Gate", "IdentityEvidence", "LiftEvidence", "RelationEvidence", "RowEvidence"]
