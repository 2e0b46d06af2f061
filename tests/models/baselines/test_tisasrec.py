from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.relations.builders import relations_of, sequences, shop
from tests.support.baselines import (
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
from attrformer.models.baselines.tisasrec import TiSASRecConfig, TiSASRecLayer, TiSASRecNetwork, relative_intervals
from attrformer.nn.batch import Batch
from attrformer.relations.config import RelationsConfig

CONFIG = small(TiSASRecConfig, intervals=5)


def plain_intervals(times: list[int], longest: int) -> list[list[int]]:
    """r_ij with the smallest interval that is known at i."""
    found = []
    for here in range(len(times)):
        steps = [abs(b - a) for a, b in pairwise(times[: here + 1]) if a != b]
        smallest = min(steps) if steps else None
        gaps = [abs(times[here] - there) for there in times[: here + 1]]
        found.append([0 if smallest is None else min(longest, gap // smallest) for gap in gaps])
    return found


def plain_layer(network: TiSASRecNetwork, layer: TiSASRecLayer, hidden: Tensor, intervals: list[list[int]]) -> Tensor:
    """One layer for one history `[l, d]`, pair by pair."""
    attention, normalised = layer.attention, layer.attention_norm(hidden)
    query, (key, value) = attention.query(normalised), attention.key_value(normalised).chunk(2, 1)
    rows = []
    for here, row in enumerate(intervals):
        keys = key[: here + 1] + network.position_key[: here + 1] + network.interval_key[row]
        values = value[: here + 1] + network.position_value[: here + 1] + network.interval_value[row]
        heads = []
        for start in (0, 8):
            of_head = slice(start, start + 8)
            fit = keys[:, of_head] @ query[here, of_head] / math.sqrt(8)
            heads.append(fit.softmax(0) @ values[:, of_head])
        rows.append(torch.cat(heads))
    hidden = hidden + torch.stack(rows)
    return hidden + layer.feed(layer.feed_norm(hidden))


def plain(network: TiSASRecNetwork, items: list[int], times: list[int]) -> Tensor:
    hidden = network.item[items] * 4.0
    for layer in network.layers:
        hidden = plain_layer(network, layer, hidden, plain_intervals(times, 5))
    return network.norm(hidden)


def test_the_hidden_state_is_that_of_the_equations() -> None:
    network = network_of(CONFIG)
    histories = [[3, 1, 4, 1, 5, 9, 2], [6, 5, 3], [8]]
    times = [[10, 10, 25, 31, 31, 40, 900], [100, 160, 190], [7]]
    batch = Batch(
        torch.tensor([row + [network.items] * (7 - len(row)) for row in histories]),
        torch.tensor([[6, 2], [2, 0], [0, 0]]),
        torch.zeros(3, dtype=torch.int64),
        times=torch.tensor([row + [0] * (7 - len(row)) for row in times]),
    )
    outputs = network(batch)
    assert outputs.table is network.item
    for row, items in enumerate(histories):
        expected = plain(network, items, times[row])[batch.target_positions[row]]
        torch.testing.assert_close(outputs.hidden[row], expected, rtol=1e-4, atol=1e-5)


def test_intervals_by_hand() -> None:
    # The smallest interval is unknown at first, then 4, and 2 from the last position on.
    found = relative_intervals(torch.tensor([[5, 5, 9, 19, 21]]), 6)[0]
    assert found[0, :1].tolist() == [0]
    assert found[1, :2].tolist() == [0, 0]
    assert found[2, :3].tolist() == [1, 1, 0]
    assert found[3, :4].tolist() == [3, 3, 2, 0]
    assert found[4].tolist() == [6, 6, 6, 1, 0]
    assert int(found.min()) >= 0 and int(found.max()) <= 6


def test_the_last_position_divides_by_the_smallest_interval_of_all() -> None:
    times = torch.randint(0, 10**9, (50, 9), generator=torch.Generator().manual_seed(0)).sort(1).values
    times[::2, 4] = times[::2, 3]
    smallest = torch.where(times.diff(dim=1) > 0, times.diff(dim=1), 10**10).amin(1)
    expected = ((times[:, -1:] - times) // smallest.unsqueeze(1)).clamp_max(256)
    assert torch.equal(relative_intervals(times, 256)[:, -1], expected)


def test_what_comes_later_changes_nothing_before() -> None:
    check_causality(CONFIG)


def test_scores_do_not_depend_on_the_batch() -> None:
    check_batching(CONFIG)


def test_the_loss_reaches_every_parameter() -> None:
    check_gradients(CONFIG)
    check_gradients(replace(CONFIG, loss="binary"))


def test_losses_are_those_of_the_outputs() -> None:
    relations = read_by(CONFIG)
    network = network_of(CONFIG, relations)
    example, objective = example_of(CONFIG, relations), objective_of(relations)
    logits = network(example.batch).hidden @ network.item.t()
    there = example.mask.bool()
    wanted = F.cross_entropy(logits[there], example.items[:, :, 0][there])
    torch.testing.assert_close(network.loss(example, objective), wanted, rtol=1e-4, atol=1e-5)


def test_times_are_read() -> None:
    network = network_of(CONFIG)
    items, places = torch.tensor([[1, 2, 3]]), torch.tensor([[2]])
    folds = torch.zeros(1, dtype=torch.int64)
    said = [
        network(Batch(items, places, folds, times=None if times is None else torch.tensor([times]))).hidden
        for times in (None, [4, 4, 4], [0, 1, 9], [0, 10, 90], [0, 8, 9])
    ]
    # Unknown times are as good as equal ones, and the unit of time does not matter.
    assert torch.equal(said[0], said[1]) and torch.equal(said[2], said[3])
    assert not torch.allclose(said[1], said[2], atol=1e-3) and not torch.allclose(said[2], said[4], atol=1e-3)


def test_it_needs_timestamps() -> None:
    data = shop()
    bare = replace(
        data, sequences=sequences([data.sequences.row(user).tolist() for user in range(len(data.sequences))])
    )
    for dataset, options in ((bare, RelationsConfig()), (data, RelationsConfig(behaviours=False))):
        with pytest.raises(ConfigurationError, match="needs timestamps"):
            network_of(CONFIG, relations_of(dataset, CONFIG.reads(options)))
    with pytest.raises(ConfigurationError, match="intervals"):
        small(TiSASRecConfig, intervals=0)


@pytest.mark.slow
def test_fit_save_and_load(tmp_path: Path) -> None:
    check_round_trip("tisasrec", tmp_path, "model.max_length=20")
