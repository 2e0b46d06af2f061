"""Options that networks share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from attrformer.config import Options
from attrformer.errors import require
from attrformer.relations.config import CooccurrenceConfig, RelationsConfig

SHORT_HISTORIES = 30
"""Mean training interactions of a user below which dropout is strong, where the options leave it open."""


def only(
    relations: RelationsConfig, *, cooccurrence_near: bool = False, items: bool = False, behaviours: bool = False
) -> RelationsConfig:
    """The relations of some options that a network reads, and no others.

    Args:
        relations: the options.
        cooccurrence_near: whether the relation of that name is read.
        items: whether item attributes are read.
        behaviours: whether times and ratings are read.
    """
    off = CooccurrenceConfig(enabled=False)
    return replace(
        relations,
        cooccurrence_near=relations.cooccurrence_near if cooccurrence_near else off,
        cooccurrence_wide=off,
        cooccurrence_next=off,
        indirect=False,
        item_attributes=relations.item_attributes if items else (),
        changing_attributes=(),
        # No paper has it; who wants it asks for it.
        id_order=items and relations.id_order is True,
        user_attributes=(),
        edges=(),
        behaviours=relations.behaviours and behaviours,
        behaviour_rows=(),
        time_bucket=False,
        repeat=False,
        similar_users=False,
        own=(),
    )


@dataclass(frozen=True)
class ModelConfig(Options):
    """What every model has; `name` tells the models apart.

    A network that is not causal is trained on histories that end right before their target (`ENDS_BEFORE_TARGET`); one
    that contrasts histories with the same next item is given such partners (`CONTRASTS_SAME_TARGET`). Where the target
    is the posterior of what is upcoming, the options of `target` are read (`READS_TARGET_OPTIONS`).
    """

    ENDS_BEFORE_TARGET: ClassVar[bool] = False
    """Whether each target has a history of its own, which ends right before it."""

    CONTRASTS_SAME_TARGET: ClassVar[bool] = False
    """Whether training needs another history with the same next item."""

    READS_TARGET_OPTIONS: ClassVar[bool] = False
    """Whether the options of `target` are read."""

    TRAINS_ON_TARGETS: ClassVar[bool] = True
    """Whether the loss asks for the interactions of `Example.items` and `Example.final` alone."""

    name: str = ""
    max_length: int = field(default=200, metadata={"help": "latest interactions of a history that are read"})

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.max_length >= 1, "max_length", self.max_length, "1 or more")

    @property
    def allows_filled_batches(self) -> bool:
        """Whether the loss reads nothing of histories whose mask is 0, so that batches may be filled up with them."""
        return True

    @property
    def knows_candidates(self) -> bool:
        """Whether the loss is a softmax over the catalogue that candidates can stand for."""
        return False

    @property
    def weighs_targets(self) -> bool:
        """Whether the loss counts each target as the mask of the example says."""
        return self.TRAINS_ON_TARGETS

    def reads(self, relations: RelationsConfig) -> RelationsConfig:
        """The relations that this model reads, of those that the options ask for.

        Args:
            relations: the options.
        """
        return only(relations)

    def dropout_rate(self, mean_length: float) -> float:
        """The dropout rate of training.

        Args:
            mean_length: mean training interactions of a user.
        """
        return 0.0


@dataclass(frozen=True)
class EncoderConfig(ModelConfig):
    """What networks that are trained have in common."""

    width: int = field(default=64, metadata={"help": "hidden width d"})
    layers: int = field(default=2, metadata={"help": "encoder layers"})
    heads: int = field(default=2, metadata={"help": "ordinary attention heads of each layer"})
    expansion: int = field(default=2, metadata={"help": "inner width of the feed-forward part, in widths"})
    dropout: float | None = field(
        default=None, metadata={"help": "dropout; null: 0.5 for short histories, 0.2 for long ones"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "layers", "heads", "expansion"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(self.width % self.heads == 0, "width", self.width, f"a multiple of heads ({self.heads})")
        require(
            self.dropout is None or 0 <= self.dropout < 1, "dropout", self.dropout, "0 or more and below 1, or null"
        )

    def dropout_rate(self, mean_length: float) -> float:
        """What the options say, or a rate by the mean length of training histories."""
        if self.dropout is not None:
            return self.dropout
        return 0.5 if mean_length < SHORT_HISTORIES else 0.2
