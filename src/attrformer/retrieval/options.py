"""Options of an index."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from attrformer.config import Options
from attrformer.errors import ConfigurationError, require
from attrformer.recommender.state import ModelState


@dataclass(frozen=True)
class IndexOptions(Options):
    """How items are found.

    Raises:
        ConfigurationError: an option has a value that cannot be used.
    """

    method: Literal["auto", "exact", "approximate"] = field(
        default="auto",
        metadata={"help": "exact scores the whole catalogue, approximate what can be among the best"},
    )
    exact_items: int = field(default=50_000, metadata={"help": "largest catalogue that auto searches exactly"})
    content: int = field(default=256, metadata={"help": "items taken from the search over the content part"})
    connectivity: int = field(default=16, metadata={"help": "edges of each item in the graph of the content part"})
    expansion_add: int = field(default=64, metadata={"help": "items looked at when an item is put into the graph"})
    number: Literal["f16", "bf16", "f32"] = field(
        default="f16", metadata={"help": "how the graph holds vectors; scores are computed from single precision"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.exact_items >= 0, "exact_items", self.exact_items, "0 or more")
        for name, least in (("content", 1), ("connectivity", 2), ("expansion_add", 1)):
            require(getattr(self, name) >= least, name, getattr(self, name), f"{least} or more")


def wants_graph(fitted: ModelState, options: IndexOptions) -> bool:
    """Whether the catalogue is searched by a graph over its item vectors.

    Args:
        fitted: the model.
        options: how items are found.

    Raises:
        ConfigurationError: the options ask for a graph, and the model has no item vectors.
    """
    learned = any(True for _ in fitted.network.parameters())
    if options.method == "approximate" and not learned:
        raise ConfigurationError(
            f"'{fitted.config.name}' learns no item vectors, so that nothing can be indexed. Use method=exact."
        )
    if options.method == "auto":
        return learned and fitted.relations.n_items > options.exact_items
    return options.method == "approximate"
