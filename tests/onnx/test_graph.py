"""The graph's operations give what the network gives, for every kind of relation; no export is needed to see it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.retrieval.builders import model_of

from attrformer.nn.batch import Batch
from attrformer.onnx.graph import ScoringGraph
from attrformer.onnx.inputs import LEVELS, NEIGHBOURS, USERS
from attrformer.recommender.state import ModelState
from attrformer.relations.positions import NO_TIMES


def inputs_of(batch: Batch) -> dict[str, torch.Tensor]:
    """A batch that asks about the end of each history, as the graph takes it."""
    assert batch.similar_users is not None
    inputs = {"items": batch.items, "lengths": batch.target_positions[:, 0] + 1}
    inputs["times"] = torch.full_like(batch.items, NO_TIMES) if batch.times is None else batch.times
    inputs |= {f"{USERS}{name}": codes for name, codes in batch.user_features.items()}
    inputs |= {f"{LEVELS}{name}": codes for name, codes in batch.levels.items()}
    for part in ("users", "similarity", "following"):
        values = getattr(batch.similar_users, part)[:, 0]
        # Whole numbers of a graph have 64 bits (`onnx/inputs.py`).
        inputs[f"{NEIGHBOURS}{part}"] = values if values.is_floating_point() else values.long()
    return inputs


def assert_parity(fitted: ModelState, users: list[int], timed: bool = True) -> None:
    rows = np.array(users)
    contexts = fitted.knowledge.histories.rows(rows)
    batch, outputs = fitted.outputs(rows, contexts if timed else replace(contexts, times=None))
    with torch.no_grad():
        hidden, scores = ScoringGraph(fitted.network)(inputs_of(batch))

    assert torch.allclose(hidden, outputs.hidden[:, 0], atol=1e-5)
    assert torch.allclose(scores, fitted.scores_of(outputs), atol=1e-4)


VARIANTS: list[dict[str, Any]] = [
    {"sparse": True},
    {"sparse": False},
    {"mixed_head": True},
    {"relation_heads": False},
    {"catalogue_evidence": False},
    {"similar_user_states": False, "attribute_embeddings": False},
    {"low_rank": 0, "layers": 1},
]


@pytest.mark.parametrize("options", VARIANTS, ids=lambda options: ",".join(options))
def test_every_variant_scores_as_the_network_does(options: dict[str, Any]) -> None:
    fitted = model_of(**options).fitted

    assert_parity(fitted, [0, 5, 9, 30])
    assert_parity(fitted, [17])


def test_histories_whose_times_are_not_known_are_told_from_those_without_a_gap() -> None:
    fitted = model_of().fitted
    assert_parity(fitted, [2, 3], timed=False)
    rows = np.array([2, 3])
    contexts = fitted.knowledge.histories.rows(rows)
    assert contexts.times is not None
    still = replace(contexts, times=np.zeros_like(contexts.times))
    known, unknown = fitted.score(rows, still), fitted.score(rows, replace(contexts, times=None))
    assert not torch.allclose(known, unknown, atol=1e-3)
