from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.support.baselines import (
    TIGHT,
    check_batching,
    check_causality,
    check_gradients,
    check_round_trip,
    example_of,
    network_of,
    objective_of,
    read_by,
    small,
)
from torch import Tensor

from attrformer.errors import ConfigurationError
from attrformer.models.baselines.cl4srec import CL4SRecConfig, CL4SRecNetwork
from attrformer.models.network import Network

CONFIG = small(CL4SRecConfig)
HISTORY = list(range(10))


def views_of(network: CL4SRecNetwork, count: int = 300) -> list[list[int]]:
    """Many views of one history, without their padding."""
    items = torch.tensor([[*HISTORY, network.items, network.items]]).expand(count, -1)
    views, lengths = network.view(items, torch.full((count,), len(HISTORY)))
    assert bool((views[:, :1] != network.items).all())
    return [row[:length] for row, length in zip(views.tolist(), lengths.tolist(), strict=True)]


def kind(network: CL4SRecNetwork, view: list[int]) -> str:
    if len(view) < len(HISTORY):
        return "crop"
    return "mask" if network.items + 1 in view else "reorder"


def end_of(network: CL4SRecNetwork, view: list[int]) -> Tensor:
    """The user's representation, from one view alone."""
    table = torch.cat([network.item, torch.full((1, 16), torch.nan), network.gap])
    hidden: Tensor = network.encoder(F.embedding(torch.tensor([view]), table), torch.tensor([[len(view) - 1]]))
    return hidden[0, 0]


def plain_contrast(first: list[Tensor], second: list[Tensor], temperature: float) -> Tensor:
    """-log of the share that the other view of a history has among all other views of the batch, one by one."""
    views, losses = [*first, *second], []
    for number, view in enumerate(views):
        partner = (number + len(first)) % len(views)
        fits = [torch.exp(view @ other / temperature) for k, other in enumerate(views) if k != number]
        losses.append(-torch.log(torch.exp(view @ views[partner] / temperature) / torch.stack(fits).sum()))
    return torch.stack(losses).mean()


def test_each_history_is_altered_by_one_of_the_operators() -> None:
    network = network_of(CONFIG)
    views = views_of(network)
    kinds = [kind(network, view) for view in views]
    for name in ("crop", "mask", "reorder"):
        assert 60 < kinds.count(name) < 140
    for name, view in zip(kinds, views, strict=True):
        if name == "crop":
            assert view == list(range(view[0], view[0] + 6))
        elif name == "mask":
            assert view.count(network.items + 1) == 3
        else:
            assert sorted(view) == HISTORY


@pytest.mark.parametrize("name", ["crop", "mask", "reorder"])
def test_operators_can_be_switched_off(name: str) -> None:
    network = network_of(replace(CONFIG, **{name: 0.0}))
    kinds = {kind(network, view) for view in views_of(network)}
    assert kinds == {"crop", "mask", "reorder"} - {name}


def test_the_loss_adds_the_contrast_of_two_views() -> None:
    config = replace(CONFIG, contrast_weight=0.3, temperature=2.0)
    relations = read_by(config)
    network, example, objective = (
        network_of(config, relations),
        example_of(config, relations, -1),
        objective_of(relations),
    )
    torch.manual_seed(4)
    loss = network.loss(example, objective)
    torch.manual_seed(4)
    lengths = (example.batch.items < network.items).sum(1)
    ends = []
    for _ in range(2):
        views, kept = network.view(example.batch.items, lengths)
        ends.append([end_of(network, view[:n]) for view, n in zip(views.tolist(), kept.tolist(), strict=True)])
    predicted = Network.loss(network, example, objective)
    assert len(lengths) > 2
    torch.testing.assert_close(loss, predicted + 0.3 * plain_contrast(*ends, 2.0), **TIGHT)
    alone = network_of(replace(config, contrast_weight=0.0), relations)
    torch.testing.assert_close(alone.loss(example, objective), predicted, **TIGHT)


def test_scores_do_not_depend_on_the_batch() -> None:
    check_batching(CONFIG)


def test_what_comes_after_a_place_is_not_read() -> None:
    check_causality(CONFIG)


def test_the_loss_reaches_every_parameter() -> None:
    # Every view is masked, so that the gap is there for certain.
    check_gradients(replace(CONFIG, crop=0.0, reorder=0.0))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"crop": 1.1}, "crop"),
        ({"mask": -0.1}, "mask"),
        ({"crop": 0.0, "mask": 0.0, "reorder": 0.0}, "crop, mask and reorder"),
        ({"contrast_weight": -1.0}, "contrast_weight"),
        ({"temperature": 0.0}, "temperature"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, float], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        small(CL4SRecConfig, **options)


@pytest.mark.slow
def test_fit_save_and_load(tmp_path: Path) -> None:
    check_round_trip("cl4srec", tmp_path, "model.max_length=20")
