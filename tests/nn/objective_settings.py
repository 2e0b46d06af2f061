"""Networks with every kind of part, and the inputs of their loss as leaves of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from tests.models.builders import example_of, network_of
from tests.relations.builders import relations_of, shop
from torch import Tensor

from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.nn.batch import Example
from attrformer.nn.contributions import Contribution, ContributionInputs
from attrformer.nn.fused_loss import PosteriorTarget
from attrformer.relations.relation_set import RelationSet
from attrformer.training.config import TargetConfig

ITEMS = 30
NAMES = [
    "cooccurrence_near",
    "cooccurrence_wide",
    "cooccurrence_next",
    "indirect",
    "edge_also",
    "item_brand",
    "item_tags",
    "item_price",
    "user_region",
    "repeat",
    "similar_users",
]


@dataclass(frozen=True)
class Setting:
    relations: RelationSet
    network: AttrFormerNetwork
    example: Example


@cache
def shared_setting() -> Setting:
    data = shop(users=12)
    relations = relations_of(data)
    return Setting(relations, network_of(relations), example_of(data, relations, target=TargetConfig(window=3)))


@dataclass
class Leaves:
    """The inputs of the loss as leaves of the graph."""

    hidden: Tensor
    table: Tensor
    names: list[str]
    parts: list[Contribution]
    weights: list[Tensor]
    gates: list[Tensor]

    def all(self) -> dict[str, Tensor]:
        named = {"hidden": self.hidden, "table": self.table}
        named |= {f"weights {name}": value for name, value in zip(self.names, self.weights, strict=True)}
        return named | {f"gate {name}": value for name, value in zip(self.names, self.gates, strict=True)}

    def pairs(self) -> list[tuple[Contribution, ContributionInputs]]:
        inputs = [ContributionInputs(*pair) for pair in zip(self.weights, self.gates, strict=True)]
        return list(zip(self.parts, inputs, strict=True))

    def gradients(self, loss: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.all(), torch.autograd.grad(loss, list(self.all().values())), strict=True))


def leaves_of(setting: Setting, names: list[str], shared: bool) -> Leaves:
    outputs = setting.network(setting.example.batch)
    found = dict(zip(outputs.names, outputs.parts, strict=True))

    def leaf(value: Tensor) -> Tensor:
        return value.detach().clone().requires_grad_()

    weights = [leaf(found[name][1].weights[:, -1:] if shared else found[name][1].weights) for name in names]
    gates = [leaf(found[name][1].gate) for name in names]
    hidden = outputs.hidden * 0.5
    return Leaves(leaf(hidden), leaf(outputs.table), names, [found[name][0] for name in names], weights, gates)


def target_of(
    setting: Setting, relation: int | None, mixture: tuple[float, float, float], strength: float
) -> PosteriorTarget:
    popularity = torch.from_numpy(setting.relations.popularity + 1)
    example = setting.example
    return PosteriorTarget(example.items, example.counts, strength, popularity / popularity.sum(), mixture, relation)
