"""Items without training interactions have no embedding of their own; all others are as if nobody had thought of it."""

from __future__ import annotations

from dataclasses import replace

import torch
from tests.models.builders import example_of, network_of
from tests.relations.builders import relations_of, shop

from attrformer.data.dataset import Dataset
from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.nn.item_table import UNTRAINED_SHARE
from attrformer.nn.losses import Objective

COLD = [3, 17]


def with_cold_items() -> Dataset:
    """The shop, items 3 and 17 of which are acted on by nobody."""
    data = shop()
    items = data.sequences.items.copy()
    for item in COLD:
        items[items == item] += 1
    return replace(data, sequences=replace(data.sequences, items=items))


def from_attributes(network: AttrFormerNetwork) -> torch.Tensor:
    """What attributes alone say about every item, value by value."""
    table = torch.zeros_like(network.table.item)
    for name, embedding in network.table.attribute.items():
        codes, weights = getattr(network.table, f"codes_{name}"), getattr(network.table, f"weights_{name}")
        table = table + (embedding[codes] * weights.unsqueeze(2)).sum(1)
    return table


@torch.no_grad()
def test_where_every_item_is_known_nothing_is_left_out() -> None:
    data = shop()
    assert set(data.sequences.items.tolist()) == set(range(data.item_count))
    network = network_of(relations_of(data), attribute_embeddings=False)
    assert network.table.known is None
    assert network.table() is network.table.item


@torch.no_grad()
def test_known_items_are_exactly_as_they_would_be_among_known_items_only() -> None:
    data = with_cold_items()
    network = network_of(relations_of(data))
    known = torch.ones(data.item_count, dtype=torch.bool)
    known[COLD] = False
    masked = network.table()
    network.table.known = None
    free = network.table()
    assert torch.equal(masked[known], free[known])
    # Shaken parameters: without the mask, cold items would bring their own embedding.
    assert bool((masked[COLD] != free[COLD]).all())


@torch.no_grad()
def test_cold_items_are_made_of_their_attributes() -> None:
    network = network_of(relations_of(with_cold_items()))
    torch.testing.assert_close(network.table()[COLD], UNTRAINED_SHARE * from_attributes(network)[COLD])


@torch.no_grad()
def test_an_item_that_is_known_but_was_never_trained_is_like_a_cold_one() -> None:
    network = network_of(relations_of(shop()))
    network.table.item[COLD] = 0.0
    assert network.table.known is None
    whole = from_attributes(network)
    torch.testing.assert_close(network.table()[COLD], UNTRAINED_SHARE * whole[COLD])
    torch.testing.assert_close(network.table()[0], network.table.item[0] + whole[0])


@torch.no_grad()
def test_the_other_items_start_as_they_would_without_cold_ones() -> None:
    plain = network_of(relations_of(shop()), shaken=False).table.item
    cold = network_of(relations_of(with_cold_items()), shaken=False).table.item
    known = [item for item in range(len(plain)) if item not in COLD]
    assert torch.equal(cold[known], plain[known])
    assert not cold[COLD].any()


def test_training_does_not_move_what_no_target_can_reach() -> None:
    data = with_cold_items()
    relations = relations_of(data)
    network = network_of(relations, shaken=False)
    popularity = torch.from_numpy(relations.popularity)
    objective = Objective(popularity / popularity.sum(), 0.15, (1.0, 0.0, 0.0), 1 << 20, torch.float32)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.01)
    example = example_of(data, relations)
    before = network.table.item.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        network.loss(example, objective).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    moved = (network.table.item.detach() != before).any(1)
    assert moved.sum() == data.item_count - len(COLD)
    assert not network.table.item.detach()[COLD].any()
    # In training as afterwards: no history can tell two cold items of equal attributes apart.
    torch.testing.assert_close(network.table()[COLD], UNTRAINED_SHARE * from_attributes(network)[COLD])
