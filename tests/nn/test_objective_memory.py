"""The fused objective never holds a [targets, items] tensor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.builders import example_of, network_of
from tests.relations.builders import dataset, relations_of, sequences, walks
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import attrformer
from attrformer.nn.contributions import ContributionInputs
from attrformer.nn.fused_loss import PosteriorTarget, fused_cross_entropy, score_catalogue
from attrformer.training.config import TrainingConfig

pytestmark = pytest.mark.slow

ITEMS = 600


class LargestTensor(TorchDispatchMode):
    """Remembers the most elements that any operation made."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        before = {leaf.untyped_storage().data_ptr() for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        for leaf in tree_leaves(out):
            # A view makes nothing new.
            if isinstance(leaf, Tensor) and leaf.untyped_storage().data_ptr() not in before:
                self.elements = max(self.elements, leaf.untyped_storage().nbytes() // leaf.element_size())
        return out


def test_the_largest_tensor_is_seen() -> None:
    with LargestTensor() as largest:
        (torch.ones(30, 1) * torch.ones(1, 40)).expand(5, 30, 40).sum()
    assert largest.elements == 1200


@pytest.mark.parametrize("dense_items", [6000, 0], ids=["dense", "sparse"])
def test_no_tensor_grows_with_targets_times_items(dense_items: int) -> None:
    data = dataset(sequences([row[:10] for row in walks(80, ITEMS, 0, longest=30) if len(row) >= 10]), ITEMS)
    # What the network gives for each target, entries of neighbours among it, is far less than the catalogue.
    relations = relations_of(data, dense_items=dense_items, top_k=20, similar_users_count=8, similar_users_horizon=2)
    network = network_of(relations)
    example = example_of(data, relations, training=TrainingConfig(batch_targets=10_000))
    with torch.no_grad():
        outputs = network(example.batch)
    hidden, table = outputs.hidden.requires_grad_(), outputs.table.requires_grad_()
    parts = [
        (part, ContributionInputs(i.weights.requires_grad_(), i.gate.requires_grad_())) for part, i in outputs.parts
    ]
    sequence_count, places, _ = hidden.shape
    targets, length = sequence_count * places, example.batch.items.shape[1]
    popularity = torch.full((ITEMS,), 1 / ITEMS)
    target = PosteriorTarget(example.items, example.counts, 0.1, popularity, (0.5, 0.5, 0.0), 0)
    for sequences_at_once in (2, 4):
        bound = sequences_at_once * length * ITEMS
        assert targets * ITEMS > 10 * bound
        with LargestTensor() as largest:
            elements = sequences_at_once * places * ITEMS
            loss = fused_cross_entropy(hidden, table, parts, target, example.mask, block_elements=elements)
            loss.backward()
        assert largest.elements <= bound
    with LargestTensor() as largest:
        score_catalogue(hidden, table, parts, block_elements=places * ITEMS)
    # Its answer is that large; nothing else is.
    assert largest.elements == targets * ITEMS


PEAK = """
import sys, torch
from attrformer.benchmark.environment import peak_memory
from attrformer.nn.fused_loss import PosteriorTarget, fused_cross_entropy
torch.set_num_threads(1)
sequences, places, items, width = int(sys.argv[1]), 8, 20_000, 16
table, popularity = torch.randn(items, width, requires_grad=True), torch.full((items,), 1 / items)
def loss(count):
    hidden = torch.randn(count, places, width, requires_grad=True)
    upcoming = torch.zeros(count, places, 1, dtype=torch.long)
    target = PosteriorTarget(upcoming, torch.ones(count, places, 1), 0.1, popularity, (0.0, 0.5, 0.5), None)
    fused_cross_entropy(hidden, table, [], target, torch.ones(count, places), block_elements=1 << 19).backward()
loss(4)
before = peak_memory()
loss(sequences)
print(round((peak_memory() - before) * 2**20))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs peak_memory, which Windows does not have")
def test_peak_memory_of_a_process_stays_far_below_targets_times_items() -> None:
    count = 128
    environment = os.environ | {"PYTHONPATH": str(Path(attrformer.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(count)], capture_output=True, text=True, check=True, env=environment
    )
    logits = count * 8 * 20_000 * 4
    assert 0 < int(done.stdout) < logits / 3
