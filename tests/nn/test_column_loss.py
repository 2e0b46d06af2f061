"""The compiled passes beside the plain loss, on the settings of `test_fused_loss.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.nn.objective_settings import NAMES, Setting, leaves_of, target_of
from tests.nn.test_fused_loss import at_one_place, compare
from tests.nn.test_fused_loss import setting as setting
from torch import Tensor

from attrformer.nn import column_loss, fused_loss
from attrformer.nn.contributions import ContributionInputs, RowContribution
from attrformer.nn.fixed import LowCopies
from attrformer.nn.fused_loss import PosteriorTarget, fused_cross_entropy
from attrformer.nn.tables import DenseRows

pytest.importorskip("numba", reason="needs the extra `fast`")
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_loss, "LEAST_LOGITS", 0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[column_loss.ColumnPass]:
    """The compiled passes that a test makes."""
    found: list[column_loss.ColumnPass] = []

    class Noted(column_loss.ColumnPass):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            found.append(self)

    monkeypatch.setattr(fused_loss, "ColumnPass", Noted)
    return found


@pytest.mark.parametrize("shared", [False, True], ids=["each", "shared"])
@pytest.mark.parametrize("name", NAMES)
def test_one_part_equals_plain(name: str, shared: bool, setting: Setting, made: list[Any]) -> None:
    leaves = leaves_of(setting, [name], shared)
    compare(setting, leaves, target_of(setting, None, (0.0, 0.5, 0.5), 0.3), setting.example.mask, 2000)
    assert len(made) == 1


@pytest.mark.parametrize("strength", [0.0, 0.3])
@pytest.mark.parametrize("elements", [1, 500, 3000, 1 << 20])
def test_all_parts_equal_plain_at_every_block_size(
    elements: int, strength: float, setting: Setting, made: list[Any]
) -> None:
    leaves = leaves_of(setting, NAMES, False)
    compare(setting, leaves, target_of(setting, 0, (0.6, 0.3, 0.1), strength), setting.example.mask, elements)
    dense = setting.relations.rows["cooccurrence_near"].dense is not None
    # Few entries of a row as the prior are left to the plain passes.
    assert len(made) == (dense or not strength)
    if made and elements == 1 << 20:
        # Histories change their order where several of a block read whole rows, and gradients are back in theirs.
        order = made[0].order
        assert (order is not None) == dense
        assert order is None or not torch.equal(order, torch.arange(len(order)))


@pytest.mark.parametrize("relation", [None, 0])
def test_a_single_place_equals_plain(relation: int | None, setting: Setting, made: list[Any]) -> None:
    single = at_one_place(setting)
    leaves = leaves_of(single, NAMES, False)
    target = target_of(single, relation, (0.4, 0.3, 0.3), 0.3)
    compare(single, leaves, target, torch.ones_like(single.example.mask), 2000)
    assert len(made) == (relation is None or setting.relations.rows["cooccurrence_near"].dense is not None)


def test_bfloat16_is_as_near_as_its_rounding(setting: Setting, made: list[Any]) -> None:
    target, mask = target_of(setting, None, (0.0, 0.5, 0.5), 0.0), setting.example.mask

    def gradients(copies: LowCopies | None, precision: torch.dtype) -> dict[str, Tensor]:
        leaves = leaves_of(setting, NAMES, False)
        options = {"precision": precision, "copies": copies, "block_elements": 3000}
        loss = fused_cross_entropy(leaves.hidden, leaves.table, leaves.pairs(), target, mask, **options)
        return {"loss": loss, **leaves.gradients(loss)}

    right = gradients(None, torch.float32)
    for copies in (None, LowCopies(torch.bfloat16)):
        for name, found in gradients(copies, torch.bfloat16).items():
            assert (found - right[name]).abs().max() <= 0.03 * right[name].abs().max(), name
    assert len(made) == 3


def test_a_user_beside_positions_at_one_place_in_bfloat16(made: list[Any]) -> None:
    torch.manual_seed(0)
    batch, items, long = 128, 48, 61
    tables = [DenseRows(torch.rand(500, items)), DenseRows(torch.rand(batch, items))]
    parts = [
        RowContribution(tables[0], torch.randint(0, 500, (batch, long))),
        RowContribution(tables[1], torch.arange(batch).unsqueeze(1)),
    ]
    shapes = [(batch, 1, long), (batch, 1, 1), (batch, 1), (batch, 1), (batch, 1, 8), (items, 8)]
    target = PosteriorTarget(
        items=torch.randint(0, items, (batch, 1, 1)),
        counts=torch.ones(batch, 1, 1),
        strength=0.0,
        popularity=torch.full((items,), 1 / items),
        mixture=(0.0, 0.0, 1.0),
        relation=None,
    )
    found = {}
    drawn = [torch.rand(shape) for shape in shapes]
    for compiled, precision in ((False, torch.float32), (True, torch.bfloat16)):
        leaves = [tensor.clone().requires_grad_() for tensor in drawn]
        pairs = [(part, ContributionInputs(leaves[k], leaves[2 + k])) for k, part in enumerate(parts)]
        options = {"precision": precision, "copies": LowCopies(precision), "compiled": compiled}
        loss = fused_cross_entropy(leaves[4], leaves[5], pairs, target, torch.ones(batch, 1), **options)
        found[compiled] = torch.autograd.grad(loss, leaves)
    assert len(made) == 1
    for own, plain in zip(found[True], found[False], strict=True):
        assert (own - plain).abs().max() <= 0.03 * plain.abs().max()


def test_a_part_that_is_not_known_is_left_to_the_plain_passes(setting: Setting, made: list[Any]) -> None:
    leaves = leaves_of(setting, ["repeat"], False)
    (part, inputs) = leaves.pairs()[0]

    class Own(type(part)):  # type: ignore[misc]
        pass

    own = Own(part.items, part.columns)
    target = target_of(setting, None, (0.0, 0.5, 0.5), 0.0)
    fused_cross_entropy(leaves.hidden, leaves.table, [(own, inputs)], target, setting.example.mask)
    assert made == []


def test_the_plain_passes_are_taken_where_compiled_ones_are_not_wanted(setting: Setting, made: list[Any]) -> None:
    leaves, target = leaves_of(setting, NAMES, False), target_of(setting, None, (0.0, 0.5, 0.5), 0.0)
    for compiled in (False, True):
        fused_cross_entropy(
            leaves.hidden, leaves.table, leaves.pairs(), target, setting.example.mask, compiled=compiled
        )
        assert len(made) == compiled


def test_logarithm_and_exponential_are_exact_to_rounding() -> None:
    from attrformer.nn import column_kernels as kernels

    x = np.concatenate([[0, 1e-7], np.logspace(-6, 8, 1022)]).astype(np.float32).reshape(64, 16)
    values = np.empty_like(x)
    kernels.group_values(x, np.ones(16, np.float32), values)
    np.testing.assert_allclose(values, np.log((1 + x).astype(np.float64)), rtol=3e-7, atol=1e-12)
    logits = -np.linspace(0, 86, 1024, dtype=np.float32).reshape(64, 16)
    right = np.exp(logits.astype(np.float64) - logits.max(0))
    total = np.zeros(16, np.float32)
    nothing = np.zeros(64, np.float32)
    kernels.softmax(
        logits, nothing, np.empty((0, 64), np.float32), np.empty(16, np.float32), total, np.empty((0, 16), np.float32)
    )
    np.testing.assert_allclose(logits, right, rtol=1e-5)
    np.testing.assert_allclose(total, right.sum(0), rtol=1e-6)


def test_the_loss_is_the_same_with_two_threads(setting: Setting, made: list[Any]) -> None:
    found = {}
    for threads in (1, 2):
        leaves = leaves_of(setting, NAMES, False)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            target = replace(target_of(setting, None, (0.0, 0.5, 0.5), 0.0))
            loss = fused_cross_entropy(
                leaves.hidden, leaves.table, leaves.pairs(), target, setting.example.mask, block_elements=500
            )
            found[threads] = leaves.gradients(loss)
        finally:
            torch.set_num_threads(before)
    for name, gradient in found[1].items():
        torch.testing.assert_close(gradient, found[2][name], rtol=1e-5, atol=1e-7)
