"""AttrFormer: sequential recommendation with attributes as explicit relations.

Everything that most programs need is here: models, data, options and errors. `Config` holds every option of a run, and
each of its parts is a class of its own.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from attrformer.collector import spared

if TYPE_CHECKING:
    from attrformer.data import Dataset, Split, core_filter, leave_one_out, time_split
    from attrformer.errors import (
        AttrFormerError,
        AttrFormerWarning,
        BusyError,
        CheckpointError,
        ClusterError,
        ConfigurationError,
        DataError,
        DownloadError,
        ForkedProcessError,
        KnownInteractionsWarning,
        KnownLaterWarning,
        LeakWarning,
        NotFittedError,
        RankError,
        RuleError,
        ShardError,
        ShortListWarning,
        UnknownIdError,
        UnknownValueWarning,
        WorkerError,
        WriteError,
    )
    from attrformer.evaluation import Evaluation, EvaluationConfig
    from attrformer.models.attrformer import AttrFormerConfig
    from attrformer.models.baselines.bert4rec import BERT4RecConfig
    from attrformer.models.baselines.bsarec import BSARecConfig
    from attrformer.models.baselines.cl4srec import CL4SRecConfig
    from attrformer.models.baselines.difsr import DIFSRConfig
    from attrformer.models.baselines.duorec import DuoRecConfig
    from attrformer.models.baselines.fearec import FEARecConfig
    from attrformer.models.baselines.gru4rec import GRU4RecConfig
    from attrformer.models.baselines.lightsans import LightSANsConfig
    from attrformer.models.baselines.mt4sr import MT4SRConfig
    from attrformer.models.baselines.popularity import PopularityConfig
    from attrformer.models.baselines.sasrec import SASRecConfig
    from attrformer.models.baselines.sasrecf import SASRecFConfig
    from attrformer.models.baselines.tisasrec import TiSASRecConfig
    from attrformer.models.baselines.transitions import TransitionsConfig
    from attrformer.models.baselines.vsknn import VSKNNConfig
    from attrformer.models.config import EncoderConfig, ModelConfig
    from attrformer.onnx import OnnxRecommender, export_model
    from attrformer.recommender import AttrFormer, Config, DataConfig, Recommender, Stopped
    from attrformer.relations.config import CooccurrenceConfig, RelationOptions, RelationsConfig
    from attrformer.retrieval import Index, IndexOptions
    from attrformer.rules.options import NewItemsRule, Rules
    from attrformer.server import ServeOptions, serve
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
    "ClusterError",
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
    "NewItemsRule",
    "NotFittedError",
    "OnnxRecommender",
    "PopularityConfig",
    "RankError",
    "Recommender",
    "RelationOptions",
    "RelationsConfig",
    "RuleError",
    "Rules",
    "SASRecConfig",
    "SASRecFConfig",
    "ServeOptions",
    "ShardError",
    "ShortListWarning",
    "Split",
    "Stopped",
    "TargetConfig",
    "TiSASRecConfig",
    "TrainingConfig",
    "TransitionsConfig",
    "UnknownIdError",
    "UnknownValueWarning",
    "VSKNNConfig",
    "WorkerError",
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
    "attrformer.data": ("Dataset", "Split", "core_filter", "leave_one_out", "time_split"),
    "attrformer.errors": (
        "AttrFormerError",
        "AttrFormerWarning",
        "BusyError",
        "CheckpointError",
        "ClusterError",
        "ConfigurationError",
        "DataError",
        "DownloadError",
        "ForkedProcessError",
        "KnownInteractionsWarning",
        "KnownLaterWarning",
        "LeakWarning",
        "NotFittedError",
        "RankError",
        "RuleError",
        "ShardError",
        "ShortListWarning",
        "UnknownIdError",
        "UnknownValueWarning",
        "WorkerError",
        "WriteError",
    ),
    "attrformer.evaluation": ("Evaluation", "EvaluationConfig"),
    "attrformer.onnx": ("OnnxRecommender", "export_model"),
    "attrformer.retrieval": ("Index", "IndexOptions"),
    "attrformer.models.attrformer": ("AttrFormerConfig",),
    "attrformer.models.baselines.bert4rec": ("BERT4RecConfig",),
    "attrformer.models.baselines.bsarec": ("BSARecConfig",),
    "attrformer.models.baselines.cl4srec": ("CL4SRecConfig",),
    "attrformer.models.config": ("EncoderConfig", "ModelConfig"),
    "attrformer.models.baselines.difsr": ("DIFSRConfig",),
    "attrformer.models.baselines.duorec": ("DuoRecConfig",),
    "attrformer.models.baselines.fearec": ("FEARecConfig",),
    "attrformer.models.baselines.gru4rec": ("GRU4RecConfig",),
    "attrformer.models.baselines.lightsans": ("LightSANsConfig",),
    "attrformer.models.baselines.mt4sr": ("MT4SRConfig",),
    "attrformer.models.baselines.popularity": ("PopularityConfig",),
    "attrformer.models.baselines.sasrec": ("SASRecConfig",),
    "attrformer.models.baselines.sasrecf": ("SASRecFConfig",),
    "attrformer.models.baselines.tisasrec": ("TiSASRecConfig",),
    "attrformer.models.baselines.transitions": ("TransitionsConfig",),
    "attrformer.models.baselines.vsknn": ("VSKNNConfig",),
    "attrformer.recommender": ("AttrFormer", "Config", "DataConfig", "Recommender", "Stopped"),
    "attrformer.relations.config": ("CooccurrenceConfig", "RelationOptions", "RelationsConfig"),
    "attrformer.rules.options": ("NewItemsRule", "Rules"),
    "attrformer.server": ("ServeOptions", "serve"),
    "attrformer.training.config": ("TargetConfig", "TrainingConfig"),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:
    # A type checker that saw this would take every misspelled name for one of the library.
    def __getattr__(name: str) -> Any:
        if name not in _HOME_OF:
            raise AttributeError(f"module 'attrformer' has no attribute '{name}'")
        return getattr(_imported(_HOME_OF[name]), name)


def _imported(home: str) -> Any:
    if home in sys.modules:
        return importlib.import_module(home)
    with spared():
        return importlib.import_module(home)


def __dir__() -> list[str]:
    return sorted(__all__)
