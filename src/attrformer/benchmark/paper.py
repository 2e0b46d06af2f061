"""The figures that were published, beside which ours stand."""

from __future__ import annotations

from dataclasses import dataclass, field

from attrformer.errors import require


@dataclass(frozen=True)
class PaperTable:
    """A published table of results.

    Args:
        citation: where it was published.
        models: names of rows, as plans call them.
        figures: for each dataset and metric a figure of each model, in their order.

    Raises:
        ConfigurationError: a row of figures is longer or shorter than the row of models.
    """

    citation: str = ""
    models: tuple[str, ...] = ()
    figures: dict[str, dict[str, tuple[float, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for source, metrics in self.figures.items():
            for metric, values in metrics.items():
                wanted = f"{len(self.models)}, one for each model"
                require(len(values) == len(self.models), f"figures.{source}.{metric}", f"{len(values)} long", wanted)

    def figure(self, source: str, row: str, metric: str) -> float | None:
        """The published figure of a row, None where there is none."""
        values = self.figures.get(source, {}).get(metric)
        return values[self.models.index(row)] if values and row in self.models else None

    def gain(self, source: str, row: str, metric: str) -> float | None:
        """How far a row is above the best other one, relative to that; None where it has no figure."""
        values, own = self.figures.get(source, {}).get(metric, ()), self.figure(source, row, metric)
        others = [value for name, value in zip(self.models, values, strict=True) if name != row] if values else []
        return None if own is None or not others else own / max(others) - 1
