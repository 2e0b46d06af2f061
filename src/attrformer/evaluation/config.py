"""Options of the evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field

from attrformer.configuration import Options
from attrformer.errors import ConfigurationError


@dataclass(frozen=True)
class EvaluationConfig(Options):
    """How rankings are measured.

    Args:
        cutoffs: lengths k of the recommended list, each at least 1.
        batch_size: targets scored together; one block of `[batch_size, items]` scores is in memory at a time.
        resamples: bootstrap resamples behind each confidence interval.
        confidence: share of resamples that an interval covers, between 0 and 1.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """

    cutoffs: tuple[int, ...] = field(
        default=(5, 10, 20), metadata={"help": "lengths of the recommended list at which metrics are reported"}
    )
    batch_size: int = field(default=256, metadata={"help": "targets scored together against the whole catalogue"})
    resamples: int = field(default=1000, metadata={"help": "bootstrap resamples behind each confidence interval"})
    confidence: float = field(default=0.95, metadata={"help": "confidence level of the intervals, between 0 and 1"})

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "cutoffs", tuple(sorted(set(self.cutoffs))))
        if not self.cutoffs or min(self.cutoffs) < 1:
            raise ConfigurationError(f"cutoffs is {list(self.cutoffs)}. Give at least one length, each 1 or more.")
        if self.batch_size < 1:
            raise ConfigurationError(f"batch_size is {self.batch_size}. Give 1 or more.")
        if self.resamples < 1:
            raise ConfigurationError(f"resamples is {self.resamples}. Give 1 or more; 1000 is usual.")
        if not 0.0 < self.confidence < 1.0:
            raise ConfigurationError(f"confidence is {self.confidence}. Give a value between 0 and 1, such as 0.95.")
