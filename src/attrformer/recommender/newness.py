"""Fits how much items are taken by how new they are, on interactions later than all that the model has counted.

Training sees every item with all of its interactions, and none without any. What that makes of new items is not known
until time goes on: the validation targets of a time split are later than training, and many of them are new.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.data.splits import Split
from attrformer.data.targets import Targets, sample_targets
from attrformer.errors import ConfigurationError
from attrformer.models.attrformer import AttrFormerConfig
from attrformer.models.registry import build_network
from attrformer.nn.relations.newness import weight_by_distance
from attrformer.recommender.state import ModelState
from attrformer.relations.config import RelationsConfig
from attrformer.relations.naming import module_key
from attrformer.relations.newness import GROUPS, NAME, UNTOUCHED, NewnessRelation, lacking_an_attribute
from attrformer.relations.relation_set import RelationSet
from attrformer.training.checkpoint import parameters_of

MOST_TARGETS: Final = 20_000
"""Validation targets that are looked at, the same sample for the same seed."""

STRENGTHS: Final = tuple(float(added) for added in np.arange(0.25, 6.01, 0.25))
"""What is tried as a further offset of items without interactions."""

_TOGETHER: Final = 256
_CUTOFF: Final = 20
_BIAS_PRIOR, _PAIR_PRIOR = 0.5, 1.0
"""Precisions of the priors around 0, beside the sum of all targets."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class GroupSums:
    """What the scores of some targets' histories come to in each group of items.

    Args:
        sums: float64 `[n, groups]`, the logarithm of the sum of exp(score) over the items of a group; -inf if empty.
        own: float64 `[n]`, the score of the target.
        group: int64 `[n]`, the group of the target.
        profile: float64 `[n, groups]`, the share of each group in the history, recent interactions first.
    """

    sums: Values
    own: Values
    group: NDArray[np.int64]
    profile: Values


def with_newness(fitted: ModelState, dataset: Dataset, split: Split, options: RelationsConfig, seed: int) -> ModelState:
    """The same model with newness as a further relation, fitted by maximum likelihood; others stay as they are.

    Args:
        fitted: AttrFormer without newness.
        dataset: its item attributes.
        split: the model has counted its training interactions; its validation targets are fitted to.
        options: of the relations.
        seed: of the choice of targets, where there are more than `MOST_TARGETS`.

    Raises:
        ConfigurationError: all validation targets are new items by the choice of the split.
    """
    if split.held_out is not None:
        raise ConfigurationError(
            "relations.newness is true, and all targets of held-out items are new, so that nothing else would be "
            "recommended. Leave it out, or choose another data.split."
        )
    targets = sample_targets(split.validation, MOST_TARGETS, seed)
    names = fitted.relations.item_columns
    attributes = [dataset.item_attributes[name] for name in names if name in dataset.item_attributes]
    relation = NewnessRelation.counted(split.train, lacking_an_attribute(attributes, dataset.item_count))
    found = group_sums(fitted, relation, targets)
    bias, pairs = most_likely(found)
    # New items come in all the time, so that their share of what is taken grows in proportion to time.
    bias[:UNTOUCHED] += np.log(options.newness_horizon)
    if options.newness_cost:
        offsets = bias + found.profile @ pairs
        bias[:UNTOUCHED] += affordable(fitted, relation, targets, offsets, options.newness_cost)
    told = f"newness fitted on {len(targets):,} validation targets"
    if options.newness_horizon != 1:
        told += f", new items expected {options.newness_horizon:g} times as often"
    if options.newness_cost:
        told += f", and raised at a cost of {options.newness_cost:g} of validation NDCG@20"
    return _joined(fitted, relation, bias, pairs, told)


def reads_newness(config: object, options: RelationsConfig) -> bool:
    """Whether a model is to have newness: it is AttrFormer, whose relations contribute to scores, and asked for it.

    Args:
        config: options of the model.
        options: of the relations.
    """
    return options.newness and isinstance(config, AttrFormerConfig) and config.catalogue_evidence


def group_sums(fitted: ModelState, relation: NewnessRelation, targets: Targets) -> GroupSums:
    """Scores the catalogue for each target, and keeps what fitting reads of it.

    Args:
        fitted: the model without newness.
        relation: the group of each item.
        targets: from which contexts they are to be predicted.
    """
    order = np.argsort(relation.groups, kind="stable")
    bounds = np.searchsorted(relation.groups[order], np.arange(GROUPS + 1))
    sums, own = np.full((len(targets), GROUPS), -np.inf), np.empty(len(targets))
    columns = torch.from_numpy(order)
    for rows in _blocks(len(targets)):
        scores = _scores(fitted, targets, rows)
        own[rows] = scores[np.arange(len(rows)), targets.items[rows]].numpy()
        scores = scores[:, columns].double()
        for group in np.flatnonzero(np.diff(bounds)):
            sums[rows, group] = scores[:, bounds[group] : bounds[group + 1]].logsumexp(1).numpy()
    profile = history_profile(targets.contexts, relation.groups, fitted.config.max_length)
    return GroupSums(sums, own, relation.groups[targets.items], profile)


