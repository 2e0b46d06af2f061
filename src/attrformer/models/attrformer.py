"""The AttrFormer network (SPEC part 3)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.errors import require
from attrformer.models.config import EncoderConfig
from attrformer.models.network import Network
from attrformer.nn.attention import EncoderLayer, StackedHeads
from attrformer.nn.batch import Batch, Example
from attrformer.nn.dropout import Dropout
from attrformer.nn.evidence import (
    FeatureEvidence,
    Gate,
    IdentityEvidence,
    LiftEvidence,
    RelationEvidence,
    RowEvidence,
)
from attrformer.nn.item_table import ItemTable
from attrformer.nn.moment import MomentEvidence
from attrformer.nn.named import NamedModules, NamedParameters
from attrformer.nn.neighbours import NeighbourEvidence
from attrformer.nn.objective import Objective, Outputs
from attrformer.nn.parts import PartInputs
from attrformer.nn.positions import PositionRelation
from attrformer.nn.recency import LookBack, RecencyProfile, gap_buckets
from attrformer.nn.stacked import StackedEvidence, StackedParameters
from attrformer.relations.build import RelationSet
from attrformer.relations.config import RelationsConfig
from attrformer.relations.moment import NAME as MOMENT
from attrformer.relations.naming import relation_name
from attrformer.relations.positions import GAP_BUCKETS

RECENCY_DECAY = 0.8
OWN_RECENCY_DECAY = {"next": 0.5, "wide": 0.97}
"""Where the recency profiles of some relations start."""

MOMENT_EPSILON, MOMENT_GATE, MOMENT_DECAY = 0.1, 0.3, 0.3
"""eps, gate and recency profile of the relation of moments start here: it speaks softly, of the latest moments."""

MIXED = "mixed"

OWN_EMBEDDING = "table.item"
"""The parameter that has a row for every item."""


@dataclass(frozen=True)
class AttrFormerConfig(EncoderConfig):
    """Shape and parts of AttrFormer; every part can be switched off for an ablation."""

    POSTERIOR: ClassVar[bool] = True

    name: Literal["attrformer"] = "attrformer"
    relation_heads: bool = field(default=True, metadata={"help": "relation-augmented attention heads"})
    mixed_head: bool = field(
        default=False,
        metadata={"help": "one head that reads the sum of all relations in place of a head for each (ablation only)"},
    )
    catalogue_evidence: bool = field(default=True, metadata={"help": "relations speak to the whole catalogue"})
    neighbour_states: bool = field(
        default=True, metadata={"help": "similar users' aligned positions refine the hidden state"}
    )
    attribute_embeddings: bool = field(
        default=True, metadata={"help": "item representation is item plus attribute embeddings"}
    )
    learned_recency: bool = field(default=True, metadata={"help": "the recency profile of each relation is learned"})
    low_rank: int = field(
        default=8, metadata={"help": "rank of the learned off-diagonal part of M_a; 0: diagonal only"}
    )
    epsilon: float = field(default=0.03, metadata={"help": "eps_a of catalogue evidence at the start"})

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.low_rank >= 0, "low_rank", self.low_rank, "0 or more")
        require(self.epsilon > 0, "epsilon", self.epsilon, "a number above 0")

    def reads(self, relations: RelationsConfig) -> RelationsConfig:
        """Every relation that the options ask for; similar users where there is to be at least one."""
        return relations if relations.neighbour_count else replace(relations, neighbours=False)


class AttrFormerNetwork(Network):
    """Encoder with relation-augmented heads, catalogue evidence of each relation, position-to-position aggregation.

    Args:
        relations: the explicit relations of the dataset.
        config: shape and parts.
        dropout: resolved dropout rate.
    """

    def __init__(self, relations: RelationSet, config: AttrFormerConfig, dropout: float) -> None:
        super().__init__()
        self.config, self.items = config, relations.items
        width, length = config.width, config.max_length
        embedded = relations.features if config.attribute_embeddings else {}
        self.table = ItemTable(relations.popularity, width, embedded)
        self.position = nn.Parameter(torch.randn(length, width) * 0.02)
        self.gap_count = GAP_BUCKETS if relations.time_gaps else 0
        self.level_counts = {name: len(edges) + 2 for name, edges in relations.levels.items()}
        self.relations = NamedModules(self._relation_modules(relations))
        self.position_relations = NamedModules(self._position_relations())
        neighbours = relations.neighbours
        if neighbours is not None:
            codes = {name: torch.from_numpy(user.codes) for name, user in relations.users.items()}
            counts = {name: len(user.labels) for name, user in relations.users.items()}
            gate = Gate(width, config.epsilon)
            self.relations["neighbours"] = NeighbourEvidence(self.items, width, neighbours.horizon, codes, counts, gate)
        heads = [*self.position_relations, *(name for name, m in self.relations.items() if self._has_pairs(m))]
        self.head_names = heads if config.relation_heads else []
        # What the paper warns of, kept to show why: sources that share a head share its gradients.
        mixed = config.mixed_head and bool(self.head_names)
        self.mixing = NamedParameters({name: nn.Parameter(torch.ones(())) for name in self.head_names if mixed})
        relation_heads = [MIXED] if mixed else self.head_names
        self.layers = nn.ModuleList(
            EncoderLayer(width, config.heads, relation_heads, length, dropout, config.expansion)
            for _ in range(config.layers)
        )
        self.look_back = LookBack(length)
        self.drop = Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def _recency(self, decay: float) -> RecencyProfile:
        profile = RecencyProfile(self.config.max_length, decay, self.gap_count, self.level_counts)
        return profile if self.config.learned_recency else profile.requires_grad_(False)

    def _relation_modules(self, relations: RelationSet) -> dict[str, nn.Module]:
        width, epsilon = self.config.width, self.config.epsilon
        modules: dict[str, nn.Module] = {}
        for name, rows in relations.rows.items():
            recency = self._recency(OWN_RECENCY_DECAY.get(name, RECENCY_DECAY))
            modules[name] = RowEvidence(rows, Gate(width, epsilon), recency)
        for name, feature in relations.features.items():
            modules[relation_name("item", name)] = FeatureEvidence(
                feature, self.config.low_rank, Gate(width, epsilon), self._recency(RECENCY_DECAY)
            )
        for name, user in relations.users.items():
            modules[relation_name("user", name)] = LiftEvidence(user.lift, name, Gate(width, 1.0))
        if relations.moment is not None:
            gate = Gate(width, MOMENT_EPSILON, start=MOMENT_GATE)
            modules[MOMENT] = MomentEvidence(relations.moment, self.items, gate, self._recency(MOMENT_DECAY))
        if relations.identity:
            modules["identity"] = IdentityEvidence(self.items, Gate(width, epsilon, signed=True), self._recency(1.0))
        return modules

    def _position_relations(self) -> dict[str, nn.Module]:
        modules: dict[str, nn.Module] = {}
        if self.gap_count:
            modules["time_gap"] = PositionRelation(None, self.gap_count)
        for name, count in self.level_counts.items():
            modules[relation_name("behaviour", name)] = PositionRelation(name, count)
        return modules

    @staticmethod
    def _has_pairs(module: nn.Module) -> bool:
        return isinstance(module, (RowEvidence, FeatureEvidence, IdentityEvidence))

    def stacked(self) -> StackedParameters:
        """The parameters of all relations side by side."""
        modules = [module for module in self.relations.values() if isinstance(module, RelationEvidence)]
        return StackedParameters(
            [layer.attention.stacked() for layer in self.layers if isinstance(layer, EncoderLayer)],
            StackedEvidence.of(modules) if modules and self.config.catalogue_evidence else None,
        )

    def gaps(self, batch: Batch, places: Tensor) -> Tensor | None:
        """Buckets of the time gap at the places `[b, t]`, int64 `[b, t, l]`; None where it plays no part."""
        if batch.times is None or not self.gap_count:
            return None
        return gap_buckets(batch.times, places, self.gap_count)

    def relation_values(self, batch: Batch, read: dict[str, Tensor | None]) -> Tensor | None:
        """What the relation heads read, R_a(i_t, i_s) of each relation or the weighted sum of all.

        Args:
            batch: histories.
            read: what each relation looks up of the batch.

        Returns:
            `[b, r, l, l]`, or None where there are no such heads.
        """
        if not self.head_names:
            return None
        everywhere = torch.arange(batch.items.shape[1], device=batch.items.device).expand(batch.items.shape[0], -1)
        gaps = self.gaps(batch, everywhere)
        values = [self._head_values(name, batch, gaps, read.get(name)) for name in self.head_names]
        stacked = torch.stack(values, 1)
        if self.mixing:
            mixing = torch.stack([self.mixing[name] for name in self.head_names])
            return (stacked * mixing.view(-1, 1, 1)).sum(1, keepdim=True)
        return stacked

    def _head_values(self, name: str, batch: Batch, gaps: Tensor | None, read: Tensor | None) -> Tensor:
        """R_a(i_t, i_s) of one relation, `[b, l, l]`."""
        if name in self.position_relations:
            values: Tensor = self.position_relations[name](batch, gaps)
            return values
        module = self.relations[name]
        assert isinstance(module, RelationEvidence)
        return module.pairs(batch, read)

    def embed(self, items: Tensor, table: Tensor) -> Tensor:
        """Rows of the table `[items, d]` for item codes `[b, l]`, zeros for padding, `[b, l, d]`."""
        return F.embedding(items, torch.cat([table, table.new_zeros(1, table.shape[1])]))

    def encode(
        self, batch: Batch, table: Tensor, read: dict[str, Tensor | None], heads: list[StackedHeads | None]
    ) -> Tensor:
        """Hidden state at the places of a batch, `[b, t, d]`.

        Args:
            batch: histories.
            table: item representations `[items, d]`.
            read: what each relation looks up of the batch.
            heads: parameters of the relation heads of each layer.
        """
        length = batch.items.shape[1]
        embedded = self.embed(batch.items, table) * math.sqrt(self.config.width)
        hidden = self.drop(embedded + self.position[:length])
        values = self.relation_values(batch, read)
        bins = self.look_back(None, length)
        for layer, own in zip(self.layers[:-1], heads[:-1], strict=True):
            hidden = layer(hidden, None if own is None or values is None else own.logits(values, bins))
        # Nothing reads the last layer anywhere but at the places.
        logits, own = None, heads[-1]
        if own is not None and values is not None:
            asked = batch.at_places(values.transpose(1, 2)).transpose(1, 2)
            logits = own.logits(asked, self.look_back(batch.places, length))
        normalised: Tensor = self.norm(self.layers[-1](hidden, logits, batch.places))
        return normalised

    def forward(self, batch: Batch) -> Outputs:
        """Runs the network on a batch; the logits are made by `nn.objectives` in blocks."""
        table, stacked = self.table(), self.stacked()
        modules = {name: module for name, module in self.relations.items() if isinstance(module, RelationEvidence)}
        read = {name: module.read(batch) for name, module in modules.items()}
        hidden = self.encode(batch, table, read, stacked.heads)
        if batch.neighbours is not None and self.config.neighbour_states:
            hidden = hidden + self.relations["neighbours"].refine(batch, read["neighbours"], table)  # type: ignore[operator]
        if stacked.evidence is None:
            return Outputs(hidden, table)
        gates = stacked.evidence.gates(hidden).unbind(2)
        bins = self.look_back(batch.places, batch.items.shape[1])
        spoken = stacked.evidence.weights(batch, bins, self.gaps(batch, batch.places), self.items)
        parts = []
        for (name, module), gate, own in zip(modules.items(), gates, spoken, strict=True):
            part, weights = module.part(batch, read[name], own)
            parts.append((part, PartInputs(weights, gate)))
        return Outputs(hidden, table, list(modules), parts)

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """Cross-entropy to the posterior target of one batch."""
        return objective.posterior(self(example.batch), example)

    @staticmethod
    def is_relation_parameter(name: str) -> bool:
        """Gates, recency profiles and relation parameters."""
        return name.startswith(("relations.", "position_relations.", "mixing.")) and ".project." not in name
