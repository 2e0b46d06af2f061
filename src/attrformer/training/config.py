"""Options of the objective and of the training loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from attrformer.config import Options
from attrformer.errors import require

_FROM_ONE: Final = (
    "epochs",
    "patience",
    "evaluate_every",
    "evaluations_per_epoch",
    "validation_users",
    "batch_targets",
    "sequence_targets",
)


@dataclass(frozen=True)
class TargetConfig(Options):
    """The posterior target (docs/paper.md, part 3): what counts as upcoming, and the Dirichlet prior."""

    window: int = field(default=1, metadata={"help": "w, upcoming interactions that count"})
    decay: float = field(
        default=0.5, metadata={"help": "count of each further upcoming interaction, relative to the one before"}
    )
    strength: float = field(
        default=0.0, metadata={"help": "alpha_0, strength of the prior; 0 with window 1 is plain cross-entropy"}
    )
    relation: float = field(default=1.0, metadata={"help": "share of relation evidence in the prior mean"})
    popularity: float = field(default=0.0, metadata={"help": "share of popularity in the prior mean"})
    uniform: float = field(default=0.0, metadata={"help": "share of the uniform distribution in the prior mean"})

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.window >= 1, "window", self.window, "1 or more")
        require(0 < self.decay <= 1, "decay", self.decay, "a number above 0, at most 1")
        for name in ("strength", "relation", "popularity", "uniform"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")

    @property
    def mixture(self) -> tuple[float, float, float]:
        """Shares of relation evidence, popularity and uniform in the prior mean, summing to one."""
        total = (self.relation + self.popularity + self.uniform) or 1.0
        return self.relation / total, self.popularity / total, self.uniform / total


@dataclass(frozen=True)
class TrainingConfig(Options):
    """The training loop."""

    epochs: int = field(default=40, metadata={"help": "most passes over the training sequences"})
    patience: int = field(
        default=4, metadata={"help": "evaluations without a better validation figure before stopping"}
    )
    evaluate_every: int = field(default=1, metadata={"help": "epochs between evaluations on validation"})
    evaluations_per_epoch: int = field(
        default=1,
        metadata={
            "help": "evaluations on validation in an epoch, the last one at its end; for long epochs. Patience counts "
            "each of them"
        },
    )
    validation_users: int = field(
        default=10000, metadata={"help": "most validation targets looked at during training, a fixed sample"}
    )
    metric: str = field(
        default="NDCG@20", metadata={"help": "metric of validation that selects the best epoch, also one of your own"}
    )
    select_on: Literal["seen=hidden", "seen=ranked", "mean"] = field(
        default="mean", metadata={"help": "which variant of that metric selects the best epoch"}
    )
    loss: Literal["auto", "full", "sampled"] = field(
        default="auto",
        metadata={
            "help": "full: softmax over the whole catalogue; sampled: over candidates of each step, and only rows that "
            "are read are updated; auto: sampled above 40,000 items where the model can"
        },
    )
    negatives: int | None = field(
        default=None,
        metadata={
            "help": "items drawn for each step of the sampled loss, beside at most as many that relations name; "
            "null: 2,048, or 4,096 above 200,000 items"
        },
    )
    popular_negatives: float = field(
        default=0.5, metadata={"help": "share of the drawn items that are drawn by popularity, the rest evenly"}
    )
    batch_targets: int = field(default=1024, metadata={"help": "target positions in a batch"})
    sequence_targets: int = field(
        default=64, metadata={"help": "most target positions of one sequence in one epoch, drawn anew each epoch"}
    )
    learning_rate: float = field(default=1e-3, metadata={"help": "of AdamW, after warm-up"})
    relation_rate: float = field(
        default=3.0, metadata={"help": "learning rate of gates, recency and relation parameters, in learning rates"}
    )
    weight_decay: float = field(default=0.01, metadata={"help": "of weight matrices"})
    warm_up: int = field(default=100, metadata={"help": "steps until the full learning rate"})
    schedule: Literal["constant", "cosine"] = field(
        default="constant", metadata={"help": "learning rate after warm-up"}
    )
    clip: float = field(default=5.0, metadata={"help": "largest gradient norm"})
    average: float | None = field(
        default=None,
        metadata={
            "help": "decay of the moving average of weights that is evaluated and saved; 0: off; null: 0.998, or 0.999 "
            "where an epoch has more than 300 batches"
        },
    )
    block_elements: int | None = field(
        default=None, metadata={"help": "logits made at a time; null: 2^20 on a CPU, 2^26 on an accelerator"}
    )
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:1, mps"})
    precision: Literal["auto", "float32", "bfloat16"] = field(
        default="auto", metadata={"help": "type of the large products"}
    )
    graphs: bool | None = field(
        default=None,
        metadata={"help": "record each training step once and replay it (CUDA); null: where the model allows it"},
    )
    compiled: bool | None = field(
        default=None,
        metadata={
            "help": "loss and gradients by compiled passes, equal but for rounding (CPU, numba); null: where numba is "
            "installed when training starts, and a resumed run keeps that; false: never"
        },
    )
    threads: int | None = field(default=None, metadata={"help": "CPU threads; null: all cores"})
    checkpoint_minutes: float = field(default=5.0, metadata={"help": "minutes between checkpoints within an epoch"})

    @property
    def most_targets(self) -> int:
        """Target positions of the largest batch, about."""
        return max(self.batch_targets, self.sequence_targets)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in _FROM_ONE:
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        often = self.evaluations_per_epoch
        require(often == 1 or self.evaluate_every == 1, "evaluations_per_epoch", often, "1 where evaluate_every is not")
        # Whether it is known is asked before training: this floor does not know metrics.
        measure, _, length = self.metric.partition("@")
        formed = bool(measure) and length.isdecimal() and int(length) >= 1
        require(formed, "metric", f"'{self.metric}'", "a metric, @ and a list length, such as NDCG@20")
        for name in ("learning_rate", "relation_rate", "clip", "checkpoint_minutes"):
            require(getattr(self, name) > 0, name, getattr(self, name), "a number above 0")
        decays = 0 <= self.weight_decay * self.learning_rate < 1
        require(decays, "weight_decay", self.weight_decay, "0 or more, and below 1 / learning_rate")
        require(self.warm_up >= 0, "warm_up", self.warm_up, "0 or more")
        require(
            self.average is None or 0 <= self.average < 1, "average", self.average, "0 or more and below 1, or null"
        )
        require(self.negatives is None or self.negatives >= 1, "negatives", self.negatives, "1 or more, or null")
        require(0 <= self.popular_negatives <= 1, "popular_negatives", self.popular_negatives, "a share from 0 to 1")
        blocks = self.block_elements
        require(blocks is None or blocks >= 1, "block_elements", blocks, "1 or more, or null")
        require(self.threads is None or self.threads >= 1, "threads", self.threads, "1 or more, or null")
