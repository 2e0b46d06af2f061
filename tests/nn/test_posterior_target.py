from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.nn.objective_settings import NAMES, leaves_of, shared_setting, target_of

from attrformer.nn.contributions import Contribution, ContributionInputs
from attrformer.nn.fused_loss import PosteriorTarget, fused_cross_entropy, score_catalogue


def one_place(
    values: list[float], target: PosteriorTarget, parts: list[tuple[Contribution, ContributionInputs]]
) -> float:
    """The loss of one place whose content logits are given."""
    hidden = torch.tensor([[values]])
    return float(fused_cross_entropy(hidden, torch.eye(len(values)), parts, target, torch.ones(1, 1)))


def hand_target(strength: float, mixture: tuple[float, float, float], relation: int | None = None) -> PosteriorTarget:
    """Next comes item 2, then item 1 with half the count."""
    popularity = torch.tensor([0.4, 0.3, 0.2, 0.1])
    return PosteriorTarget(
        torch.tensor([[[2, 1]]]), torch.tensor([[[1.0, 0.5]]]), strength, popularity, mixture, relation
    )


@pytest.mark.parametrize(
    ("strength", "mixture", "expected"),
    [
        (0.0, (0.0, 0.0, 1.0), [0, 1 / 3, 2 / 3, 0]),
        (0.5, (0.0, 1.0, 0.0), [0.1, 0.325, 0.55, 0.025]),
        (0.5, (0.0, 0.0, 1.0), [0.0625, 0.3125, 0.5625, 0.0625]),
        (1.5, (0.0, 0.5, 0.5), [0.1625, 0.3041666667, 0.4458333333, 0.0875]),
        # Where no relation speaks, its share goes to the uniform distribution.
        (0.5, (1.0, 0.0, 0.0), [0.0625, 0.3125, 0.5625, 0.0625]),
    ],
)
def test_posterior_by_hand(strength: float, mixture: tuple[float, float, float], expected: list[float]) -> None:
    values = [0.3, -0.2, 0.9, 0.1]
    assert sum(expected) == pytest.approx(1.0)
    losses = -np.dot(expected, torch.log_softmax(torch.tensor(values), 0).numpy())
    assert one_place(values, hand_target(strength, mixture), []) == pytest.approx(losses, rel=1e-5)


def test_relation_evidence_in_the_prior_by_hand() -> None:
    # The neighbours part is a plain list of entries: item 1 with weight 3, item 2 with weight 1.
    outputs = shared_setting().network(shared_setting().example.batch)
    part = dict(zip(outputs.names, outputs.parts, strict=True))["similar_users"][0]
    part = replace(part, items=torch.tensor([[[1, 2, 1]]]), columns=4)  # type: ignore[type-var]
    inputs = ContributionInputs(torch.tensor([[[2.0, 1.0, 1.0]]]), torch.tensor([[0.7]]))
    values = np.array([0.3, -0.2, 0.9, 0.1])
    spoken = values + 0.7 * np.log1p([0, 3, 1, 0])
    expected = np.array([0, 0.5 + 0.75 * 0.5, 1 + 0.25 * 0.5, 0]) / 2
    found = one_place(values.tolist(), hand_target(0.5, (1.0, 0.0, 0.0), 0), [(part, inputs)])
    assert found == pytest.approx(-np.dot(expected, spoken - np.log(np.exp(spoken).sum())), rel=1e-5)


def test_window_one_without_prior_is_cross_entropy() -> None:
    leaves = leaves_of(shared_setting(), NAMES, False)
    example = shared_setting().example
    target = replace(
        target_of(shared_setting(), 0, (1.0, 0.0, 0.0), 0.0),
        items=example.items[..., :1],
        counts=example.counts[..., :1],
    )
    values = score_catalogue(leaves.hidden, leaves.table, leaves.pairs())
    there = example.mask == 1
    expected = torch.nn.functional.cross_entropy(values[there], example.items[..., 0][there])
    found = fused_cross_entropy(leaves.hidden, leaves.table, leaves.pairs(), target, example.mask)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
