"""AttrFormer: sequential recommendation with attributes as explicit relations."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attrformer.dataset import Dataset, core_filter, leave_one_out, time_split
    from attrformer.errors import (
        AttrFormerError,
        BusyError,
        CheckpointError,
        ConfigurationError,
        DataError,
        DownloadError,
        ForkedProcessError,
        KnownInteractionsWarning,
        LeakWarning,
        NotFittedError,
        UnknownIdError,
        WriteError,
    )
    from attrformer.evaluation import Evaluation
    from attrformer.recommender import AttrFormer, Config, Recommender

try:
    __version__ = version("attrformer")
except PackageNotFoundError:
    __version__ = "0+unknown"

# Imported when first asked for, so that `import attrformer` and `attrformer --help` do not wait for torch.
_HOMES = {
    "AttrFormer": "attrformer.recommender",
    "AttrFormerError": "attrformer.errors",
    "BusyError": "attrformer.errors",
    "CheckpointError": "attrformer.errors",
    "Config": "attrformer.recommender",
    "ConfigurationError": "attrformer.errors",
    "DataError": "attrformer.errors",
    "Dataset": "attrformer.dataset",
    "DownloadError": "attrformer.errors",
    "Evaluation": "attrformer.evaluation",
    "ForkedProcessError": "attrformer.errors",
    "KnownInteractionsWarning": "attrformer.errors",
    "LeakWarning": "attrformer.errors",
    "NotFittedError": "attrformer.errors",
    "Recommender": "attrformer.recommender",
    "UnknownIdError": "attrformer.errors",
    "WriteError": "attrformer.errors",
    "core_filter": "attrformer.dataset",
    "leave_one_out": "attrformer.dataset",
    "time_split": "attrformer.dataset",
}

__all__ = [
    "AttrFormer",
    "AttrFormerError",
    "BusyError",
    "CheckpointError",
    "Config",
    "ConfigurationError",
    "DataError",
    "Dataset",
    "DownloadError",
    "Evaluation",
    "ForkedProcessError",
    "KnownInteractionsWarning",
    "LeakWarning",
    "NotFittedError",
    "Recommender",
    "UnknownIdError",
    "WriteError",
    "__version__",
    "core_filter",
    "leave_one_out",
    "time_split",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'attrformer' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
