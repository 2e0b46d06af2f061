"""Top-k rows that cover whole rows give the same answer as dense rows."""

from __future__ import annotations

import pytest
import torch
from tests.models.builders import contributions, example_of, network_of, part_of
from tests.relations.builders import relations_of, shop
from torch import Tensor

from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.nn.batch import Batch, Example
from attrformer.nn.fused_loss import PosteriorTarget, fused_cross_entropy, score_catalogue
from attrformer.nn.relations.row_table import RowModule
from attrformer.nn.tables import SparseRows
from attrformer.relations.relation_set import RelationSet

DATA = shop()
ROWS = ["cooccurrence_near", "cooccurrence_wide", "cooccurrence_next", "indirect", "edge_also"]


def build(top_k: int | None) -> tuple[RelationSet, AttrFormerNetwork]:
    relations = relations_of(DATA) if top_k is None else relations_of(DATA, dense_items=0, top_k=top_k)
    return relations, network_of(relations)


@pytest.fixture(scope="module")
def pair() -> tuple[AttrFormerNetwork, AttrFormerNetwork, Example]:
    relations, dense = build(None)
    _, sparse = build(DATA.item_count)
    return dense, sparse, example_of(DATA, relations)


def row_evidence(network: AttrFormerNetwork, name: str) -> RowModule:
    module = network.relations[name]
    assert isinstance(module, RowModule)
    return module


def pairs_of(module: RowModule, batch: Batch) -> Tensor:
    return module.attention_values(batch, module.lookup(batch), None)


@pytest.mark.parametrize("name", ROWS)
def test_pairs_are_equal(name: str, pair: tuple[AttrFormerNetwork, AttrFormerNetwork, Example]) -> None:
    dense, sparse, example = pair
    first, second = (pairs_of(row_evidence(network, name), example.batch) for network in (dense, sparse))
    there = (example.batch.items < DATA.item_count).unsqueeze(1) & (example.batch.items < DATA.item_count).unsqueeze(2)
    assert (first[there] > 0).any()
    torch.testing.assert_close(second[there], first[there])


@pytest.mark.parametrize("name", ROWS)
def test_evidence_is_equal(name: str, pair: tuple[AttrFormerNetwork, AttrFormerNetwork, Example]) -> None:
    dense, sparse, example = pair
    first, second = (contributions(network, example.batch)[name] for network in (dense, sparse))
    assert bool((first != 0).any())
    torch.testing.assert_close(second, first, rtol=1e-5, atol=1e-5)


def loss_of(network: AttrFormerNetwork, example: Example) -> Tensor:
    outputs = network(example.batch)
    popularity = torch.full((DATA.item_count,), 1 / DATA.item_count)
    target = PosteriorTarget(example.items, example.counts, 0.3, popularity, (0.7, 0.2, 0.1), 0)
    return fused_cross_entropy(outputs.hidden, outputs.table, outputs.parts, target, example.mask, block_elements=2000)


def test_logits_loss_and_every_gradient_are_equal(pair: tuple[AttrFormerNetwork, AttrFormerNetwork, Example]) -> None:
    dense, sparse, example = pair
    scores = []
    for network in (dense, sparse):
        outputs = network(example.batch)
        scores.append(score_catalogue(outputs.hidden, outputs.table, outputs.parts))
    torch.testing.assert_close(scores[1], scores[0], rtol=1e-5, atol=1e-4)
    losses = [loss_of(network, example) for network in (dense, sparse)]
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=1e-6)
    for loss in losses:
        loss.backward()
    reached = 0
    for (name, mine), (_, other) in zip(dense.named_parameters(), sparse.named_parameters(), strict=True):
        assert (mine.grad is None) == (other.grad is None), name
        if mine.grad is not None and other.grad is not None:
            reached += 1
            torch.testing.assert_close(other.grad, mine.grad, rtol=1e-3, atol=1e-5, msg=name)
    assert reached > 50


def test_a_smaller_k_reads_the_largest_values_only() -> None:
    relations, network = build(2)
    example = example_of(DATA, relations)
    near = row_evidence(network, "cooccurrence_near")
    _, weights = part_of(network, "cooccurrence_near", example.batch)
    assert weights.shape == (*example.batch.target_positions.shape, example.batch.items.shape[1])
    values = pairs_of(near, example.batch)
    items = example.batch.items
    for row in range(len(items)):
        for early, item in enumerate(items[row].tolist()):
            if item == DATA.item_count:
                continue
            whole = relations.rows["cooccurrence_near"].row(item, int(example.batch.folds[row]))
            assert (whole > 0).sum() <= 2
            known = items[row].clamp_max(DATA.item_count - 1)
            expected = torch.log1p(torch.from_numpy(whole)[known] * near.pair_scale)
            there = items[row] < DATA.item_count
            torch.testing.assert_close(values[row, early][there], expected[there])


def test_rows_of_different_lengths_are_read_without_waiting_for_a_device() -> None:
    indices, values = torch.tensor([2, 0, 1, 3], dtype=torch.int32), torch.tensor([0.5, 1.0, 2.0, 3.0])
    rows = torch.tensor([[0, 2], [1, 1]])
    table = SparseRows(indices, values, 4, torch.tensor([0, 1, 4, 4]), 3)
    items, found = table.entries(rows)
    assert items.tolist() == [[[0, 0, 2], [0, 0, 0]], [[0, 1, 3], [0, 1, 3]]]
    assert found.tolist() == [[[0, 0, 0.5], [0, 0, 0]], [[1, 2, 3], [1, 2, 3]]]
    # Nothing can be read from this device, so that whoever asks for a value fails.
    starts = torch.empty(4, dtype=torch.long, device="meta")
    away = SparseRows(indices.to("meta"), values.to("meta"), 4, starts, 3)
    assert [each.shape for each in away.entries(rows.to("meta"))] == [(2, 2, 3), (2, 2, 3)]
