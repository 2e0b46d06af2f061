from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.support.baselines import (
    DATA,
    check_batching,
    check_causality,
    check_equations,
    check_gradients,
    check_round_trip,
    example_of,
    network_of,
    objective_of,
    read_by,
    small,
    training_losses,
)
from torch import Tensor

from attrformer.errors import ConfigurationError
from attrformer.models.baselines.gru4rec import GRU4RecConfig, bpr_max, top1_max

CONFIG = small(GRU4RecConfig, state=24)
SAMPLED = [replace(CONFIG, loss=loss, negatives=40) for loss in ("bpr-max", "top1-max")]


def plain(network: Any, items: list[int]) -> Tensor:
    """The equations of section 3, one step and one layer after the other, `[l, d]`."""
    layer_inputs = [network.item[item] for item in items]
    for layer in range(network.config.layers):
        of_input, of_state, input_bias, state_bias = (
            getattr(network.recurrent, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        state, states = torch.zeros(24), []
        for value in layer_inputs:
            seen, kept = of_input @ value + input_bias, of_state @ state + state_bias
            reset, update = torch.sigmoid(seen[:24] + kept[:24]), torch.sigmoid(seen[24:48] + kept[24:48])
            candidate = torch.tanh(seen[48:] + reset * kept[48:])
            state = (1 - update) * candidate + update * state
            states.append(state)
        layer_inputs = states
    return torch.stack([network.project(state) for state in layer_inputs])


def test_the_hidden_state_is_that_of_the_equations() -> None:
    check_equations(network_of(CONFIG), plain)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_ranking_max_losses_are_those_of_the_equations() -> None:
    right = [0.3, -0.5]
    wrong = [[1.0, -0.2, 0.4], [0.1, 0.7, -1.5]]
    kept = [[0, 2], [0, 1, 2]]
    top1, bpr = 0.0, 0.0
    for score, others, counted in zip(right, wrong, kept, strict=True):
        others = [others[j] for j in counted]
        shares = [math.exp(r) / sum(map(math.exp, others)) for r in others]
        both = list(zip(shares, others, strict=True))
        top1 += sum(s * (sigmoid(r - score) + sigmoid(r * r)) for s, r in both) / 2
        bpr += (0.7 * sum(s * r * r for s, r in both) - math.log(sum(s * sigmoid(score - r) for s, r in both))) / 2
    same = torch.tensor([[False, True, False], [False, False, False]])
    arguments = torch.tensor(right), torch.tensor(wrong), same
    assert top1_max(*arguments).item() == pytest.approx(top1, rel=1e-5)
    assert bpr_max(*arguments, 0.7).item() == pytest.approx(bpr, rel=1e-5)


def test_the_sampled_loss_reads_what_the_mask_allows() -> None:
    for config in SAMPLED:
        relations = read_by(config)
        network = network_of(config, relations)
        example = example_of(config, relations, 1)
        assert bool((example.mask > 0).any(1).all())
        mask = example.mask.clone()
        mask[0] = 0.0
        torch.manual_seed(3)
        first = network.loss(replace(example, mask=mask), objective_of(relations))
        torch.manual_seed(3)
        drawn = network.draw(40)
        outputs = network(example.batch)
        hidden, items = outputs.hidden[mask > 0], example.items[:, :, 0][mask > 0]
        scores = hidden @ network.item.t()
        arguments = scores.gather(1, items.unsqueeze(1)).squeeze(1), scores[:, drawn], items.unsqueeze(1) == drawn
        expected = bpr_max(*arguments, 1.0) if config.loss == "bpr-max" else top1_max(*arguments)
        torch.testing.assert_close(first, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.75, 1.0])
def test_negatives_follow_popularity_to_the_power_alpha(alpha: float) -> None:
    relations = read_by(CONFIG)
    network = network_of(replace(CONFIG, alpha=alpha), relations)
    torch.manual_seed(0)
    drawn = torch.bincount(network.draw(60_000), minlength=DATA.item_count) / 60_000
    expected = torch.from_numpy(relations.popularity) ** alpha
    torch.testing.assert_close(drawn, expected / expected.sum(), rtol=0.0, atol=0.004)


def test_items_that_nobody_took_are_never_drawn_by_popularity() -> None:
    relations = read_by(CONFIG)
    popularity = relations.popularity.copy()
    popularity[[0, 29]] = 0.0
    network = network_of(CONFIG, replace(relations, popularity=popularity))
    assert not set(network.draw(5000).tolist()) & {0, 29}


@pytest.mark.parametrize("options", [{"state": 0}, {"negatives": 0}, {"alpha": -1.0}, {"score_penalty": -1.0}])
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        small(GRU4RecConfig, **options)


def test_scores_do_not_depend_on_the_batch() -> None:
    check_batching(CONFIG)


def test_later_items_change_nothing() -> None:
    check_causality(CONFIG)


@pytest.mark.parametrize("config", [CONFIG, *SAMPLED], ids=lambda config: config.loss)
def test_the_loss_reaches_every_parameter(config: GRU4RecConfig) -> None:
    check_gradients(config)


@pytest.mark.slow
@pytest.mark.parametrize("config", SAMPLED, ids=lambda config: config.loss)
def test_sampled_losses_teach(config: GRU4RecConfig) -> None:
    losses = training_losses(config, 60)
    assert sum(losses[-5:]) / 5 < losses[0] - 0.05


@pytest.mark.slow
def test_fit_save_and_load(tmp_path: Path) -> None:
    check_round_trip("gru4rec", tmp_path, "model.state=24", "model.layers=1", steps=50)
