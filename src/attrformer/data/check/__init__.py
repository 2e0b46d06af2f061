"""What data will do to figures: `attrformer check` and `Dataset.check`."""

from __future__ import annotations

from attrformer.data.check.checks import CHECKS, check_dataset
from attrformer.data.check.findings import ColumnUse, Finding, Severity
from attrformer.data.check.opening import check_frames, check_loaded, check_path
from attrformer.data.check.report import CheckReport
from attrformer.data.check.subject import Subject

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
