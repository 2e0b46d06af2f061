"""What data will do to figures: `attrformer check` and `Dataset.check`."""

from __future__ import annotations

from attrformer.dataset.check.checks import CHECKS, check_dataset
from attrformer.dataset.check.opening import check_frames, check_loaded, check_path
from attrformer.dataset.check.report import CheckReport, ColumnUse, Finding, Severity
from attrformer.dataset.check.subject import Subject

__all__ = [
    "CHECKS",
    "CheckReport",
    "ColumnUse",
    "Finding",
    "Severity",
    "Subject",
    "check_dataset",
    "check_frames",
    "check_loaded",
    "check_path",
]
