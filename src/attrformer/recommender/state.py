"""A fitted model: what recommending needs, and nothing of training."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.id_map import IdMap
from attrformer.data.sequences import Sequences
from attrformer.models.config import ModelConfig
from attrformer.models.inputs import InputMaker, pieces
from attrformer.models.registry import build_network
from attrformer.models.scorer import catalogue_scores, prepared
from attrformer.nn.batch import Batch
from attrformer.nn.fused_loss import score_catalogue
from attrformer.nn.losses import Outputs
from attrformer.recommender.occurrences import Occurrences
from attrformer.relations.relation_set import RelationSet
from attrformer.rules.cache import RuleCache
from attrformer.rules.item_values import ItemValues
from attrformer.training.checkpoint import parameters_of, set_parameters


@dataclass(frozen=True, slots=True, eq=False)
class ModelMetadata:
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
        updated: interactions that came in after training.
        item_values: attribute values of all items, for rules; None where an earlier version saved the model.
    """

    dataset: str
    user_ids: IdMap
    item_ids: IdMap
    titles: tuple[str, ...] | None
    histories: Sequences
    frame_library: str
    edges: tuple[str, ...]
    dropout: float
    precision: str
    selection: str = ""
    strengths: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    updated: int = 0
    item_values: ItemValues | None = None


class ModelState:
    """A network with its relations for inference.

    Args:
        config: shape and parts of the network.
        relations: as `RelationSet.for_inference` gives them.
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
        knowledge: ModelMetadata,
        device: torch.device,
    ) -> None:
        self.config, self.relations, self.knowledge, self.device = config, relations, knowledge, device
        # Fresh weights are drawn only to be overwritten; the caller's random state is none of their business.
        with torch.random.fork_rng(devices=[]):
            self.network = build_network(relations, config, knowledge.dropout).to(device).eval()
        set_parameters(self.network, parameters)
        # The item table takes most of the time of a single answer, and nothing changes it from here on.
        self._ready = prepared(self.network)
        # Whatever training used: scores rounded to bfloat16 tie, and each tie is a wrong order.
        self.precision = torch.float32
        self._maker = InputMaker(relations, config.max_length, device)
        self._occurrences: Occurrences | None = None
        self._rejected: tuple[Sequences, NDArray[np.bool_]] | None = None
        self.rules = RuleCache()

    @torch.no_grad()
    def outputs(
        self,
        users: NDArray[np.int64],
        contexts: Sequences,
        values: dict[str, NDArray[np.int64]] | None = None,
        as_of: int | None = None,
    ) -> tuple[Batch, Outputs]:
        """What the network says after each history.

        Args:
            users: int64 `[b]`, user codes, -1 for people the model does not know.
            contexts: their histories, at least one interaction each, in item codes of the model.
            values: int64 `[b]` codes by user attribute, where they are not those that the model knows of the users.
            as_of: when items have the values of attributes that change, in seconds; None: at the time of each history.
        """
        batch = self._maker.latest(contexts, self.user_values(users) if values is None else values, users, as_of)
        return batch, self._ready(batch)

    def user_values(self, users: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Codes of each user attribute, int64 `[b]`: what the model knows, missing for people it does not know.

        Args:
            users: int64 `[b]`, user codes, -1 for people the model does not know.
        """
        known = users >= 0
        codes = {}
        for name, user in self.relations.users.items():
            codes[name] = np.full(len(users), len(user.labels) - 1, dtype=np.int64)
            codes[name][known] = user.codes[users[known]]
        return codes

    def score(
        self,
        users: NDArray[np.int64],
        contexts: Sequences,
        values: dict[str, NDArray[np.int64]] | None = None,
        as_of: int | None = None,
    ) -> Tensor:
        """Scores of every item, float32 `[b, items]`; arguments as for `outputs`."""
        codes = self.user_values(users) if values is None else values
        return catalogue_scores(self._ready, self._maker, users, contexts, codes, self.precision, as_of)

    @property
    def behaviours(self) -> tuple[str, ...]:
        """The behaviour attributes of an interaction that say anything to the model."""
        return tuple(dict.fromkeys([*self.relations.levels, *self.knowledge.histories.meaning.columns]))

    def pieces(self, contexts: Sequences, most: int) -> Iterator[NDArray[np.int64]]:
        """Rows of histories that `outputs` can read together, most of them at a time; every row is in one piece."""
        return pieces(self._maker.read_lengths(contexts), most)

    def read_lengths(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many interactions are read of histories of these lengths, int64 `[b]`."""
        return np.minimum(lengths, self.config.max_length)

    def scores_of(self, outputs: Outputs) -> Tensor:
        """Scores of every item for what the network said, float32 `[b, items]`."""
        scores = score_catalogue(outputs.hidden, outputs.table, outputs.parts, precision=self.precision)
        return scores.squeeze(1)

    def rebuilt(
        self, relations: RelationSet, knowledge: ModelMetadata, parameters: dict[str, Tensor] | None = None
    ) -> ModelState:
        """The same network with other relations; this one stays as it is, for whoever is using it at the moment.

        Args:
            relations: as `RelationSet.for_inference` gives them.
            knowledge: ids, histories and what else is stored.
            parameters: weights by name, in place of those of the same names.
        """
        weights = {**parameters_of(self.network), **(parameters or {})}
        return ModelState(self.config, relations, weights, knowledge, self.device)

    def knowing(self, knowledge: ModelMetadata) -> ModelState:
        """The same network and relations, which are shared, with other metadata; this one stays as it is.

        Args:
            knowledge: ids, histories and what else is stored.
        """
        other = copy.copy(self)
        other.knowledge, other.rules = knowledge, RuleCache()
        return other

    def occurrences(self) -> Occurrences:
        """Where each item stands in the stored histories; made when first asked for, and anew when they have grown."""
        histories = self.knowledge.histories
        if self._occurrences is None or self._occurrences.histories is not histories:
            self._occurrences = Occurrences(histories, self.relations.n_items)
        return self._occurrences

    @property
    def new_items(self) -> NDArray[np.bool_]:
        """Items without an interaction that the model has counted, bool `[items]`.

        An item that people have only rejected is none of them: it counts nowhere as taken, and is not new all the same.
        """
        histories = self.knowledge.histories
        new: NDArray[np.bool_] = self.relations.popularity <= 0
        if histories.negative is None:
            return new
        if self._rejected is None or self._rejected[0] is not histories:
            rejected = np.bincount(histories.items[histories.negative], minlength=self.relations.n_items) > 0
            self._rejected = histories, rejected
        # Items that were added since have no interaction.
        there = np.zeros(self.relations.n_items, dtype=bool)
        there[: len(self._rejected[1])] = self._rejected[1]
        return new & ~there

    def know(self, **more: Any) -> None:
        """Replaces fields of `knowledge`."""
        self.knowledge = replace(self.knowledge, **more)
