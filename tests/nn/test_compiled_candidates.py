"""A step over candidates by compiled passes beside the plain one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.nn.test_candidates import assert_same, few_histories, objective, setting, some_candidates
from tests.nn.test_column_loss import made as made

from attrformer.compiled import rounding
from attrformer.nn.candidates import every_item

pytest.importorskip("numba", reason="needs the extra `fast`")
pytestmark = pytest.mark.slow

THRESHOLDS = (
    "column_loss.LEAST_LOGITS",
    "tables.MANY_PAIRS",
    "candidate_rows.MANY_ROWS",
    "candidate_rows.MANY_ENTRIES",
    "restricted.MANY_ENTRIES",
    "relations.row_table.MANY_ROWS",
    "relations.similar_users.MANY",
    "similar_users.MANY",
    "bags.MANY",
    "item_table.MANY_ITEMS",
    "stacked.MANY_WEIGHTS",
    "relation_mix.LEAST_LOGITS",
)
KNOWN = ["whole rows", "top k", "few values", "few buckets"]


def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THRESHOLDS:
        monkeypatch.setattr(f"attrformer.nn.{name}", 0)


@pytest.mark.parametrize("strength", [0.0, 0.4])
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", [*KNOWN, "vectors", "kept pairs"])
def test_loss_and_gradients_are_the_plain_ones(
    name: str, whole: bool, strength: float, made: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, example = setting(name)
    example = few_histories(example)
    candidates = every_item(30) if whole else some_candidates(network, example)
    example = replace(example, candidates=candidates)
    loss = objective(strength, (0.0, 0.6, 0.4))
    plain = network.loss(example, replace(loss, compiled=False))
    assert made == []
    small_batches(monkeypatch)
    with rounding(True):
        compiled = network.loss(example, loss)
    # Vectors are left to the plain passes.
    assert len(made) == (name in KNOWN)
    assert_same(network, plain, compiled)


def test_every_kind_of_pass_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each threshold holds back a pass of its own, so that none of those above goes untested."""
    from attrformer.nn import bag_kernels, recency_kernels, row_kernels

    taken = []
    for module, name in (
        (bag_kernels, "gradients"), (bag_kernels, "add_values"), (bag_kernels, "add_to_values"),
        (recency_kernels, "_products"), (recency_kernels, "_sums"), (row_kernels, "pairs"), (row_kernels, "cut"),
        (row_kernels, "place"), (row_kernels, "take"), (row_kernels, "add_strengths"),
    ):  # fmt: skip
        own = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, own=own, name=name: (taken.append(name), own(*args))[1])
    network, example = setting("top k")
    example = replace(few_histories(example), candidates=some_candidates(network, few_histories(example)))
    network.loss(example, objective()).backward()
    network.add_named(example.batch, torch.zeros(30))
    assert taken == []
    small_batches(monkeypatch)
    with rounding(True):
        network.loss(example, objective()).backward()
    network.add_named(example.batch, torch.zeros(30))
    assert len(set(taken)) == 10
