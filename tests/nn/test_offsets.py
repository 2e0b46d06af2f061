"""Offsets of groups against a plain sum and against torch's own gradients."""

from __future__ import annotations

import pytest
import torch

from attrformer.nn.contributions import ContributionInputs
from attrformer.nn.offsets import OffsetContribution

OF_ITEM = torch.tensor([2, 0, 0, 1, 2, 2, 1])


@pytest.mark.parametrize("shared", [False, True])
def test_scores_and_gradients_are_those_of_a_plain_sum(shared: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    offsets = torch.randn(3, 1 if shared else 4, 3, generator=draw).requires_grad_()
    gate = torch.randn(3, 4, generator=draw).requires_grad_()
    gradient, factor = torch.randn(3, 4, 7, generator=draw), torch.rand(3, 4, 1, generator=draw)
    plain = gate.unsqueeze(2) * offsets.expand(-1, 4, -1)[:, :, OF_ITEM]
    (plain * gradient * factor).sum().backward()

    with torch.no_grad():
        block = OffsetContribution(OF_ITEM).block(slice(None), ContributionInputs(offsets, gate))
        logits = torch.ones(3, 4, 7)
        block.add_to(logits)
        of_offsets, of_gate = block.gradients(gradient, factor, True)
        where, spoken = block.spoken()
    assert torch.allclose(logits, 1.0 + plain)
    assert of_offsets is not None and offsets.grad is not None and gate.grad is not None
    assert torch.allclose(of_offsets, offsets.grad, atol=1e-6)
    assert torch.allclose(of_gate, gate.grad, atol=1e-6)
    assert where is None and torch.equal(spoken, offsets.expand(-1, 4, -1)[:, :, OF_ITEM].clamp_min(0))
    assert block.gradients(gradient, factor, False)[0] is None
