"""Options of the evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field

from attrformer.config import Options
from attrformer.errors import ConfigurationError
from attrformer.evaluation.metrics import BUILT_IN


@dataclass(frozen=True)
class EvaluationConfig(Options):
    """How rankings are measured.

    Args:
        cutoffs: lengths k of the recommended list, each at least 1.
        metrics: names of the metrics that are reported, also of metrics of one's own; each is reported at every cutoff.
        batch_size: targets scored together; one block of `[batch_size, items]` scores is in memory at a time.
        resamples: bootstrap resamples behind each confidence interval.
        confidence: share of resamples that an interval covers, between 0 and 1.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """

    cutoffs: tuple[int, ...] = field(
        default=(5, 10, 20), metadata={"help": "lengths of the recommended list at which metrics are reported"}
    )
    metrics: tuple[str, ...] = field(
        default=BUILT_IN, metadata={"help": "metrics that are reported at each cutoff, also ones of your own by name"}
    )
    batch_size: int = field(default=256, metadata={"help": "targets scored together against the whole catalogue"})
    resamples: int = field(default=1000, metadata={"help": "bootstrap resamples behind each confidence interval"})
    confidence: float = field(default=0.95, metadata={"help": "confidence level of the intervals, between 0 and 1"})

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "cutoffs", tuple(sorted(set(self.cutoffs))))
        if not self.cutoffs or min(self.cutoffs) < 1:
            raise ConfigurationError(f"cutoffs is {list(self.cutoffs)}. Give at least one length, each 1 or more.")
        # Whether they are known is asked when they are computed: a saved model can be used without its metrics.
        object.__setattr__(self, "metrics", tuple(dict.fromkeys(self.metrics)))
        if not self.metrics or any("@" in name for name in self.metrics):
            raise ConfigurationError(
                f"metrics is {list(self.metrics)}. Give names of metrics such as NDCG; list lengths go to cutoffs."
            )
        if self.batch_size < 1:
            raise ConfigurationError(f"batch_size is {self.batch_size}. Give 1 or more.")
        if self.resamples < 1:
            raise ConfigurationError(f"resamples is {self.resamples}. Give 1 or more; 1000 is usual.")
        if not 0.0 < self.confidence < 1.0:
            raise ConfigurationError(f"confidence is {self.confidence}. Give a value between 0 and 1, such as 0.95.")
