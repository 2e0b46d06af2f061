from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.support.baselines import (
    check_batching,
    check_equations,
    check_gradients,
    check_round_trip,
    network_of,
    small,
)
from torch import Tensor

from attrformer.errors import ConfigurationError
from attrformer.models.baselines.lightsans import Interests, LightLayer, LightSANsConfig, LightSANsNetwork
from attrformer.nn.batch import Batch

CONFIG = small(LightSANsConfig, interests=3)


def gathered(interests: Interests, values: Tensor) -> Tensor:
    """The interests of one history `[l, d]`, one by one."""
    return torch.stack([(values @ theta).softmax(0) @ values for theta in interests.theta])


def plain_layer(layer: LightLayer, hidden: Tensor, position: Tensor) -> Tensor:
    """One layer for one history `[l, d]`, head by head."""
    attention = layer.attention
    query, (key, value) = attention.query(hidden), attention.key_value(hidden).chunk(2, 1)
    keys, values = gathered(attention.keys, key), gathered(attention.values, value)
    asking, asked = attention.position_query_key(attention.position_norm(position)).chunk(2, 1)
    heads = []
    for start in (0, 8):
        of_head = slice(start, start + 8)
        of_items = (query[:, of_head] @ keys[:, of_head].t() / math.sqrt(8)).softmax(1) @ values[:, of_head]
        of_positions = (asking[:, of_head] @ asked[:, of_head].t() / math.sqrt(8)).softmax(1) @ value[:, of_head]
        heads.append(of_items + of_positions)
    hidden = layer.add.norm(hidden + attention.output(torch.cat(heads, 1)))
    return layer.feed.add.norm(hidden + layer.feed.outer(F.gelu(layer.feed.inner(hidden))))


def plain(network: LightSANsNetwork, items: list[int]) -> Tensor:
    hidden = network.norm(network.item[items])
    for layer in network.layers:
        hidden = plain_layer(layer, hidden, network.position[: len(items)])
    return hidden


def test_the_hidden_state_is_that_of_the_equations() -> None:
    check_equations(network_of(CONFIG), plain)


def test_interests_by_hand() -> None:
    interests = Interests(2, 1)
    with torch.no_grad():
        interests.theta.copy_(torch.tensor([[math.log(3.0), 0.0]]))
    values = torch.tensor([[[1.0, 0.0], [0.0, 4.0], [9.0, 9.0]]])
    real = torch.tensor([[[True], [True], [False]]])
    # Relevance 3 and 1 of the real positions, the padded one counts for nothing.
    torch.testing.assert_close(interests(values, real), torch.tensor([[[0.75, 1.0]]]))


def test_scores_do_not_depend_on_the_batch() -> None:
    check_batching(CONFIG)


def test_the_loss_reaches_every_parameter() -> None:
    check_gradients(CONFIG)


def test_more_interests_than_items_are_possible() -> None:
    network = network_of(small(LightSANsConfig, interests=7))
    batch = Batch(torch.tensor([[1, 2]]), torch.tensor([[1]]), torch.zeros(1, dtype=torch.int64))
    assert bool(network(batch).hidden.isfinite().all())
    with pytest.raises(ConfigurationError, match="interests"):
        small(LightSANsConfig, interests=0)


@pytest.mark.slow
def test_fit_save_and_load(tmp_path: Path) -> None:
    check_round_trip("lightsans", tmp_path, "model.max_length=20")
