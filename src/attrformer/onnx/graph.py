"""Networks as graphs of plain tensor operations, from padded histories to the scores of the catalogue.

What the network computes in ways that have no counterpart in ONNX (unions of sparse rows, pooled embeddings, searches
in sorted rows) is said here in operations that have one. The results are the same up to rounding.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.models.network import Network
from attrformer.models.scorer import InferenceNetwork, look_up
from attrformer.nn.attention import StackedHeads
from attrformer.nn.batch import Batch, NeighbourBatch
from attrformer.nn.stacked import StackedEvidence
from attrformer.onnx.inputs import LEVELS, NEIGHBOURS, NOW, THEN, USERS
from attrformer.relations.naming import name_of_key
from attrformer.relations.positions import NO_TIMES


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
        target_positions=(lengths - 1).unsqueeze(1),
        folds=torch.zeros_like(lengths),
        user_features=_by_column(inputs, USERS),
        times=inputs.get("times"),
        levels=_by_column(inputs, LEVELS),
        similar_users=neighbours,
        item_states=_item_states(inputs),
    )


def _item_states(inputs: dict[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """The values of items that change, by relation."""
    then, now = _by_column(inputs, THEN), _by_column(inputs, NOW)
    return {name: (codes, now[name]) for name, codes in then.items()}


def _by_column(inputs: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The inputs whose names begin so, by the column that they hold."""
    found = {name.removeprefix(prefix): codes for name, codes in inputs.items() if name.startswith(prefix)}
    return {name_of_key(key): codes for key, codes in found.items()}


class GraphNetwork(InferenceNetwork):
    """AttrFormer in operations that ONNX has."""

    def scores(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Hidden state `[b, d]` and scores `[b, items]` for one place in each history."""
        table, stacked, modules = self.table(), self.stacked(), self.contributing()
        looked_up = {name: module.onnx_lookup(batch) for name, module in modules.items()}
        hidden = self.encode(batch, table, looked_up, stacked.heads)
        if batch.similar_users is not None and self.config.similar_user_states:
            for name, module in modules.items():
                if module.refines:
                    hidden = hidden + module.onnx_refinement(batch, looked_up[name], table)
        total = hidden.squeeze(1) @ table.t()
        if stacked.evidence is not None:
            gates = stacked.evidence.gates(hidden).squeeze(1)
            weights = self._weights(stacked.evidence, batch)
            for place, (name, module) in enumerate(modules.items()):
                added = module.onnx_contribution(batch, looked_up[name], weights[place])
                total = total + gates[:, place : place + 1] * added
        return hidden.squeeze(1), total

    def encode(
        self,
        batch: Batch,
        table: Tensor,
        looked_up: dict[str, Tensor | None],
        heads: list[StackedHeads | None],
        rows: Tensor | None = None,
    ) -> Tensor:
        """See `AttrFormerNetwork.encode`; the last layer looks at all positions, of which the places are kept."""
        embedded = look_up(batch.items, table) * math.sqrt(self.config.width)
        hidden = embedded + self.position[: batch.items.shape[1]]
        values = self.relation_values(batch, looked_up)
        bins = self.look_back(None, batch.items.shape[1])
        for layer, own in zip(self.layers, heads, strict=True):
            hidden = layer(hidden, None if own is None or values is None else own.logits(values, bins))
        normalised: Tensor = self.norm(_at(hidden, batch.target_positions))
        return normalised

    def _head_values(self, name: str, batch: Batch, gaps: Tensor | None, looked_up: Tensor | None) -> Tensor:
        return self.module(name).onnx_attention_values(batch, looked_up, gaps)

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
        bins = self.look_back(batch.target_positions, batch.items.shape[1])
        return evidence.weights(batch, bins, self.gaps(batch, batch.target_positions), self.items)


def _at(values: Tensor, places: Tensor) -> Tensor:
    """Values `[b, l, d]` at the places `[b, t]`, `[b, t, d]`."""
    return values.gather(1, places.unsqueeze(2).expand(-1, -1, values.shape[2]))


def _with_unknown(by_gap: Tensor) -> Tensor:
    """Values of the buckets of the time gap `[..., gaps]`, and 0 for the bucket of times that are not known."""
    return torch.cat([by_gap, by_gap.new_zeros(*by_gap.shape[:-1], 1)], -1)
