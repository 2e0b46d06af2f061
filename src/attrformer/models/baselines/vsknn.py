"""V-SkNN: what the training sequences nearest to a history hold; nothing is learned.

M. Ludewig and D. Jannach, "Evaluation of session-based recommendation algorithms", User Modeling and User-Adapted
Interaction 28, 2018. A user's whole training sequence stands for a session. As published: `recency` null,
`rare_shared` false, `length_power` 0, `ahead` and `behind` 1, `repeats` true. The defaults read a neighbour from the
latest shared item on, a soft form of the sequential variants of the same article.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from attrformer.errors import require
from attrformer.models.baselines.non_parametric import NonParametricNetwork, steps_back
from attrformer.models.config import ModelConfig, only
from attrformer.nn.batch import Batch
from attrformer.relations.config import RelationsConfig
from attrformer.relations.nearest import NearestRule, NearestSequences
from attrformer.relations.relation_set import RelationSet


@dataclass(frozen=True)
class VSKNNConfig(ModelConfig):
    """Options of V-SkNN."""

    name: Literal["vsknn"] = "vsknn"
    count: int = field(default=100, metadata={"help": "k, nearest training sequences that are read"})
    sample: int = field(
        default=5000, metadata={"help": "most training sequences looked at for each item of a history, an even sample"}
    )
    recency: float | None = field(
        default=0.8,
        metadata={"help": "an item of the history counts this much less for each step back; null: linear fall"},
    )
    rare_shared: bool = field(default=True, metadata={"help": "shared items count by inverse document frequency"})
    length_power: float = field(
        default=0.3, metadata={"help": "similarity is divided by the neighbour's length to this power"}
    )
    ahead: float = field(
        default=0.9, metadata={"help": "weight of each further step after the latest shared item of a neighbour"}
    )
    behind: float = field(default=0.1, metadata={"help": "weight of what a neighbour did before that item"})
    rare_first: bool = field(default=False, metadata={"help": "recommended items count by inverse document frequency"})
    repeats: bool = field(default=False, metadata={"help": "whether items of the history are recommended again"})

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.count >= 1, "count", self.count, "1 or more")
        require(self.sample >= 1, "sample", self.sample, "1 or more")
        require(self.recency is None or 0 < self.recency <= 1, "recency", self.recency, "above 0, at most 1, or null")
        require(self.length_power >= 0, "length_power", self.length_power, "0 or more")
        require(0 < self.ahead <= 1, "ahead", self.ahead, "a number above 0, at most 1")
        require(self.behind >= 0, "behind", self.behind, "0 or more")

    def reads(self, relations: RelationsConfig) -> RelationsConfig:
        """Training sequences by item; the search for aggregation stays off."""
        return replace(
            only(relations), similar_users=True, similar_users_count=0, similar_users_candidates=self.sample, folds=1
        )


class VSKNNNetwork(NonParametricNetwork):
    """Evidence of the nearest training sequences, the own user's left out.

    Args:
        relations: of the dataset; its index of training sequences is read.
        config: options.
        dropout: not used.
    """

    def __init__(self, relations: RelationSet, config: VSKNNConfig, dropout: float) -> None:
        super().__init__(relations, "similar_users", config.repeats)
        self.config = config
        assert relations.similar_users is not None
        rule = NearestRule(
            count=config.count,
            recency=config.recency,
            rare_shared=config.rare_shared,
            length_power=config.length_power,
            ahead=config.ahead,
            behind=config.behind,
            rare_first=config.rare_first,
        )
        self._nearest = NearestSequences(relations.similar_users, relations.n_items, rule)

    def evidence(self, batch: Batch) -> Tensor:
        """What the neighbours of the history up to each place say."""
        count, places = batch.target_positions.shape
        back = steps_back(batch).flatten(0, 1)
        items = batch.items.repeat_interleave(places, dim=0)
        owners = torch.full_like(batch.folds, -1) if batch.user_codes is None else batch.user_codes
        arrays = (part.cpu().numpy() for part in (items, back, owners.repeat_interleave(places)))
        found = torch.from_numpy(self._nearest.evidence(*arrays)).to(batch.items.device)
        return found.view(count, places, self.items)
