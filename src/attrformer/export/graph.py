"""Networks as graphs of plain tensor operations, from padded histories to the scores of the catalogue.

What the network computes in ways that have no counterpart in ONNX (unions of sparse rows, pooled embeddings, searches
in sorted rows) is said here in operations that have one. The results are the same up to rounding.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.export.inputs import LEVELS, NEIGHBOURS, NO_TIMES, USERS
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.models.network import Network
from attrformer.models.prepared import PreparedNetwork, look_up
from attrformer.nn.attention import StackedHeads
from attrformer.nn.batch import Batch, NeighbourBatch
from attrformer.nn.evidence import (
    FeatureEvidence,
    IdentityEvidence,
    LiftEvidence,
    RelationEvidence,
    RowEvidence,
)
from attrformer.nn.moment import MomentEvidence
from attrformer.nn.neighbours import NeighbourEvidence
from attrformer.nn.positions import PositionRelation
from attrformer.nn.stacked import StackedEvidence
from attrformer.nn.tables import SparseRows
from attrformer.relations.naming import name_of_key

_AT_A_TIME = 16
"""Entries of each sparse row that are compared with the positions at a time."""


class ScoringGraph(nn.Module):
    """From the inputs of a request to hidden states and scores; any network whose score is a product with a table.

    Args:
        network: for inference.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = GraphNetwork(network) if type(network) is AttrFormerNetwork else network

    def forward(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Hidden state after each history, float32 `[b, d]`, and scores of every item, float32 `[b, items]`.

        Args:
            inputs: int64 "items" `[b, l]`, padded on the right with the catalogue size; int64 "lengths" `[b]`; and what
                `export.inputs` adds for the relations of the model.
        """
        batch = read_batch(inputs)
        if isinstance(self.network, GraphNetwork):
            return self.network.scores(batch)
        outputs = self.network(batch)
        hidden = outputs.hidden.squeeze(1)
        return hidden, hidden @ outputs.table.t()


def read_batch(inputs: dict[str, Tensor]) -> Batch:
    """The inputs of a request as the network reads them; folds are those of inference."""
    neighbours = None
    if f"{NEIGHBOURS}users" in inputs:
        parts = (inputs[f"{NEIGHBOURS}{part}"].unsqueeze(1) for part in ("users", "similarity", "following"))
        neighbours = NeighbourBatch(*parts)
    lengths = inputs["lengths"]
    return Batch(
        items=inputs["items"],
        places=(lengths - 1).unsqueeze(1),
        folds=torch.zeros_like(lengths),
        users=_by_column(inputs, USERS),
        times=inputs.get("times"),
        levels=_by_column(inputs, LEVELS),
        neighbours=neighbours,
    )


def _by_column(inputs: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The inputs whose names begin so, by the column that they hold."""
    found = {name.removeprefix(prefix): codes for name, codes in inputs.items() if name.startswith(prefix)}
    return {name_of_key(key): codes for key, codes in found.items()}


class GraphNetwork(PreparedNetwork):
    """AttrFormer in operations that ONNX has."""

    def scores(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Hidden state `[b, d]` and scores `[b, items]` for one place in each history."""
        table, stacked = self.table(), self.stacked()
        modules = {name: module for name, module in self.relations.items() if isinstance(module, RelationEvidence)}
        read = {name: _read(module, batch) for name, module in modules.items()}
        hidden = self.encode(batch, table, read, stacked.heads)
        if batch.neighbours is not None and self.config.neighbour_states:
            hidden = hidden + self._refined(batch, read["neighbours"], table)
        total = hidden.squeeze(1) @ table.t()
        if stacked.evidence is not None:
            gates = stacked.evidence.gates(hidden).squeeze(1)
            weights = self._weights(stacked.evidence, batch)
            for place, (name, module) in enumerate(modules.items()):
                said = self._log_evidence(module, batch, read[name], weights[place])
                total = total + gates[:, place : place + 1] * said
        return hidden.squeeze(1), total

    def encode(
        self, batch: Batch, table: Tensor, read: dict[str, Tensor | None], heads: list[StackedHeads | None]
    ) -> Tensor:
        """See `AttrFormerNetwork.encode`; the last layer looks at all positions, of which the places are kept."""
        embedded = look_up(batch.items, table) * math.sqrt(self.config.width)
        hidden = embedded + self.position[: batch.items.shape[1]]
        values = self.relation_values(batch, read)
        bins = self.look_back(None, batch.items.shape[1])
        for layer, own in zip(self.layers, heads, strict=True):
            hidden = layer(hidden, None if own is None or values is None else own.logits(values, bins))
        normalised: Tensor = self.norm(_at(hidden, batch.places))
        return normalised

    def _head_values(self, name: str, batch: Batch, gaps: Tensor | None, read: Tensor | None) -> Tensor:
        if name not in self.position_relations:
            return _pairs(self.relations[name], batch, read)
        module = self.position_relations[name]
        assert isinstance(module, PositionRelation)
        values: Tensor = module(batch, None) if module.name is not None else _with_unknown(module.value)[gaps]
        return values

    def gaps(self, batch: Batch, places: Tensor) -> Tensor | None:
        """Buckets of the time gap as `recency.gap_buckets` has them; one more bucket where times are not known."""
        if batch.times is None or not self.gap_count:
            return None
        times = batch.times
        gaps = times.gather(1, places).unsqueeze(2) - times.unsqueeze(1)
        edges = torch.tensor([1, *(1 << k for k in range(2, self.gap_count))], device=times.device)
        buckets = (gaps.unsqueeze(3) >= edges).long().sum(3)
        return torch.where(times[:, :1].unsqueeze(2) == NO_TIMES, self.gap_count, buckets)

    def _weights(self, evidence: StackedEvidence, batch: Batch) -> list[Tensor]:
        """See `StackedEvidence.weights`; places whose times are not known get no term for the gap."""
        recency = evidence.recency
        if recency is not None and recency.by_gap is not None:
            evidence = replace(evidence, recency=replace(recency, by_gap=_with_unknown(recency.by_gap)))
        bins = self.look_back(batch.places, batch.items.shape[1])
        return evidence.weights(batch, bins, self.gaps(batch, batch.places), self.items)

    def _log_evidence(self, module: RelationEvidence, batch: Batch, read: Tensor | None, weights: Tensor) -> Tensor:
        """log(1 + e_a / eps_a) of every item, `[b, items]`; `read` and `weights` as for `RelationEvidence.part`."""
        if isinstance(module, LiftEvidence):
            return torch.log1p(module.dense[batch.users[module.attribute]] * weights)
        if isinstance(module, NeighbourEvidence):
            assert batch.neighbours is not None and read is not None
            following = batch.neighbours.following
            steps = torch.softmax(module.step_weight, 0) * weights
            entries = read.unsqueeze(3) * steps * (following >= 0)
            return torch.log1p(self._scattered(following.clamp_min(0).flatten(1), entries.flatten(1)))
        by_position = weights.squeeze(1)
        if isinstance(module, IdentityEvidence):
            return torch.log1p(self._scattered(batch.items.clamp_max(self.items - 1), by_position))
        if isinstance(module, MomentEvidence):
            return torch.log1p(_by_moment(module, batch, by_position) @ module.dense[: module.keys])
        assert read is not None
        if isinstance(module, FeatureEvidence):
            spoken = torch.bmm(weights, read).squeeze(1)
            if module.features is None:
                by_group = torch.cat([spoken, torch.zeros_like(spoken[:, :1])], 1)
            else:
                by_group = spoken @ module.features
            return torch.log1p(by_group).index_select(1, module.of_item)
        assert isinstance(module, RowEvidence)
        if module.dense is not None:
            known, missing = len(module.dense), self.items - module.dense.shape[1]
            if missing:
                weights, read = weights * (read < known).unsqueeze(1), read.clamp_max(known - 1)
            evidence = torch.bmm(weights, module.dense[read]).squeeze(1)
            return torch.log1p(F.pad(evidence, (0, missing)) if missing else evidence)
        assert module.indices is not None and module.values is not None
        entries = module.values[read] * by_position.unsqueeze(2)
        return torch.log1p(self._scattered(module.indices[read].long().flatten(1), entries.flatten(1)))

    def _scattered(self, items: Tensor, weights: Tensor) -> Tensor:
        """Entries `[b, e]` added up over the catalogue, `[b, items]`."""
        return torch.zeros(items.shape[0], self.items, device=weights.device).scatter_add(1, items, weights)

    def _refined(self, batch: Batch, read: Tensor | None, table: Tensor) -> Tensor:
        """See `NeighbourEvidence.refine`."""
        module = self.relations["neighbours"]
        assert isinstance(module, NeighbourEvidence) and batch.neighbours is not None and read is not None
        following = batch.neighbours.following[..., 0]
        weights = read * (following >= 0)
        mean = (table[following.clamp_min(0)] * weights.unsqueeze(3)).sum(2)
        refined: Tensor = module.project(module.norm(mean)) * (weights.sum(2, keepdim=True) > 0)
        return refined


def _at(values: Tensor, places: Tensor) -> Tensor:
    """Values `[b, l, d]` at the places `[b, t]`, `[b, t, d]`."""
    return values.gather(1, places.unsqueeze(2).expand(-1, -1, values.shape[2]))


def _by_moment(module: MomentEvidence, batch: Batch, weights: Tensor) -> Tensor:
    """The weights of the positions `[b, l]` added up by moment, `[b, moments]`; see `MomentEvidence.rows`."""
    latest = module.keys - 1
    if batch.times is None:
        moments = torch.full_like(batch.items, latest)
    else:
        counted = (batch.times.unsqueeze(2) >= module.edges).long().sum(2)
        moments = torch.where(batch.times[:, :1] == NO_TIMES, latest, counted)
    own = moments.unsqueeze(2) == torch.arange(module.keys, device=weights.device)
    return (own * weights.unsqueeze(2)).sum(1)


def _with_unknown(by_gap: Tensor) -> Tensor:
    """Values of the buckets of the time gap `[..., gaps]`, and 0 for the bucket of times that are not known."""
    return torch.cat([by_gap, by_gap.new_zeros(*by_gap.shape[:-1], 1)], -1)


def _read(module: RelationEvidence, batch: Batch) -> Tensor | None:
    """See `RelationEvidence.read`; moments are counted later."""
    if isinstance(module, FeatureEvidence):
        return _project(module, batch.items)
    return None if isinstance(module, MomentEvidence) else module.read(batch)


def _project(module: FeatureEvidence, items: Tensor) -> Tensor:
    """See `FeatureEvidence.project`."""
    codes, weights = module.codes[items], module.slot_weights[items]
    if module.left is not None and module.right is not None:
        out = (module.left[codes] * weights.unsqueeze(3)).sum(2) @ module.right.t()
    else:
        out = torch.zeros(*items.shape, module.values, device=items.device)
    return out.scatter_add(2, codes, module.log_diagonal[codes].exp() * weights).clamp_min(0.0)


def _pairs(module: nn.Module, batch: Batch, read: Tensor | None) -> Tensor:
    """See `RelationEvidence.pairs`."""
    if isinstance(module, IdentityEvidence):
        return module.pairs(batch, read)
    assert read is not None
    if isinstance(module, FeatureEvidence):
        codes, weights = module.codes[batch.items], module.slot_weights[batch.items]
        total = torch.zeros(*batch.items.shape, batch.items.shape[1], device=batch.items.device)
        for slot in range(codes.shape[2]):
            index = codes[:, :, slot].unsqueeze(1).expand(-1, batch.items.shape[1], -1)
            total = total + read.gather(2, index) * weights[:, :, slot].unsqueeze(1)
        return torch.log1p(total * module.pair_scale)
    assert isinstance(module, RowEvidence)
    table = module.table
    if isinstance(table, SparseRows):
        return torch.log1p(_sparse_pairs(table, module, batch, read) * module.pair_scale)
    return module.pairs(batch, read)


def _sparse_pairs(table: SparseRows, module: RowEvidence, batch: Batch, rows: Tensor) -> Tensor:
    """See `SparseRows.pairs`; every kept entry is compared with every position."""
    wanted = batch.items.clamp_max(module.columns - 1)
    indices, values = table.indices[rows].long(), table.values[rows]
    total = torch.zeros(*rows.shape, rows.shape[1], device=values.device)
    for start in range(0, indices.shape[2], _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        same = indices[:, :, None, part] == wanted[:, None, :, None]
        total = total + (same * values[:, :, None, part]).sum(3)
    return total
