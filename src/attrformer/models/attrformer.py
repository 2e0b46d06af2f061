"""The AttrFormer network (docs/paper.md, part 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer import earlier_names
from attrformer.errors import require
from attrformer.models.config import EncoderConfig
from attrformer.models.network import Network
from attrformer.nn.attention import EncoderLayer, StackedHeads
from attrformer.nn.batch import Batch, Example
from attrformer.nn.candidates import Candidates
from attrformer.nn.contributions import ContributionInputs
from attrformer.nn.dropout import Dropout
from attrformer.nn.item_table import ItemTable
from attrformer.nn.losses import Objective, Outputs
from attrformer.nn.named import NamedModules, NamedParameters
from attrformer.nn.recency import LookBack, RecencyProfile, gap_buckets
from attrformer.nn.relation_mix import HeadValues, takes
from attrformer.nn.relations.base import ContributingModule, Gate, ModuleOptions, RelationModule
from attrformer.nn.relations.registry import modules_of
from attrformer.nn.stacked import StackedEvidence, StackedParameters
from attrformer.nn.workers import SPLIT_ELEMENTS
from attrformer.relations.config import RelationsConfig
from attrformer.relations.positions import GAP_BUCKETS
from attrformer.relations.relation_set import RelationSet

MIXED = "mixed"

OWN_EMBEDDING = "table.item"
"""The parameter that has a row for every item."""


@dataclass(frozen=True)
class AttrFormerConfig(EncoderConfig):
    """Shape and parts of AttrFormer; every part can be switched off for an ablation."""

    READS_TARGET_OPTIONS: ClassVar[bool] = True
    EARLIER_NAMES: ClassVar[Mapping[str, str]] = earlier_names.of_part("model")

    name: Literal["attrformer"] = "attrformer"
    relation_heads: bool = field(default=True, metadata={"help": "relation-augmented attention heads"})
    mixed_head: bool = field(
        default=False,
        metadata={"help": "one head that reads the sum of all relations in place of a head for each (ablation only)"},
    )
    catalogue_evidence: bool = field(
        default=True, metadata={"help": "relations contribute to the scores of the whole catalogue"}
    )
    similar_user_states: bool = field(
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
    item_gates: float | None = field(
        default=None,
        metadata={"help": "sum of the gates of all item attributes at the start; null: each starts at 1"},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.low_rank >= 0, "low_rank", self.low_rank, "0 or more")
        require(self.epsilon > 0, "epsilon", self.epsilon, "a number above 0")
        if self.item_gates is not None:
            require(self.item_gates > 0, "item_gates", self.item_gates, "a number above 0, or null")

    @property
    def knows_candidates(self) -> bool:
        """See `ModelConfig.knows_candidates`."""
        return True

    def reads(self, relations: RelationsConfig) -> RelationsConfig:
        """Every relation that the options ask for; similar users where there is to be at least one."""
        return relations if relations.similar_users_count else replace(relations, similar_users=False)


class AttrFormerNetwork(Network):
    """Encoder with relation-augmented heads, catalogue evidence of each relation, position-to-position aggregation.

    Args:
        relations: the explicit relations of the dataset.
        config: shape and parts.
        dropout: resolved dropout rate.
    """

    ITEM_PARAMETERS: ClassVar[tuple[str, ...]] = (OWN_EMBEDDING,)
    ROWS_APART: ClassVar[bool] = True

    def __init__(self, relations: RelationSet, config: AttrFormerConfig, dropout: float) -> None:
        super().__init__()
        self.config, self.items = config, relations.n_items
        width, length = config.width, config.max_length
        embedded = relations.features if config.attribute_embeddings else {}
        self.table = ItemTable(relations.popularity, width, embedded)
        self.position = nn.Parameter(torch.randn(length, width) * 0.02)
        self.gap_count = GAP_BUCKETS if relations.time_gaps else 0
        self.level_counts = {name: len(edges) + 2 for name, edges in relations.levels.items()}
        made = modules_of(relations, ModuleOptions(width, config.epsilon, config.low_rank, self._recency, relations))
        contributing = {name: module for name, module in made.items() if module.contributes}
        if config.item_gates is not None:
            gates = [contributing[name].gate for name in relations.item_attributes if name in contributing]
            for gate in gates:
                cast(Gate, gate).start_at(config.item_gates / len(gates))
        positions = {name: module for name, module in made.items() if not module.contributes}
        self.relations, self.position_relations = NamedModules(contributing), NamedModules(positions)
        heads = [name for group in (positions, contributing) for name, module in group.items() if module.attends]
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

    def contributing(self) -> dict[str, ContributingModule]:
        """The relations that add to the scores of the catalogue, by name."""
        return dict(self.relations.items())

    def module(self, name: str) -> RelationModule:
        """The module of a relation, by its name."""
        found = self.position_relations if name in self.position_relations else self.relations
        return cast(RelationModule, found[name])

    def stacked(self) -> StackedParameters:
        """The parameters of all relations side by side."""
        modules = list(self.contributing().values())
        return StackedParameters(
            [layer.attention.stacked() for layer in self.layers if isinstance(layer, EncoderLayer)],
            StackedEvidence.of(modules) if modules and self.config.catalogue_evidence else None,
        )

    def gaps(self, batch: Batch, places: Tensor) -> Tensor | None:
        """Buckets of the time gap at the places `[b, t]`, int64 `[b, t, l]`; None where it plays no part."""
        if batch.times is None or not self.gap_count:
            return None
        return gap_buckets(batch.times, places, self.gap_count)

    def relation_values(self, batch: Batch, looked_up: dict[str, Tensor | None]) -> Tensor | None:
        """What the relation heads read, R_a(i_t, i_s) of each relation or the weighted sum of all.

        Args:
            batch: histories.
            looked_up: what each relation looks up of the batch.

        Returns:
            `[b, r, l, l]`, or None where there are no such heads.
        """
        if not self.head_names:
            return None
        stacked = torch.stack(self._values(batch, looked_up), 1)
        if self.mixing:
            mixing = torch.stack([self.mixing[name] for name in self.head_names])
            return (stacked * mixing.view(-1, 1, 1)).sum(1, keepdim=True)
        return stacked

    def _values(self, batch: Batch, looked_up: dict[str, Tensor | None]) -> list[Tensor]:
        """R_a(i_t, i_s) of each relation that a head reads, `[b, l, l]`."""
        everywhere = torch.arange(batch.items.shape[1], device=batch.items.device).expand(batch.items.shape[0], -1)
        gaps = self.gaps(batch, everywhere)
        return [self._head_values(name, batch, gaps, looked_up.get(name)) for name in self.head_names]

    def _head_values(self, name: str, batch: Batch, gaps: Tensor | None, looked_up: Tensor | None) -> Tensor:
        """R_a(i_t, i_s) of one relation, `[b, l, l]`."""
        return self.module(name).attention_values(batch, looked_up, gaps)

    def _held(self, batch: Batch, looked_up: dict[str, Tensor | None], items: int) -> HeadValues | None:
        """What compiled passes make the relation heads of; None where they are computed the plain way."""
        if self.mixing or not self.head_names or not takes(batch.target_positions.numel() * items, batch.items.device):
            return None
        length, lengths = batch.items.shape[1], (batch.items != self.items).sum(1)
        distances = self.look_back.bins[:length].flip(0)
        return HeadValues(self._values(batch, looked_up), lengths, distances)

    def embed(self, items: Tensor, table: Tensor) -> Tensor:
        """Rows of the table `[n, d]` for their numbers `[b, l]`, zeros for padding (n), `[b, l, d]`."""
        return F.embedding(items, torch.cat([table, table.new_zeros(1, table.shape[1])]))

    def encode(
        self,
        batch: Batch,
        table: Tensor,
        looked_up: dict[str, Tensor | None],
        heads: list[StackedHeads | None],
        rows: Tensor | None = None,
    ) -> Tensor:
        """Hidden state at the places of a batch, `[b, t, d]`.

        Args:
            batch: histories.
            table: item representations `[items, d]`.
            looked_up: what each relation looks up of the batch.
            heads: parameters of the relation heads of each layer.
            rows: int64 `[b, l]`, the row of the table of each position; None: that of its item code.
        """
        length = batch.items.shape[1]
        embedded = self.embed(batch.items if rows is None else rows, table) * math.sqrt(self.config.width)
        hidden = self.drop(embedded + self.position[:length])
        held = self._held(batch, looked_up, len(table))
        if held is not None:
            for layer in self.layers[:-1]:
                hidden = layer(hidden, held)
            return self.norm(self.layers[-1](hidden, held, batch.target_positions))  # type: ignore[no-any-return]
        values = self.relation_values(batch, looked_up)
        bins = self.look_back(None, length)
        for layer, own in zip(self.layers[:-1], heads[:-1], strict=True):
            hidden = layer(hidden, None if own is None or values is None else own.logits(values, bins))
        # Nothing reads the last layer anywhere but at the places.
        logits, own = None, heads[-1]
        if own is not None and values is not None:
            asked = batch.at_target_positions(values.transpose(1, 2)).transpose(1, 2)
            logits = own.logits(asked, self.look_back(batch.target_positions, length))
        normalised: Tensor = self.norm(self.layers[-1](hidden, logits, batch.target_positions))
        return normalised

    def items_read(self, batch: Batch) -> Tensor:
        """See `Network.items_read`: what similar users did next."""
        if batch.similar_users is None or not self.config.similar_user_states:
            return super().items_read(batch)
        following = batch.similar_users.following[..., 0]
        return following[following >= 0]

    def named(self, batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """See `Network.named`."""
        modules = self.contributing().values() if self.config.catalogue_evidence else ()
        return [found for module in modules if (found := module.named(batch)) is not None]

    def add_named(self, batch: Batch, total: Tensor) -> None:
        """See `Network.add_named`."""
        for module in self.contributing().values() if self.config.catalogue_evidence else ():
            module.add_named(batch, total)

    def forward(self, batch: Batch, candidates: Candidates | None = None) -> Outputs:
        """Runs the network on a batch; the logits are made by `nn.fused_loss` in blocks."""
        outputs = self.before_scores(batch, candidates)
        return outputs if candidates is None else outputs.among(candidates, outputs.table[: candidates.count])

    def item_rows(self, items: Tensor) -> Tensor:
        """See `Network.item_rows`."""
        return self.table.rows(items)

    def before_scores(self, batch: Batch, candidates: Candidates | None = None) -> Outputs:
        """See `Network.before_scores`."""
        stacked, modules = self.stacked(), self.contributing()
        looked_up = {name: module.lookup(batch) for name, module in modules.items()}
        table = self.table() if candidates is None else self.table.rows(candidates.read)
        local = batch if candidates is None else batch.local(candidates)
        rows = None if candidates is None else local.items
        hidden = self.encode(batch, table, looked_up, stacked.heads, rows)
        if batch.similar_users is not None and self.config.similar_user_states:
            for name, module in modules.items():
                if module.refines:
                    hidden = hidden + module.refinement(local, looked_up[name], table)
        if stacked.evidence is None:
            return Outputs(hidden, table)
        gates = stacked.evidence.gates(hidden).unbind(2)
        bins = self.look_back(batch.target_positions, batch.items.shape[1])
        spoken = stacked.evidence.weights(batch, bins, self.gaps(batch, batch.target_positions), self.items)
        parts = []
        for (name, module), gate, own in zip(modules.items(), gates, spoken, strict=True):
            part, weights = module.contribution(batch, looked_up[name], own)
            parts.append((part, ContributionInputs(weights, gate)))
        return Outputs(hidden, table, list(modules), parts)

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """Cross-entropy to the posterior target of one batch."""
        return objective.posterior(self._outputs(example), example)

    def is_short(self, example: Example) -> bool:
        """See `Network.is_short`; of the full loss, which is shared out, with few positions to encode."""
        items = example.batch.items
        return items.numel() * self.config.width < SPLIT_ELEMENTS and example.candidates is None and items.is_cpu

    @staticmethod
    def is_relation_parameter(name: str) -> bool:
        """Gates, recency profiles and relation parameters."""
        return name.startswith(("relations.", "position_relations.", "mixing.")) and ".project." not in name
