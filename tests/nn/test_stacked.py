"""Relations computed side by side say what each says alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.models.builders import everywhere, network_of, part_of
from tests.relations.builders import relations_of, shop

from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.nn.batch import Batch
from attrformer.nn.relations.base import ContributingModule

DATA = shop()
RELATIONS = relations_of(DATA)
WITHOUT_HISTORY = RELATIONS.having(lambda one: one.kind in ("user_attribute", "similar_users", "time_gap", "behaviour"))


def setting(relations: Any = RELATIONS) -> tuple[AttrFormerNetwork, Batch]:
    return network_of(relations).eval(), everywhere(relations, DATA.sequences.rows(np.arange(8)), list(range(8)))


@pytest.mark.parametrize("relations", [RELATIONS, WITHOUT_HISTORY], ids=["all", "without history"])
@pytest.mark.parametrize("bare", [False, True])
def test_weights_and_gates_are_those_of_each_relation_alone(relations: Any, bare: bool) -> None:
    network, batch = setting(relations)
    if bare:
        batch = replace(batch, times=None, levels={})
    outputs = network(batch)
    assert outputs.names == list(network.relations)
    for name, (_, inputs) in zip(outputs.names, outputs.parts, strict=True):
        module = network.relations[name]
        assert isinstance(module, ContributingModule)
        torch.testing.assert_close(inputs.weights, part_of(network, name, batch)[1], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(inputs.gate, module.gate(outputs.hidden), rtol=1e-5, atol=1e-6)


def test_each_head_is_read_by_its_own_parameters() -> None:
    network, _ = setting()
    values = torch.rand(2, len(network.head_names), 5, 5)
    bins = network.look_back(None, 5)
    for layer, heads in zip(network.layers, network.stacked().heads, strict=True):
        assert heads is not None
        found = heads.logits(values, bins)
        for place, name in enumerate(network.head_names):
            bias = layer.attention.position_bias[name]
            for t in range(5):
                for s in range(t + 1):
                    expected = values[:, place, t, s] * layer.attention.temperature[name] + bias[t - s]
                    torch.testing.assert_close(found[:, place, t, s], expected)


def test_a_network_without_relations_stacks_nothing() -> None:
    nothing = RELATIONS.having(lambda one: False)
    network = network_of(nothing)
    stacked = network.stacked()
    assert stacked.evidence is None and all(heads is None for heads in stacked.heads)
    assert network(everywhere(nothing, DATA.sequences.rows(np.arange(3)), [0, 1, 2])).hidden.isfinite().all()
