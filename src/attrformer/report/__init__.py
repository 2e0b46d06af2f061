"""The self-contained HTML report of a training folder."""

from attrformer.report.page import write_report

__all__ = ["write_report"]
