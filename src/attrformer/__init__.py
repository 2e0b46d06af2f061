"""AttrFormer: sequential recommendation with attributes as explicit relations.

Everything that most programs need is here: models, data, options and errors. `Config` holds every option of a run, and
each of its parts is a class of its own.
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from attrformer.dataset import Dataset, Split, core_filter, leave_one_out, time_split
    from attrformer.errors import (
        AttrFormerError,
        AttrFormerWarning,
        BusyError,
        CheckpointError,
        ConfigurationError,
        DataError,
        DownloadError,
        ForkedProcessError,
        KnownInteractionsWarning,
        KnownLaterWarning,
        LeakWarning,
        NotFittedError,
        UnknownIdError,
        WriteError,
    )
    from attrformer.evaluation import Evaluation, EvaluationConfig
    from attrformer.export import OnnxRecommender, export_model
    from attrformer.index import Index, IndexOptions
    from attrformer.models.attrformer import AttrFormerConfig
    from attrformer.models.bert4rec import BERT4RecConfig
    from attrformer.models.bsarec import BSARecConfig
    from attrformer.models.cl4srec import CL4SRecConfig
    from attrformer.models.config import EncoderConfig, ModelConfig
    from attrformer.models.difsr import DIFSRConfig
    from attrformer.models.duorec import DuoRecConfig
    from attrformer.models.fearec import FEARecConfig
    from attrformer.models.gru4rec import GRU4RecConfig
    from attrformer.models.lightsans import LightSANsConfig
    from attrformer.models.mt4sr import MT4SRConfig
    from attrformer.models.popularity import PopularityConfig
    from attrformer.models.sasrec import SASRecConfig
    from attrformer.models.sasrecf import SASRecFConfig
    from attrformer.models.tisasrec import TiSASRecConfig
    from attrformer.models.transitions import TransitionsConfig
    from attrformer.models.vsknn import VSKNNConfig
    from attrformer.recommender import AttrFormer, Config, DataConfig, Recommender, Stopped
    from attrformer.relations.config import CooccurrenceConfig, RelationsConfig
    from attrformer.serving import ServeOptions, serve
    from attrformer.training.config import TargetConfig, TrainingConfig

try:
    __version__ = version("attrformer")
except PackageNotFoundError:
    __version__ = "0+unknown"

__all__ = [
    "AttrFormer",
    "AttrFormerConfig",
    "AttrFormerError",
    "AttrFormerWarning",
    "BERT4RecConfig",
    "BSARecConfig",
    "BusyError",
    "CL4SRecConfig",
    "CheckpointError",
    "Config",
    "ConfigurationError",
    "CooccurrenceConfig",
    "DIFSRConfig",
    "DataConfig",
    "DataError",
    "Dataset",
    "DownloadError",
    "DuoRecConfig",
    "EncoderConfig",
    "Evaluation",
    "EvaluationConfig",
    "FEARecConfig",
    "ForkedProcessError",
    "GRU4RecConfig",
    "Index",
    "IndexOptions",
    "KnownInteractionsWarning",
    "KnownLaterWarning",
    "LeakWarning",
    "LightSANsConfig",
    "MT4SRConfig",
    "ModelConfig",
    "NotFittedError",
    "OnnxRecommender",
    "PopularityConfig",
    "Recommender",
    "RelationsConfig",
    "SASRecConfig",
    "SASRecFConfig",
    "ServeOptions",
    "Split",
    "Stopped",
    "TargetConfig",
    "TiSASRecConfig",
    "TrainingConfig",
    "TransitionsConfig",
    "UnknownIdError",
    "VSKNNConfig",
    "WriteError",
    "__version__",
    "core_filter",
    "export_model",
    "leave_one_out",
    "serve",
    "time_split",
]

# Imported when first asked for, so that `import attrformer` and `attrformer --help` do not wait for torch.
_HOMES: Final = {
    "attrformer.dataset": ("Dataset", "Split", "core_filter", "leave_one_out", "time_split"),
    "attrformer.errors": (
        "AttrFormerError",
        "AttrFormerWarning",
        "BusyError",
        "CheckpointError",
        "ConfigurationError",
        "DataError",
        "DownloadError",
        "ForkedProcessError",
        "KnownInteractionsWarning",
        "KnownLaterWarning",
        "LeakWarning",
        "NotFittedError",
        "UnknownIdError",
        "WriteError",
    ),
    "attrformer.evaluation": ("Evaluation", "EvaluationConfig"),
    "attrformer.export": ("OnnxRecommender", "export_model"),
    "attrformer.index": ("Index", "IndexOptions"),
    "attrformer.models.attrformer": ("AttrFormerConfig",),
    "attrformer.models.bert4rec": ("BERT4RecConfig",),
    "attrformer.models.bsarec": ("BSARecConfig",),
    "attrformer.models.cl4srec": ("CL4SRecConfig",),
    "attrformer.models.config": ("EncoderConfig", "ModelConfig"),
    "attrformer.models.difsr": ("DIFSRConfig",),
    "attrformer.models.duorec": ("DuoRecConfig",),
    "attrformer.models.fearec": ("FEARecConfig",),
    "attrformer.models.gru4rec": ("GRU4RecConfig",),
    "attrformer.models.lightsans": ("LightSANsConfig",),
    "attrformer.models.mt4sr": ("MT4SRConfig",),
    "attrformer.models.popularity": ("PopularityConfig",),
    "attrformer.models.sasrec": ("SASRecConfig",),
    "attrformer.models.sasrecf": ("SASRecFConfig",),
    "attrformer.models.tisasrec": ("TiSASRecConfig",),
    "attrformer.models.transitions": ("TransitionsConfig",),
    "attrformer.models.vsknn": ("VSKNNConfig",),
    "attrformer.recommender": ("AttrFormer", "Config", "DataConfig", "Recommender", "Stopped"),
    "attrformer.relations.config": ("CooccurrenceConfig", "RelationsConfig"),
    "attrformer.serving": ("ServeOptions", "serve"),
    "attrformer.training.config": ("TargetConfig", "TrainingConfig"),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:
    # A type checker that saw this would take every misspelled name for one of the library.
    def __getattr__(name: str) -> Any:
        if name not in _HOME_OF:
            raise AttributeError(f"module 'attrformer' has no attribute '{name}'")
        return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
