"""Every model by name: its options and the network they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrformer.config import add_variant, name_of, open_family
from attrformer.errors import ConfigurationError
from attrformer.models.attrformer import AttrFormerConfig, AttrFormerNetwork
from attrformer.models.baselines.bert4rec import BERT4RecConfig, BERT4RecNetwork
from attrformer.models.baselines.bsarec import BSARecConfig, BSARecNetwork
from attrformer.models.baselines.cl4srec import CL4SRecConfig, CL4SRecNetwork
from attrformer.models.baselines.difsr import DIFSRConfig, DIFSRNetwork
from attrformer.models.baselines.duorec import DuoRecConfig, DuoRecNetwork
from attrformer.models.baselines.fearec import FEARecConfig, FEARecNetwork
from attrformer.models.baselines.gru4rec import GRU4RecConfig, GRU4RecNetwork
from attrformer.models.baselines.lightsans import LightSANsConfig, LightSANsNetwork
from attrformer.models.baselines.mt4sr import MT4SRConfig, MT4SRNetwork
from attrformer.models.baselines.popularity import PopularityConfig, PopularityNetwork
from attrformer.models.baselines.sasrec import SASRecConfig, SASRecNetwork
from attrformer.models.baselines.sasrecf import SASRecFConfig, SASRecFNetwork
from attrformer.models.baselines.tisasrec import TiSASRecConfig, TiSASRecNetwork
from attrformer.models.baselines.transitions import TransitionsConfig, TransitionsNetwork
from attrformer.models.baselines.vsknn import VSKNNConfig, VSKNNNetwork
from attrformer.models.config import ModelConfig
from attrformer.models.network import Network
from attrformer.relations.relation_set import RelationSet

NetworkMaker = Callable[[RelationSet, Any, float], Network]
"""Makes a network of relations, options and the resolved dropout rate; usually the class itself."""

_BUILT_IN: Final[dict[type[ModelConfig], NetworkMaker]] = {
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

_networks: Final[dict[type[ModelConfig], NetworkMaker]] = dict(_BUILT_IN)

open_family(
    ModelConfig,
    "A model of your own is known once the file that registers it is named: attrformer --plugins FILE, or the "
    "environment variable ATTRFORMER_PLUGINS; in Python, once it is imported.",
)
for _options in _BUILT_IN:
    add_variant(ModelConfig, _options)


def register(options: type[ModelConfig], network: NetworkMaker) -> None:
    """Makes a model of one's own known under the name that its options have.

    From then on it is a model like any other: `--set model.name=...`, `Config(model=...)`, plans of `attrformer
    benchmark`, saved and loaded. Registering a name again replaces the model, as running a notebook's cell again does.

    Args:
        options: a frozen dataclass derived from `ModelConfig` or `EncoderConfig` with `name: Literal["..."] = "..."`.
        network: makes the network of relations, options and dropout rate; a class derived from `Network`.

    Raises:
        ConfigurationError: the options are no such dataclass, or the name is that of a model of the library.
    """
    name = name_of(options)
    if name in map(name_of, _BUILT_IN):
        raise ConfigurationError(f"The name '{name}' is that of a model of the library. Give yours another one.")
    add_variant(ModelConfig, options)
    _networks[options] = network


def is_own(options: ModelConfig) -> bool:
    """Whether options are those of a model that was registered from outside of the library."""
    return type(options) not in _BUILT_IN


def build_network(relations: RelationSet, config: ModelConfig, dropout: float) -> Network:
    """A new network of the kind that the options name.

    Args:
        relations: the explicit relations that it reads.
        config: its options.
        dropout: resolved dropout rate.

    Raises:
        ConfigurationError: no model was registered for options of this kind.
    """
    maker = _networks.get(type(config))
    if maker is None:
        raise ConfigurationError(
            f"No model is registered for {type(config).__name__}. Call attrformer.models.register with it first."
        )
    return maker(relations, config, dropout)
