"""A fitted model: what recommending needs, and nothing of training."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.dataset.ids import Ids
from attrformer.dataset.sequences import Sequences
from attrformer.models.config import ModelConfig
from attrformer.models.inputs import InputMaker
from attrformer.models.registry import build_network
from attrformer.nn.batch import Batch
from attrformer.nn.objective import Outputs
from attrformer.nn.objectives import score_catalogue
from attrformer.relations.build import RelationSet, UserRelation
from attrformer.training.checkpoint import set_parameters


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """What is stored of a fitted model beside its configuration and weights.

    Args:
        dataset: name of the data, for the protocol line.
        user_ids: external ids of the users that it was fitted on.
        item_ids: external ids of the catalogue.
        titles: text of each item, or None.
        histories: everything each user did, one row for each user.
        frame_library: library in which results come back.
        edges: names of the edge tables that became relations.
        dropout: rate that training used.
        precision: "float32" or "bfloat16", type of the large products of training.
        selection: how the weights were chosen, for the protocol line.
        strengths: strength of each relation.
        figures: figures on the test part as `Evaluation.to_json` gives them; empty where not measured.
    """

    dataset: str
    user_ids: Ids
    item_ids: Ids
    titles: tuple[str, ...] | None
    histories: Sequences
    frame_library: str
    edges: tuple[str, ...]
    dropout: float
    precision: str
    selection: str = ""
    strengths: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)


class Fitted:
    """A network with its relations for inference.

    Args:
        config: shape and parts of the network.
        relations: reduced by `for_inference`.
        parameters: weights by name.
        knowledge: ids, histories and what else is stored.
        device: where to compute.

    Raises:
        CheckpointError: the weights do not belong to these relations and options.
    """

    def __init__(
        self,
        config: ModelConfig,
        relations: RelationSet,
        parameters: dict[str, Tensor],
        knowledge: Knowledge,
        device: torch.device,
    ) -> None:
        self.config, self.relations, self.knowledge, self.device = config, relations, knowledge, device
        # Fresh weights are drawn only to be overwritten; the caller's random state is none of their business.
        with torch.random.fork_rng(devices=[]):
            self.network = build_network(relations, config, knowledge.dropout).to(device).eval()
        set_parameters(self.network, parameters)
        # Whatever training used: scores rounded to bfloat16 tie, and each tie is a wrong order.
        self.precision = torch.float32
        self._maker = InputMaker(relations, config.max_length, device)

    @torch.no_grad()
    def outputs(self, users: NDArray[np.int64], contexts: Sequences) -> tuple[Batch, Outputs]:
        """What the network says after each history.

        Args:
            users: int64 `[b]`, user codes, -1 for people the model does not know.
            contexts: their histories, at least one interaction each, in item codes of the model.
        """
        known = users >= 0
        codes = {
            name: np.where(known, user.codes[np.maximum(users, 0)], len(user.labels) - 1)
            for name, user in self.relations.users.items()
        }
        batch = self._maker.latest(contexts, codes, users)
        return batch, self.network(batch)

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        """Scores of every item, float32 `[b, items]`; arguments as for `outputs`."""
        return self.scores_of(self.outputs(users, contexts)[1])

    def scores_of(self, outputs: Outputs) -> Tensor:
        """Scores of every item for what the network said, float32 `[b, items]`."""
        scores = score_catalogue(outputs.hidden, outputs.table, outputs.parts, precision=self.precision)
        return scores.squeeze(1)

    def know(self, **more: Any) -> None:
        """Replaces fields of `knowledge`."""
        self.knowledge = replace(self.knowledge, **more)


def for_inference(relations: RelationSet) -> RelationSet:
    """The same relations without what only cross-fitting needs."""
    users = {
        name: UserRelation(user.codes, user.labels, user.lift.for_inference()) for name, user in relations.users.items()
    }
    index = relations.neighbours
    if index is not None:
        index = replace(index, train=Sequences(index.train.offsets, index.train.items))
    return replace(
        relations,
        folds=0,
        fold_of_user=np.empty(0, dtype=np.int64),
        rows={name: rows.for_inference() for name, rows in relations.rows.items()},
        users=users,
        neighbours=index,
    )
