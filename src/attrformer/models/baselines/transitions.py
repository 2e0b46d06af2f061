"""Counted transitions between items, and optionally the attributes of items; nothing is learned.

Which pairs of interactions count as transitions is said by the options `relations.cooccurrence_near`: by default pairs
up to ten steps apart, weakened by distance and against time. A window of 1, backward and alpha 0, with a decay of 0
here, gives the first-order Markov chain of items.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from attrformer.errors import require
from attrformer.models.baselines.non_parametric import NonParametricNetwork
from attrformer.models.config import ModelConfig, only
from attrformer.nn.batch import Batch
from attrformer.relations.config import RelationsConfig
from attrformer.relations.item_attribute import ItemAttributeRelation
from attrformer.relations.relation_set import RelationSet

LEAST = 1e-6
"""Weight of a step back in the history from which on nothing is read."""


@dataclass(frozen=True)
class TransitionsConfig(ModelConfig):
    """Options of counted transitions."""

    name: Literal["transitions"] = "transitions"
    decay: float = field(
        default=0.7, metadata={"help": "an item counts this much less for each step back; 0: only the last item"}
    )
    attributes: float = field(
        default=0.0, metadata={"help": "weight of attribute similarity beside the transitions; 0: not read"}
    )
    repeats: bool = field(default=False, metadata={"help": "whether items of the history are recommended again"})

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.decay <= 1, "decay", self.decay, "a number from 0 to 1")
        require(self.attributes >= 0, "attributes", self.attributes, "0 or more")

    def reads(self, relations: RelationsConfig) -> RelationsConfig:
        """Near pairs, counted on all users because nothing is trained on them, and item attributes where they count."""
        near = replace(relations.cooccurrence_near, enabled=True)
        return replace(
            only(relations, cooccurrence_near=True, items=self.attributes > 0), cooccurrence_near=near, folds=1
        )


class TransitionsNetwork(NonParametricNetwork):
    """e(t, j) = sum over s of decay^s (C(i_s, j) + a cos(i_s, j)), s steps back from place t.

    C holds the counted transitions and cos the cosine of the attributes, their values weighted by inverse document
    frequency.

    Args:
        relations: of the dataset; near pairs and item attributes are read.
        config: options.
        dropout: not used.
    """

    dense: Tensor | None
    indices: Tensor | None
    values: Tensor | None
    codes: Tensor
    weights: Tensor

    def __init__(self, relations: RelationSet, config: TransitionsConfig, dropout: float) -> None:
        super().__init__(relations, "transitions", config.repeats)
        self.config = config
        near = relations.rows["cooccurrence_near"].for_inference()
        for name in ("dense", "indices", "values"):
            table = getattr(near, name)
            self.register_buffer(name, None if table is None else torch.from_numpy(table), persistent=False)
        features = list(relations.features.values()) if config.attributes > 0 else []
        codes, weights, self.value_count = attribute_vectors(features, relations.n_items)
        self.register_buffer("codes", torch.from_numpy(codes), persistent=False)
        self.register_buffer("weights", torch.from_numpy(weights), persistent=False)

    def evidence(self, batch: Batch) -> Tensor:
        """Transitions from each item of the history and items like it, step by step back from the places."""
        count, places = batch.target_positions.shape
        out = torch.zeros(count * places, self.items, device=batch.items.device)
        profile = torch.zeros(count * places, self.value_count, device=batch.items.device)
        for step in range(batch.items.shape[1]):
            weight = self.config.decay**step
            if weight < LEAST:
                break
            position = batch.target_positions - step
            items = batch.items.gather(1, position.clamp_min(0)).flatten()
            there = ((position >= 0).float() * weight).view(-1, 1)
            self._add_transitions(out, items, there)
            profile.scatter_add_(1, self.codes[items], self.weights[items] * there)
        if self.value_count:
            similar = F.embedding_bag(self.codes, profile.t(), per_sample_weights=self.weights, mode="sum")
            out += self.config.attributes * similar.t()
        return out.view(count, places, self.items)

    def _add_transitions(self, out: Tensor, items: Tensor, weight: Tensor) -> None:
        if self.dense is not None:
            known = len(self.dense)
            if known < self.items:
                # Items that were added later lead nowhere, and nothing leads to them.
                out, weight, items = out[:, :known], weight * (items < known).unsqueeze(1), items.clamp_max(known - 1)
            out.addcmul_(self.dense[items], weight)
        else:
            assert self.indices is not None and self.values is not None
            out.scatter_add_(1, self.indices[items].long(), self.values[items] * weight)


def attribute_vectors(
    features: list[ItemAttributeRelation], items: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """All attributes of every item as one vector of norm 1, each value weighted by its inverse document frequency.

    Args:
        features: the attributes.
        items: catalogue size.

    Returns:
        int64 value codes `[items, slots]`, their float32 weights (0 in unused slots), and the number of values.
    """
    codes, weights, values = [np.zeros((items, 0), dtype=np.int64)], [np.zeros((items, 0))], 0
    for feature in features:
        used = feature.weights > 0
        frequency = np.bincount(feature.codes[used], minlength=len(feature.labels))
        codes.append(feature.codes + values)
        weights.append(np.log(items / np.maximum(frequency, 1))[feature.codes] * used)
        values += len(feature.labels)
    joined = np.concatenate(weights, axis=1)
    norm = np.linalg.norm(joined, axis=1, keepdims=True)
    return np.concatenate(codes, axis=1), (joined / np.where(norm > 0, norm, 1.0)).astype(np.float32), values
