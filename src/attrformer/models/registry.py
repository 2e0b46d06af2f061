"""Every model by name: its options and the network they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrformer.models.attrformer import AttrFormerConfig, AttrFormerNetwork
from attrformer.models.config import ModelConfig
from attrformer.models.network import Network
from attrformer.models.sasrec import SASRecConfig, SASRecNetwork
from attrformer.relations.build import RelationSet

ModelOptions = AttrFormerConfig | SASRecConfig
"""Options of any model; `name` tells them apart."""

_NETWORKS: Final[dict[type[ModelConfig], Callable[[RelationSet, Any, float], Network]]] = {
    AttrFormerConfig: AttrFormerNetwork,
    SASRecConfig: SASRecNetwork,
}


def build_network(relations: RelationSet, config: ModelConfig, dropout: float) -> Network:
    """A new network of the kind that the options name.

    Args:
        relations: the explicit relations that it reads.
        config: its options.
        dropout: resolved dropout rate.
    """
    return _NETWORKS[type(config)](relations, config, dropout)
