from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.models.builders import maker_of
from tests.support.baselines import (
    DATA,
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
from attrformer.models.baselines.duorec import DuoRecConfig, DuoRecNetwork
from attrformer.models.network import Network
from attrformer.nn.batch import Batch
from attrformer.relations.relation_set import RelationSet
from attrformer.training.batches import Examples
from attrformer.training.config import TargetConfig, TrainingConfig

CONFIG = small(DuoRecConfig)


def alone(network: DuoRecNetwork, batch: Batch) -> list[Tensor]:
    """The end of each history, read by itself and without padding."""
    ends = []
    for row in batch.items.tolist():
        items = torch.tensor([[item for item in row if item < network.items]])
        place = torch.tensor([[items.shape[1] - 1]])
        ends.append(network(Batch(items, place, torch.zeros(1, dtype=torch.int64))).hidden[0, 0])
    return ends


def plain_contrast(first: list[Tensor], second: list[Tensor], final: list[int], temperature: float) -> Tensor:
    """-log of the share of the other view, among it and all views of histories before other items, one by one."""
    views, owners, losses = [*first, *second], [*final, *final], []
    for number, view in enumerate(views):
        partner = (number + len(first)) % len(views)
        among = [partner, *(k for k, owner in enumerate(owners) if owner != owners[number])]
        fits = torch.stack([torch.exp(view @ views[k] / temperature) for k in among])
        losses.append(-torch.log(fits[0] / fits.sum()))
    return torch.stack(losses).mean()


def long_example(relations: RelationSet) -> Examples:
    """Batches that ask about two places of each history."""
    options = TrainingConfig(batch_targets=16, sequence_targets=2)
    return Examples(DATA.sequences, relations, maker_of(relations), 12, options, TargetConfig(), 0, partners=True)


def test_ends_are_those_of_histories_read_alone() -> None:
    relations = read_by(CONFIG)
    network = network_of(CONFIG, relations)
    items = torch.full((7, 12), network.items)
    for row, length in enumerate([3, 12, 1, 5, 8, 2, 9]):
        items[row, :length] = torch.randint(network.items, (length,))
    expected = alone(network, Batch(items, torch.zeros(7, 1, dtype=torch.int64), torch.zeros(7, dtype=torch.int64)))
    torch.testing.assert_close(network.ends(items), torch.stack(expected), **TIGHT)


@pytest.mark.slow
def test_the_loss_adds_both_contrasts_at_the_end_of_each_history() -> None:
    # Without dropout a history and its second reading are the same.
    config = replace(CONFIG, lambda_unsup=0.2, lambda_sup=0.7, temperature=3.0)
    relations = read_by(config)
    network, objective, elsewhere, repeated = network_of(config, relations), objective_of(relations), 0, 0
    for _, _, example in long_example(relations).epoch(0):
        assert example.partners is not None
        own, partner, final = alone(network, example.batch), alone(network, example.partners), example.final.tolist()
        elsewhere += int(
            (example.batch.target_positions.amax(1) + 1 < (example.batch.items < network.items).sum(1)).sum()
        )
        repeated += len(final) - len(set(final))
        wanted = Network.loss(network, example, objective)
        wanted = wanted + 0.2 * plain_contrast(own, own, final, 3.0) + 0.7 * plain_contrast(own, partner, final, 3.0)
        torch.testing.assert_close(network.loss(example, objective), wanted, **TIGHT)
    # Some ends were not asked about, and some histories of a batch lead to the same item.
    assert elsewhere > 0 and repeated > 0


@pytest.mark.slow
def test_a_second_reading_has_a_dropout_of_its_own() -> None:
    config = replace(CONFIG, lambda_unsup=1.0, lambda_sup=0.0, dropout=0.5)
    relations = read_by(config)
    network, example = network_of(config, relations), example_of(config, relations, -1)
    still = network.loss(example, objective_of(relations))
    network.train()
    # Views that differ are harder to match than views that are the same.
    contrasts = []
    for seed in range(20):
        torch.manual_seed(seed)
        both = network.loss(example, objective_of(relations))
        torch.manual_seed(seed)
        network.config = replace(config, lambda_unsup=0.0)
        contrasts.append((both - network.loss(example, objective_of(relations))).item())
        network.config = config
    assert len({round(value, 6) for value in contrasts}) == 20
    network.eval()
    network.config = replace(config, lambda_unsup=0.0)
    assert sum(contrasts) / 20 > (still - network.loss(example, objective_of(relations))).item()


def test_scores_do_not_depend_on_the_batch() -> None:
    check_batching(CONFIG)


def test_what_comes_after_a_place_is_not_read() -> None:
    check_causality(CONFIG)


def test_the_loss_reaches_every_parameter() -> None:
    check_gradients(CONFIG)


@pytest.mark.parametrize("options", [{"lambda_unsup": -0.1}, {"lambda_sup": -1.0}, {"temperature": 0.0}])
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        small(DuoRecConfig, **options)


@pytest.mark.slow
def test_fit_save_and_load(tmp_path: Path) -> None:
    check_round_trip("duorec", tmp_path, "model.max_length=20")
