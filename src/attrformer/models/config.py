"""Options of the AttrFormer network; every part of it can be switched off for an ablation."""

from __future__ import annotations

from dataclasses import dataclass, field

from attrformer.errors import require


@dataclass(frozen=True)
class ModelConfig:
    """Shape and parts of the network."""

    width: int = field(default=64, metadata={"help": "hidden width d"})
    layers: int = field(default=2, metadata={"help": "encoder layers"})
    heads: int = field(
        default=2, metadata={"help": "ordinary attention heads of each layer, beside one for each relation"}
    )
    expansion: int = field(default=2, metadata={"help": "inner width of the feed-forward part, in widths"})
    max_length: int = field(default=200, metadata={"help": "latest interactions of a history that are read"})
    dropout: float | None = field(
        default=None, metadata={"help": "dropout; null: 0.5 for short histories, 0.2 for long ones"}
    )
    relation_heads: bool = field(default=True, metadata={"help": "relation-augmented attention heads"})
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
        for name in ("width", "layers", "heads", "expansion", "max_length"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(self.width % self.heads == 0, "width", self.width, f"a multiple of heads ({self.heads})")
        require(
            self.dropout is None or 0 <= self.dropout < 1, "dropout", self.dropout, "0 or more and below 1, or null"
        )
        require(self.low_rank >= 0, "low_rank", self.low_rank, "0 or more")
        require(self.epsilon > 0, "epsilon", self.epsilon, "a number above 0")
