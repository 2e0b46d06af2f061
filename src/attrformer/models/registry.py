"""Every model by name: its options and the network they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrformer.models.attrformer import AttrFormerConfig, AttrFormerNetwork
from attrformer.models.bert4rec import BERT4RecConfig, BERT4RecNetwork
from attrformer.models.bsarec import BSARecConfig, BSARecNetwork
from attrformer.models.cl4srec import CL4SRecConfig, CL4SRecNetwork
from attrformer.models.config import ModelConfig
from attrformer.models.difsr import DIFSRConfig, DIFSRNetwork
from attrformer.models.duorec import DuoRecConfig, DuoRecNetwork
from attrformer.models.fearec import FEARecConfig, FEARecNetwork
from attrformer.models.gru4rec import GRU4RecConfig, GRU4RecNetwork
from attrformer.models.lightsans import LightSANsConfig, LightSANsNetwork
from attrformer.models.mt4sr import MT4SRConfig, MT4SRNetwork
from attrformer.models.network import Network
from attrformer.models.popularity import PopularityConfig, PopularityNetwork
from attrformer.models.sasrec import SASRecConfig, SASRecNetwork
from attrformer.models.sasrecf import SASRecFConfig, SASRecFNetwork
from attrformer.models.tisasrec import TiSASRecConfig, TiSASRecNetwork
from attrformer.models.transitions import TransitionsConfig, TransitionsNetwork
from attrformer.models.vsknn import VSKNNConfig, VSKNNNetwork
from attrformer.relations.build import RelationSet

ModelOptions = (
    AttrFormerConfig
    | SASRecConfig
    | BERT4RecConfig
    | CL4SRecConfig
    | DuoRecConfig
    | DIFSRConfig
    | MT4SRConfig
    | SASRecFConfig
    | BSARecConfig
    | FEARecConfig
    | LightSANsConfig
    | TiSASRecConfig
    | GRU4RecConfig
    | PopularityConfig
    | TransitionsConfig
    | VSKNNConfig
)
"""Options of any model; `name` tells them apart."""

_NETWORKS: Final[dict[type[ModelConfig], Callable[[RelationSet, Any, float], Network]]] = {
    AttrFormerConfig: AttrFormerNetwork,
    SASRecConfig: SASRecNetwork,
    BERT4RecConfig: BERT4RecNetwork,
    CL4SRecConfig: CL4SRecNetwork,
    DuoRecConfig: DuoRecNetwork,
    DIFSRConfig: DIFSRNetwork,
    MT4SRConfig: MT4SRNetwork,
    SASRecFConfig: SASRecFNetwork,
    BSARecConfig: BSARecNetwork,
    FEARecConfig: FEARecNetwork,
    LightSANsConfig: LightSANsNetwork,
    TiSASRecConfig: TiSASRecNetwork,
    GRU4RecConfig: GRU4RecNetwork,
    PopularityConfig: PopularityNetwork,
    TransitionsConfig: TransitionsNetwork,
    VSKNNConfig: VSKNNNetwork,
}


def build_network(relations: RelationSet, config: ModelConfig, dropout: float) -> Network:
    """A new network of the kind that the options name.

    Args:
        relations: the explicit relations that it reads.
        config: its options.
        dropout: resolved dropout rate.
    """
    return _NETWORKS[type(config)](relations, config, dropout)
