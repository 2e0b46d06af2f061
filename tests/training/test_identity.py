"""The identity relation learns from the data whether people come back to an item."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.models.builders import example_of
from tests.relations.builders import NONE, dataset, relations_of, sequences
from tests.training.builders import trained

ITEMS = 12


def coefficient(rows: list[list[int]]) -> float:
    """The mean learned gate of the identity relation."""
    data = dataset(sequences(rows), ITEMS)
    relations = relations_of(data, replace(NONE, repeat=True))
    trainer, _ = trained(data, relations, epochs=12)
    example = example_of(data, relations)
    with torch.no_grad():
        outputs = trainer.network.eval()(example.batch)
    gate = outputs.parts[outputs.names.index("repeat")][1].gate
    return float(gate[example.mask == 1].mean())


def test_where_nobody_repeats_the_coefficient_is_negative() -> None:
    rng = np.random.default_rng(0)
    assert coefficient([rng.permutation(ITEMS)[:9].tolist() for _ in range(60)]) < -0.1


@pytest.mark.slow
def test_where_people_repeat_the_coefficient_is_positive() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.choice(rng.permutation(ITEMS)[:2], size=9).tolist() for _ in range(60)]
    assert coefficient(rows) > 0.1
