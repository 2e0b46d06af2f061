"""Whether a relation from outside keeps to what figures rest on: the mistakes that make them too good."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.models.attrformer import AttrFormerConfig, AttrFormerNetwork
from attrformer.models.inputs import InputMaker
from attrformer.nn.batch import Batch
from attrformer.nn.candidates import Candidates, placed
from attrformer.nn.contributions import ContributionInputs
from attrformer.nn.relations.base import ContributingModule
from attrformer.nn.restricted import restricted
from attrformer.relations.base import Sources
from attrformer.relations.build import relations_from, sources_of
from attrformer.relations.config import RelationsConfig
from attrformer.relations.naming import module_key
from attrformer.relations.relation_set import RelationSet

USERS: Final = 200
"""Users that the relation is built of for the check."""

ROWS: Final = 8
"""Histories that are looked at."""

FOLDS: Final = 2
"""Folds whose users are given other interactions."""

NOISE: Final = 0.1
"""Standard deviation of what is added to parameters."""

TOP_K: Final = 64
LENGTH: Final = 20

_CPU: Final = torch.device("cpu")


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What a relation says of a batch.

    Args:
        attention: `[b, l, l]`, or None where no head reads it.
        catalogue: `[b, t, items]`, or None where it adds nothing to the scores.
    """

    attention: Tensor | None
    catalogue: Tensor | None

    def parts(self) -> list[Tensor]:
        """What there is of both."""
        return [part for part in (self.attention, self.catalogue) if part is not None]


def check_relations(
    dataset: Dataset, train: Sequences, options: RelationsConfig, seed: int, *, sampled: bool = False
) -> None:
    """Tests every relation that `relations.own` names before anything is counted of all users.

    It is built of a sample of the users twice, the second time with other interactions of one fold, and is given
    histories as they are and with another continuation.

    Args:
        dataset: of the training.
        train: training interactions.
        options: of all relations.
        seed: of the folds.
        sampled: whether the loss is over candidates.

    Raises:
        ConfigurationError: a relation cannot be computed for candidates alone where it has to be; sees the interactions
            of the user who is taught by it, later interactions or parameters of others; or says what is not finite,
            negative, or other than what it says after saving.
    """
    if not options.own or not len(train.items):
        return
    rows = np.flatnonzero(train.lengths >= 2)
    users = rows[np.linspace(0, len(rows) - 1, min(USERS, len(rows))).astype(np.int64)]
    small = replace(options, dense_items=0, top_k=min(TOP_K, dataset.item_count), similar_users=False)
    sources = sources_of(dataset, train.rows(users), small, seed)
    taken = {name: attribute.take(users) for name, attribute in dataset.user_attributes.items()}
    sources = replace(sources, user_attributes=taken)
    relations = relations_from(sources, small)
    kinds = {each.name for each in options.own}
    subjects = [_Subject(name, relations, sources) for name, each in relations.items() if each.kind in kinds]
    for subject in subjects:
        subject.check_values()
        if sampled:
            subject.check_candidates()
        subject.check_future()
        subject.check_parameters()
        subject.check_saving()
    for fold in range(min(FOLDS, relations.folds) if options.folds > 1 else 0):
        changed = relations_from(replace(sources, train=_other_items(sources, fold)), small)
        for subject in subjects:
            subject.check_own_user(changed, fold)


