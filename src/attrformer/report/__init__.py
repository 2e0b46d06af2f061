"""The self-contained HTML report of a training folder, and explanations for people to read."""

from attrformer.report.explanation import explanation_drawing, explanation_text
from attrformer.report.page import write_check, write_report

__all__ = ["explanation_drawing", "explanation_text", "write_check", "write_report"]
