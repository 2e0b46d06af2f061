"""The self-contained HTML report of a training folder, and the files it is drawn from."""

from attrformer.report.page import write_report
from attrformer.report.record import record_evaluation, record_relations

__all__ = ["record_evaluation", "record_relations", "write_report"]
