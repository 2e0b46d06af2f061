"""Evaluation: metrics over the whole catalogue, confidence intervals, paired tests, the protocol line."""

from __future__ import annotations

from attrformer.evaluation.blocks import Scorer
from attrformer.evaluation.bootstrap import Interval, PairedTest, mean_intervals, paired_test
from attrformer.evaluation.candidates import AmongCandidates, evaluate_among
from attrformer.evaluation.config import EvaluationConfig
from attrformer.evaluation.evaluation import Evaluation
from attrformer.evaluation.evaluator import evaluate
from attrformer.evaluation.groups import GroupFigures
from attrformer.evaluation.metrics import UNREACHABLE_RANK, CatalogueMetric, Metric, Ranking, check_metric, register
from attrformer.evaluation.protocol import Protocol
from attrformer.evaluation.ranks import target_ranks, top_items
from attrformer.evaluation.recommendations import TableEvaluation, evaluate_recommendations
from attrformer.evaluation.slices import Slice

__all__ = [
    "UNREACHABLE_RANK",
    "AmongCandidates",
    "CatalogueMetric",
    "Evaluation",
    "EvaluationConfig",
    "GroupFigures",
    "Interval",
    "Metric",
    "PairedTest",
    "Protocol",
    "Ranking",
    "Scorer",
    "Slice",
    "TableEvaluation",
    "check_metric",
    "evaluate",
    "evaluate_among",
    "evaluate_recommendations",
    "mean_intervals",
    "paired_test",
    "register",
    "target_ranks",
    "top_items",
]
