from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.support.baselines import (
    LENGTH,
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
from attrformer.models.baselines.bert4rec import BERT4RecConfig, BERT4RecNetwork, masked_places
from attrformer.nn.batch import Batch

CONFIG = small(BERT4RecConfig)
GAP = -1


def plain_scores(network: BERT4RecNetwork, row: list[int], place: int) -> Tensor:
    """Equations 4 to 7 for one gap of one sequence; `GAP` stands for gaps."""
    there = torch.ones(1, len(row), dtype=torch.bool)
    vectors = torch.cat([network.gap if item == GAP else network.item[item : item + 1] for item in row])
    hidden = network.norm(vectors + network.position[: len(row)]).unsqueeze(0)
    for layer in network.layers:
        hidden = layer(hidden, there)
    asked = hidden[0, place]
    projected = F.gelu(network.project.weight @ asked + network.project.bias)
    return network.item @ projected + network.bias


def batch_of(histories: list[list[int]], places: list[list[int]], padding: int) -> Batch:
    longest = max(map(len, histories))
    rows = [row + [padding] * (longest - len(row)) for row in histories]
    return Batch(torch.tensor(rows), torch.tensor(places), torch.zeros(len(rows), dtype=torch.int64))


def test_a_gap_after_the_history_is_filled_as_the_equations_say() -> None:
    network = network_of(CONFIG)
    histories = [[3, 1, 4, 1, 5, 9, 2], [6, 5, 3], [8]]
    batch = batch_of(histories, [[6, 2], [2, 0], [0, 0]], network.items)
    outputs = network(batch)
    scores = outputs.hidden @ outputs.table.t()
    for row, items in enumerate(histories):
        for column, place in enumerate(batch.target_positions[row].tolist()):
            expected = plain_scores(network, [*items[: place + 1], GAP], place + 1)
            torch.testing.assert_close(scores[row, column], expected, **TIGHT)


def test_gaps_within_a_sequence_read_what_comes_after_them() -> None:
    network = network_of(CONFIG)
    gap, padding = network.items + 1, network.items
    rows = torch.tensor([[3, gap, 4, gap, 5], [gap, 6, padding, padding, padding]])
    outputs = network.fill(rows, torch.tensor([[1, 3], [0, 0]]))
    scores = outputs.hidden @ outputs.table.t()
    for row, column, items, place in [
        (0, 0, [3, GAP, 4, GAP, 5], 1),
        (0, 1, [3, GAP, 4, GAP, 5], 3),
        (1, 0, [GAP, 6], 0),
    ]:
        torch.testing.assert_close(scores[row, column], plain_scores(network, items, place), **TIGHT)


def test_the_drawn_share_of_each_sequence_is_masked() -> None:
    lengths = torch.tensor([2, 5, 13, 1] * 50)
    places, mask = masked_places(lengths, 0.4, 0.0)
    assert places.shape == mask.shape == (200, 5)
    assert mask.sum(1).tolist() == [1, 2, 5, 1] * 50
    assert bool((places < lengths.unsqueeze(1)).all()) and bool((places >= 0).all())
    for row, (at, there) in enumerate(zip(places.tolist(), mask.tolist(), strict=True)):
        drawn = at[: int(sum(there))]
        assert len(set(drawn)) == len(drawn), row
    # Each position of a sequence comes up.
    assert set(places[2::4].flatten().tolist()) == set(range(13))


def test_some_sequences_have_their_last_item_masked_alone() -> None:
    lengths = torch.full((4000,), 20)
    places, mask = masked_places(lengths, 0.5, 0.1)
    alone = mask.sum(1) == 1
    assert 320 < int(alone.sum()) < 480 and bool((mask[~alone].sum(1) == 10).all())
    assert bool((places[alone, 0] == 19).all())


def test_the_loss_is_that_of_the_masked_items() -> None:
    config = replace(CONFIG, mask_probability=0.4, last_only=0.2)
    relations = read_by(config)
    network = network_of(config, relations)
    sequences = [[3, 1, 4, 1, 5, 9, 2, 6], [5, 3], [8, 9, 7, 9], [3, 2, 3], [8, 4, 6, 2, 6]]
    batch = batch_of([row[:-1] for row in sequences], [[0]] * 5, network.items)
    example = replace(example_of(config, relations), batch=batch, final=torch.tensor([row[-1] for row in sequences]))
    torch.manual_seed(3)
    loss = network.loss(example, objective_of(relations))
    torch.manual_seed(3)
    places, mask = masked_places(torch.tensor([len(row) for row in sequences]), 0.4, 0.2)
    losses = []
    for row, at, there in zip(sequences, places.tolist(), mask.tolist(), strict=True):
        gaps = at[: int(sum(there))]
        masked = [GAP if position in gaps else item for position, item in enumerate(row)]
        losses += [-plain_scores(network, masked, gap).log_softmax(0)[row[gap]] for gap in gaps]
    assert len(losses) > len(sequences)
    torch.testing.assert_close(loss, torch.stack(losses).mean(), **TIGHT)


def test_a_last_item_masked_alone_is_what_recommendation_asks_for() -> None:
    config = replace(CONFIG, last_only=1.0, max_length=5)
    relations = read_by(config)
    network = network_of(config, relations)
    # As long as histories may be, so that the gap has the last position there is.
    example = example_of(replace(config, max_length=LENGTH), relations, -1)
    full = (example.batch.items[:, :5] < network.items).all(1)
    items = example.batch.items[full, :5]
    ends = torch.full((len(items), 1), 4)
    batch = Batch(items, ends, torch.zeros(len(items), dtype=torch.int64))
    wanted = example.batch.items[full, 5] % network.items
    objective = objective_of(relations)
    expected = objective.next_item(network(batch), wanted.unsqueeze(1), torch.ones(len(items), 1))
    loss = network.loss(replace(example, batch=batch, final=wanted), objective)
    assert len(items) > 1
    torch.testing.assert_close(loss, expected, **TIGHT)


def test_scores_do_not_depend_on_the_batch() -> None:
    check_batching(CONFIG)


def test_what_comes_after_a_place_is_not_read() -> None:
    check_causality(CONFIG)


def test_the_loss_reaches_every_parameter() -> None:
    check_gradients(CONFIG)


@pytest.mark.parametrize("options", [{"mask_probability": 0.0}, {"mask_probability": 1.1}, {"last_only": -0.1}])
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        small(BERT4RecConfig, **options)


@pytest.mark.slow
def test_fit_save_and_load(tmp_path: Path) -> None:
    # Other items are masked at each step, so that a batch takes longer to be learned by heart.
    check_round_trip("bert4rec", tmp_path, "model.max_length=20", steps=60)
