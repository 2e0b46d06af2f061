"""The check of a new network finds each of the mistakes that make figures too good, and passes every model of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.models.builders import maker_of
from tests.relations.builders import relations_of, shop
from torch import Tensor, nn

from attrformer.config import variants_of
from attrformer.errors import ConfigurationError
from attrformer.models import Batch, EncoderConfig, ModelConfig, Network, Outputs, check_network, padded_embedding
from attrformer.models.leak_check import ROWS
from attrformer.models.registry import build_network
from attrformer.relations.config import RelationsConfig
from attrformer.training.batches import Examples
from attrformer.training.config import TargetConfig, TrainingConfig

DATA = shop()
LENGTH = 12
ITEMS = DATA.item_count
MODELS = {name: options for name, options in variants_of(ModelConfig).items() if options.__module__ != __name__}


def batch_for(config: ModelConfig) -> tuple[Any, Batch]:
    """The relations that a model reads, and a batch of histories from the shortest to the longest."""
    relations = relations_of(DATA, config.reads(RelationsConfig(folds=3)))
    examples = Examples(
        DATA.sequences, relations, maker_of(relations), LENGTH, TrainingConfig(), TargetConfig(), 0,
        prefixes=config.ENDS_BEFORE_TARGET, partners=config.CONTRASTS_SAME_TARGET,
    )  # fmt: skip
    order = np.argsort(examples.lengths, kind="stable")
    return relations, examples.make(0, 0, order[np.linspace(0, len(order) - 1, ROWS).astype(int)]).batch


BATCH = batch_for(EncoderConfig())[1]


class Shifted(Network):
    """Item embeddings summed up to each place, and whatever a mistake does to them.

    Args:
        mistake: takes hidden states `[b, l, d]` and the batch.
    """

    def __init__(self, mistake: Callable[[Tensor, Batch], Tensor]) -> None:
        super().__init__()
        self.item, self.mistake = nn.Parameter(torch.randn(ITEMS, 8)), mistake
        # Starts at zero, as the last layer of a block often does: what it lets through is not seen before training.
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, batch: Batch) -> Outputs:
        hidden = padded_embedding(batch.items, self.item).cumsum(1)
        return Outputs(batch.at_target_positions(hidden + self.gate * self.mistake(hidden, batch)), self.item)


def nothing(hidden: Tensor, batch: Batch) -> Tensor:
    return torch.zeros_like(hidden)


def future(hidden: Tensor, batch: Batch) -> Tensor:
    return torch.cat([hidden[:, 1:], hidden[:, -1:]], 1)


def padding(hidden: Tensor, batch: Batch) -> Tensor:
    return torch.full_like(hidden, hidden.shape[1])


def others(hidden: Tensor, batch: Batch) -> Tensor:
    return hidden.mean((0, 1), keepdim=True).expand_as(hidden)


def test_a_network_that_keeps_to_it_passes() -> None:
    check_network(Shifted(nothing), BATCH, ITEMS)


@pytest.mark.parametrize("mistake", [padding, others])
def test_padding_and_other_rows_are_found(mistake: Callable[[Tensor, Batch], Tensor]) -> None:
    with pytest.raises(ConfigurationError, match="by itself than about the same one padded"):
        check_network(Shifted(mistake), BATCH, ITEMS)


def test_sight_of_later_items_is_found_also_behind_a_gate_that_is_still_shut() -> None:
    with pytest.raises(ConfigurationError, match="would see what it is to predict"):
        check_network(Shifted(future), BATCH, ITEMS)


def test_sight_of_later_times_is_found() -> None:
    timed = replace(BATCH, times=torch.arange(BATCH.items.numel()).reshape(BATCH.items.shape) * 1000)

    def latest(hidden: Tensor, batch: Batch) -> Tensor:
        assert batch.times is not None
        return batch.times.masked_fill(batch.items == ITEMS, 0).amax(1)[:, None, None] / 1e5 + torch.zeros_like(hidden)

    with pytest.raises(ConfigurationError, match="would see what it is to predict"):
        check_network(Shifted(latest), timed, ITEMS)


def test_a_network_that_reads_both_ways_is_not_held_to_causality() -> None:
    class Last(Shifted):
        """Reads whole histories, and is asked about their ends alone."""

    prefixes = replace(BATCH, target_positions=(BATCH.items != ITEMS).sum(1, keepdim=True) - 1)

    def backwards(hidden: Tensor, batch: Batch) -> Tensor:
        real = (batch.items != ITEMS).unsqueeze(2)
        return ((hidden * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)).expand_as(hidden)

    check_network(Last(backwards), prefixes, ITEMS, causal=False)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (lambda b: Outputs(torch.zeros(*b.items.shape, 8), torch.zeros(ITEMS, 8)), r"Give \[\*places, d\]"),
        (
            lambda b: Outputs(torch.zeros(*b.target_positions.shape, 8), torch.zeros(ITEMS + 1, 8)),
            rf"Give \[{ITEMS}, 8\]",
        ),
        (lambda b: Outputs(torch.zeros(*b.target_positions.shape, 8), torch.zeros(ITEMS, 4)), rf"Give \[{ITEMS}, 8\]"),
        (lambda b: Outputs(torch.full((*b.target_positions.shape, 8), torch.nan), torch.zeros(ITEMS, 8)), "not finite"),
    ],
)
def test_outputs_that_cannot_be_used_are_told(outputs: Callable[[Batch], Outputs], message: str) -> None:
    class Wrong(Network):
        def forward(self, batch: Batch) -> Outputs:
            return outputs(batch)

    places = replace(BATCH, target_positions=BATCH.target_positions[:, :3])
    with pytest.raises(ConfigurationError, match=message):
        check_network(Wrong(), places, ITEMS)


def test_answers_at_every_position_are_told_where_they_are_as_many_as_places() -> None:
    class Everywhere(Network):
        def __init__(self) -> None:
            super().__init__()
            self.item = nn.Parameter(torch.randn(ITEMS, 8))

        def forward(self, batch: Batch) -> Outputs:
            return Outputs(padded_embedding(batch.items, self.item), self.item)

    everywhere = replace(BATCH, target_positions=torch.arange(BATCH.items.shape[1]).expand(len(BATCH.items), -1))
    with pytest.raises(ConfigurationError, match=r"Give \[\*places, d\]"):
        check_network(Everywhere(), everywhere, ITEMS)


def test_what_is_no_output_is_told() -> None:
    class Bare(Network):
        def forward(self, batch: Batch) -> Outputs:
            return torch.zeros(*batch.target_positions.shape, 8)  # type: ignore[return-value]

    with pytest.raises(ConfigurationError, match=r"The network gives a Tensor. Give Outputs\(hidden, table\)"):
        check_network(Bare(), BATCH, ITEMS)


def test_what_would_not_be_saved_is_told() -> None:
    network = Shifted(nothing)
    network.register_buffer("made", torch.zeros(3), persistent=False)
    check_network(network, BATCH, ITEMS)
    network.norm = nn.BatchNorm1d(8)
    with pytest.raises(ConfigurationError, match=r"norm\.num_batches_tracked, norm\.running_mean"):
        check_network(network, BATCH, ITEMS)


def test_weights_mode_and_random_numbers_stay_as_they_are() -> None:
    network = Shifted(nothing).train()
    before, state = network.item.detach().clone(), torch.get_rng_state()
    check_network(network, BATCH, ITEMS)
    assert network.training and torch.equal(network.item, before) and torch.equal(torch.get_rng_state(), state)
    with pytest.raises(ConfigurationError):
        check_network(Shifted(others).train(), BATCH, ITEMS)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_the_library_passes(name: str) -> None:
    options: dict[str, Any] = {"max_length": LENGTH}
    if issubclass(MODELS[name], EncoderConfig):
        options |= {"width": 16, "heads": 2, "layers": 2, "dropout": 0.0}
    config = MODELS[name](**options)
    relations, batch = batch_for(config)
    check_network(build_network(relations, config, 0.0), batch, ITEMS, causal=not config.ENDS_BEFORE_TARGET)
