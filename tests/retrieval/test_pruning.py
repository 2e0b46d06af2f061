"""What is found by pruning is what scoring every item finds, and no item that can decide is passed over."""

from __future__ import annotations

import numpy as np
import pytest
from tests.retrieval.builders import model_of

from attrformer.retrieval.compiled import (
    CompiledContribution,
    CompiledEntries,
    CompiledGroups,
    CompiledRows,
    compiled_contributions,
)
from attrformer.retrieval.finding import best, products, scores
from attrformer.retrieval.memory import Memory
from attrformer.retrieval.pruning import Sums, pruned

ITEMS, WIDTH = 4000, 8


def _case(seed: int) -> tuple[Memory, list[str], list[CompiledContribution], np.ndarray, np.ndarray]:
    """Relations of every kind over a catalogue large enough that most items are passed over."""
    random = np.random.default_rng(seed)
    table = random.standard_normal((ITEMS, WIDTH)).astype(np.float32)
    table[random.integers(0, ITEMS, 300)] = 0.0
    rows = random.lognormal(0.0, 0.5, (3, ITEMS)).astype(np.float32)
    weights = random.random(500).astype(np.float32) * 20
    voices: list[CompiledContribution] = [
        CompiledEntries.of(random.integers(0, ITEMS, 500), weights, 1.2),
        CompiledGroups.of(random.random(9).astype(np.float32) * 9, random.integers(0, 9, ITEMS), 0.8),
        CompiledGroups.of(random.random(40).astype(np.float32) * 9, random.integers(0, 40, ITEMS), 0.7),
        CompiledRows.of(rows, np.array([1]), np.ones(1, dtype=np.float32), float(random.choice([-0.5, 0.9]))),
        CompiledRows.of(rows, np.array([2]), np.ones(1, dtype=np.float32) * 2, 0.6),
        CompiledRows.of(rows, np.array([0, 2, 0]), np.ones(3, dtype=np.float32), 0.4),
    ]
    return Memory(ITEMS), list("abcdef"), voices, random.standard_normal(WIDTH).astype(np.float32), table


@pytest.mark.parametrize("seed", range(6))
def test_sums_are_those_of_all_voices(seed: int) -> None:
    memory, names, voices, _, _ = _case(seed)
    everything = np.arange(ITEMS)
    right = np.sum([voice.at(everything) for voice in voices], axis=0)

    sums = memory.sums(names, voices)
    assert np.allclose(sums.at(everything), right, atol=1e-5)
    assert sums.aside and sums.most >= sums.ceiling
    for least in np.quantile(right, [0.0, 0.5, 0.9, 0.999]):
        found = sums.reaching(float(least))
        assert found.tolist() == np.flatnonzero(sums.at(everything) >= least).tolist()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("count, k", [(1, 1), (60, 10), (200, 150), (3000, 20)])
def test_the_best_are_those_of_scoring_every_item(seed: int, count: int, k: int) -> None:
    memory, names, voices, hidden, table = _case(seed)
    everything, closed = np.arange(ITEMS), np.random.default_rng(seed).integers(0, ITEMS, 400)
    opened = np.setdiff1d(everything, closed)
    right = best(opened, scores(opened, hidden, table, voices), k)
    # The graph without its misses: the largest products of items that have a vector.
    content = np.where(np.abs(table).max(axis=1) > 0, products(everything, hidden, table), -np.inf)

    sums = memory.sums(names, voices)
    sums.close(closed)
    items = pruned(np.argsort(-content)[:count], sums, hidden, table, k)
    found = best(items, products(items, hidden, table) + sums.at(items), k)

    assert found[0].tolist() == right[0].tolist()
    assert np.allclose(found[1], right[1], atol=1e-5)
    assert not np.isin(items, closed).any()
    if (count, k) == (60, 10):
        assert len(items) < ITEMS // 4


def _few(relations: np.ndarray, table: np.ndarray, named: list[int], k: int) -> list[int]:
    sums = Sums(relations.astype(np.float32), [], [], 0.0, 0.0)
    return pruned(np.array(named), sums, np.ones(1, dtype=np.float32), table.astype(np.float32), k).tolist()


def test_relations_that_just_make_up_for_the_content_part_are_not_passed_over() -> None:
    # Item 0 is named with score 10, the middle one of those named has 4: whoever has relations of 6 can reach item 0.
    table, relations = np.full((5000, 1), 0.5), np.linspace(0.1, 0.4, 5000)
    table[:7, 0], relations[:7] = [10.0, 9.0, 8.0, 4.0, 3.0, 2.0, 1.0], 0.0
    table[4000:4003], relations[4000:4003] = [[4.0], [3.9], [4.0]], [6.0, 6.2, 5.9]
    # Many sums that are larger still, so that the first look takes only those.
    relations[3000:4000] = 7.0 - np.arange(1000) / 1e5
    table[3000:4000] = -9.0

    items = _few(relations, table, list(range(7)), 1)
    assert {0, 4000, 4001} <= set(items) and 4002 not in items and 2000 not in items


def test_items_without_a_vector_have_a_product_of_zero_and_not_less() -> None:
    table, relations = np.full((5000, 1), -3.0), np.linspace(0.0, 0.1, 5000)
    table[7], relations[7] = 0.0, 2.0
    table[:2], relations[:2] = [[-1.0], [-2.0]], [2.5, 0.0]
    # Many sums that are larger still, so that the first look takes only those.
    relations[3000:4000] = 2.3 - np.arange(1000) / 1e4

    assert 7 in _few(relations, table, [0, 1], 1)


def test_relations_that_say_nothing_leave_what_the_graph_names() -> None:
    table = np.arange(5000.0, 0.0, -1.0)[:, None]
    assert _few(np.zeros(5000), table, list(range(100)), 20) == list(range(20))


@pytest.mark.parametrize("sparse", [True, False])
def test_sums_are_what_the_parts_of_a_network_add(sparse: bool) -> None:
    fitted = model_of(sparse=sparse).fitted
    users, memory = np.arange(12), Memory(fitted.relations.n_items)
    _, outputs = fitted.outputs(users, fitted.knowledge.histories.rows(users))
    everything = np.arange(fitted.relations.n_items)

    for row in users:
        voices = compiled_contributions(outputs.parts, row)
        right = np.sum([voice.at(everything) for voice in voices], axis=0)
        assert np.allclose(memory.sums(outputs.names, voices).at(everything), right, atol=1e-4)