def history_profile(contexts: Sequences, groups: NDArray[np.int64], length: int) -> Values:
    """The share of each group in histories, float64 `[n, GROUPS]`, as the module weighs them.

    Args:
        contexts: the histories.
        groups: int64 `[items]`.
        length: latest interactions that the model reads.
    """
    rows = contexts.row_of_position()
    back = contexts.offsets[rows + 1] - 1 - np.arange(len(rows))
    by_distance = np.append(weight_by_distance(length).double().numpy(), 0.0)
    weights = by_distance[np.minimum(back, length)]
    found = np.bincount(rows * GROUPS + groups[contexts.items], weights, minlength=len(contexts) * GROUPS)
    found = found.reshape(len(contexts), GROUPS)
    shares: Values = found / found.sum(1, keepdims=True)
    return shares


def most_likely(found: GroupSums) -> tuple[Values, Values]:
    """Offsets b `[groups]` and M `[groups, groups]` that make the targets most likely, under a prior around 0.

    Args:
        found: of the targets.
    """
    sums, own, profile = (torch.from_numpy(each) for each in (found.sums, found.own, found.profile))
    group = torch.from_numpy(found.group).unsqueeze(1)
    bias = torch.zeros(GROUPS, dtype=torch.float64, requires_grad=True)
    pairs = torch.zeros(GROUPS, GROUPS, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([bias, pairs], max_iter=150, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        offsets = bias + profile @ pairs
        likelihood = own + offsets.gather(1, group).squeeze(1) - (sums + offsets).logsumexp(1)
        prior = _BIAS_PRIOR * bias.square().sum() + _PAIR_PRIOR * pairs.square().sum()
        value = prior - likelihood.sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        search.step(loss)  # type: ignore[no-untyped-call]
    return bias.detach().numpy().copy(), pairs.detach().numpy()


def affordable(fitted: ModelState, relation: NewnessRelation, targets: Targets, offsets: Values, cost: float) -> float:
    """The largest further offset of items without interactions at which NDCG@20 falls by no more than a share.

    Args:
        fitted: the model without newness.
        relation: the group of each item.
        targets: on which it is measured, seen items ranked.
        offsets: float64 `[n, groups]`, those fitted.
        cost: the share.

    Returns:
        0 or one of `STRENGTHS`.
    """
    figures = trade_off(fitted, relation, targets, offsets, STRENGTHS)
    found = 0.0
    for added, figure in zip(STRENGTHS, figures[1:], strict=True):
        if figure < (1.0 - cost) * figures[0]:
            break
        found = added
    return found


def trade_off(
    fitted: ModelState, relation: NewnessRelation, targets: Targets, offsets: Values, added: tuple[float, ...]
) -> list[float]:
    """NDCG@20 of targets, seen items ranked, without and with further offsets of items without interactions.

    Args:
        fitted: the model without newness.
        relation: the group of each item.
        targets: what is to be predicted.
        offsets: float64 `[n, groups]`, those fitted.
        added: the further offsets.
    """
    new = torch.from_numpy(relation.groups < UNTOUCHED)
    groups = torch.from_numpy(relation.groups)
    gains = torch.zeros(len(added) + 1, dtype=torch.float64)
    for rows in _blocks(len(targets)):
        scores = _scores(fitted, targets, rows)
        scores += torch.from_numpy(offsets[rows]).float()[:, groups]
        wanted = torch.from_numpy(targets.items[rows].astype(np.int64))
        own, is_new = scores.gather(1, wanted.unsqueeze(1)), new[wanted].unsqueeze(1)
        old_scores, new_scores = scores[:, ~new], scores[:, new]
        for place, more in enumerate((0.0, *added)):
            mine = own + more * is_new
            rank = (old_scores >= mine).sum(1) + (new_scores + more >= mine).sum(1)
            gains[place] += (1.0 / torch.log2(rank + 1.0))[rank <= _CUTOFF].sum()
    return (gains / len(targets)).tolist()


def _blocks(count: int) -> list[NDArray[np.int64]]:
    return [np.arange(start, min(start + _TOGETHER, count)) for start in range(0, count, _TOGETHER)]


def _scores(fitted: ModelState, targets: Targets, rows: NDArray[np.int64]) -> Tensor:
    return fitted.score(targets.users[rows].astype(np.int64), targets.contexts.rows(rows)).cpu()


def _joined(fitted: ModelState, relation: NewnessRelation, bias: Values, pairs: Values, told: str) -> ModelState:
    before = fitted.relations
    relations = RelationSet(
        before.n_items, before.folds, before.fold_of_user, before.popularity, (*before.relations, relation)
    )
    with torch.random.fork_rng(devices=[]):
        whole = build_network(relations, fitted.config, fitted.knowledge.dropout)
    prefix = f"relations.{module_key(NAME)}."
    added = {name: values for name, values in parameters_of(whole).items() if name.startswith(prefix)}
    added[f"{prefix}bias"] = torch.from_numpy(bias).float()
    added[f"{prefix}pairs"] = torch.from_numpy(pairs).float()
    knowledge = fitted.knowledge
    selection = f"{knowledge.selection} | {told}"
    return fitted.rebuilt(relations, replace(knowledge, selection=selection), added)