def _other_items(sources: Sources, fold: int) -> Sequences:
    """The training interactions with other items in the histories of one fold."""
    train, chosen = sources.train, np.repeat(sources.folds == fold, sources.train.lengths)
    items = np.where(chosen, (train.items + 1 + sources.n_items // 3) % sources.n_items, train.items)
    return replace(train, items=items.astype(train.items.dtype))


class _Subject:
    """One relation under test, among all others of a network.

    Args:
        name: of the relation.
        relations: all of them.
        sources: what they were built of.
    """

    def __init__(self, name: str, relations: RelationSet, sources: Sources) -> None:
        self._name, self._relations, self._sources = name, relations, sources
        self._network = _network_of(relations)
        self._rows = np.arange(min(ROWS, len(sources.train)))

    def check_values(self) -> None:
        """Shapes, finite numbers, nothing below 0."""
        batch = self._batch(self._rows)
        said = self._said(self._network, batch)
        length, places = batch.items.shape[1], batch.target_positions.shape[1]
        shapes = {"attention": (len(batch.items), length, length)}
        shapes["catalogue"] = (len(batch.items), places, self._relations.n_items)
        for part, shape in shapes.items():
            values: Tensor | None = getattr(said, part)
            if values is None:
                continue
            if tuple(values.shape) != shape:
                self._refuse(f"gives values of shape {list(values.shape)} for {part}, not {list(shape)}", "Correct it")
            if not bool(values.isfinite().all()) or (part == "catalogue" and float(values.min()) < 0):
                self._refuse("says what is not finite, or negative", "Give numbers from 0 on, 0 for what is unrelated")

    def check_candidates(self) -> None:
        """What it says of some items alone must be what it says of them among all."""
        # Few histories, so that they do not hold the whole catalogue.
        batch, items = self._batch(self._rows[:2]), self._relations.n_items
        read = torch.unique(torch.cat([batch.items[batch.items < items], torch.arange(0, items, 3)]))
        candidates = placed(read, torch.full((items + 1,), items + 1, dtype=torch.int32))
        whole, some = (self._said(self._network, batch, given).catalogue for given in (None, candidates))
        if whole is not None and (some is None or not _alike(whole[:, :, read], some)):
            advice = "Correct its method restricted(candidates), or set training.loss=full"
            self._refuse("says something else of some items than of these among all", advice)

    def check_future(self) -> None:
        """Another continuation must change nothing that is said before it."""
        batch = self._batch(self._rows)
        before, length = self._said(self._network, batch), batch.items.shape[1]
        start = length // 2
        later = (torch.arange(length) >= start) & (batch.items != self._relations.n_items)
        changed = replace(
            batch,
            items=torch.where(later, (batch.items + 1) % self._relations.n_items, batch.items),
            times=None if batch.times is None else torch.where(later, batch.times + 1_000_000, batch.times),
            levels={name: torch.where(later, 0, level) for name, level in batch.levels.items()},
        )
        after, advice = self._said(self._network, changed), "Read positions up to the place alone"
        seen = batch.target_positions < start
        pairs: dict[str, tuple[Tensor | None, Tensor | None, Any]] = {
            "the catalogue": (before.catalogue, after.catalogue, seen)
        }
        pairs["earlier positions"] = (before.attention, after.attention, (slice(None), slice(start), slice(start)))
        for about, (first, second, known) in pairs.items():
            if first is not None and second is not None and not _alike(first[known], second[known]):
                self._refuse(f"says something else about {about} when later interactions change", advice)

    def check_parameters(self) -> None:
        """Parameters of others must change nothing, and none may be shared."""
        own = {id(parameter) for parameter in self._network.module(self._name).parameters()}
        others = [parameter for name, parameter in self._network.named_parameters() if not self._owns(name)]
        advice = "Give the module parameters of its own and read no others"
        if any(id(parameter) in own for parameter in others):
            self._refuse("shares parameters with another part of the network", advice)
        batch = self._batch(self._rows)
        before = self._said(self._network, batch)
        other = _network_of(self._relations, lambda name: not self._owns(name))
        if not all(map(_alike, before.parts(), self._said(other, batch).parts())):
            self._refuse("says something else when parameters of others change", advice)

    def check_saving(self) -> None:
        """What it says at inference must be the same after saving and loading."""
        relation = self._relations[self._name].for_inference()
        try:
            arrays, described = relation.to_arrays()
            again = type(relation).from_arrays(self._name, arrays, {**described, "name": self._name})
        except (NotImplementedError, KeyError, TypeError) as error:
            self._refuse(f"cannot be saved ({type(error).__name__}: {error})", "Write to_arrays and from_arrays")
        inference = self._relations.for_inference()
        batch = self._batch(self._rows, inference)
        networks = [_network_of(relations) for relations in (inference, inference.replaced([again]))]
        if not all(map(_alike, *(self._said(network, batch).parts() for network in networks))):
            self._refuse("says something else after saving", "Store in to_arrays all that it reads")

    def check_own_user(self, changed: RelationSet, fold: int) -> None:
        """What the users of a fold are taught by must not depend on what they did."""
        rows = np.flatnonzero(self._sources.folds == fold)[:ROWS]
        batch = self._batch(rows)
        if self._name not in changed or not len(rows):
            return
        said = [self._said(_network_of(relations), batch).parts() for relations in (self._relations, changed)]
        if not all(map(_alike, *said)):
            self._refuse(
                "is counted with the interactions of the very users who are taught by it",
                "Count each fold's rows without its users (`Sources.folds`, `relations.folds.without_each_fold`)",
            )

    def _batch(self, rows: NDArray[np.int64], relations: RelationSet | None = None) -> Batch:
        """Histories of some users, with every position as a target position."""
        relations = self._relations if relations is None else relations
        histories = self._sources.train.rows(rows).tail(LENGTH)
        places = np.minimum(np.arange(int(histories.lengths.max())), histories.lengths[:, None] - 1)
        folds = self._sources.folds[rows] if relations.folds else np.zeros(len(rows), dtype=np.int64)
        codes = {name: user.codes[rows] for name, user in relations.users.items()}
        return InputMaker(relations, LENGTH, _CPU).pad(histories, places, folds, codes, None)

    @torch.no_grad()
    def _said(self, network: AttrFormerNetwork, batch: Batch, candidates: Candidates | None = None) -> _Said:
        everywhere = torch.arange(batch.items.shape[1]).expand(len(batch.items), -1)
        module = network.module(self._name)
        looked_up = module.lookup(batch)
        attention = None
        if module.attends:
            attention = module.attention_values(batch, looked_up, network.gaps(batch, everywhere))
            # What a head reads is masked after the position itself.
            attention = attention.tril()
        if not module.contributes:
            return _Said(attention, None)
        adding = cast(ContributingModule, module)
        weights = adding.gate.inverse_epsilon()
        if adding.recency is not None:
            weights = weights * adding.weights(batch, network.gaps(batch, batch.target_positions))
        part, inputs = adding.contribution(batch, looked_up, weights)
        gate, columns = torch.ones(batch.target_positions.shape), network.items
        if candidates is not None:
            part, columns = restricted(part, candidates), candidates.count
        items, evidence = part.block(slice(0, len(batch.items)), ContributionInputs(inputs, gate)).spoken()
        if items is not None:
            whole = torch.zeros(*evidence.shape[:2], columns)
            evidence = whole.scatter_add(2, items.expand_as(evidence), evidence)
        return _Said(attention, evidence.expand(-1, batch.target_positions.shape[1], -1))

    def _owns(self, parameter: str) -> bool:
        key = module_key(self._name)
        return parameter.startswith((f"relations.{key}.", f"position_relations.{key}."))

    def _refuse(self, problem: str, advice: str) -> NoReturn:
        raise ConfigurationError(f"The relation '{self._name}' {problem}. {advice}.")


def _network_of(relations: RelationSet, moved: Callable[[str], bool] = lambda name: False) -> AttrFormerNetwork:
    """A small network with noise on its parameters, since what starts at zero would hide what it carries.

    Args:
        relations: of the network.
        moved: whether a parameter of some name gets other noise than it would.
    """
    config = AttrFormerConfig(width=8, layers=1, heads=2, max_length=LENGTH, dropout=0.0, low_rank=2)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = AttrFormerNetwork(relations, config, 0.0).eval()
        for name, parameter in network.named_parameters():
            noise = torch.Generator().manual_seed(zlib.crc32(name.encode()) + moved(name))
            parameter.add_(NOISE * torch.randn(parameter.shape, generator=noise))
    return network


def _alike(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first, second, rtol=1e-4, atol=1e-6)
