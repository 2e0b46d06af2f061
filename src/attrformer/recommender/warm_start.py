"""Training that goes on from another model, whose parameters are carried over by what they stand for."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

import polars as pl
import torch
from torch import Tensor

from attrformer.data.id_map import IdMap
from attrformer.errors import ConfigurationError
from attrformer.models.attrformer import MIXED, OWN_EMBEDDING, AttrFormerConfig, AttrFormerNetwork
from attrformer.models.config import ModelConfig
from attrformer.models.network import Network
from attrformer.recommender.state import ModelState
from attrformer.relations.base import Labels
from attrformer.relations.naming import module_key, name_of_key
from attrformer.relations.relation_set import RelationSet
from attrformer.training.checkpoint import parameters_of

UNTOUCHED: Final = "\0"

MAY_DIFFER: Final = frozenset({"dropout", "epsilon", "learned_recency"})
"""Options that change how parameters start or are trained, and not what they mean."""


def check_options(start: ModelState, config: ModelConfig) -> None:
    """Refuses a model whose parameters cannot be those of the options.

    Args:
        start: the model to go on from.
        config: options of the network to be trained.

    Raises:
        ConfigurationError: either is no AttrFormer, or their options differ.
    """
    before = start.config
    if not isinstance(before, AttrFormerConfig) or not isinstance(config, AttrFormerConfig):
        other = before.name if isinstance(config, AttrFormerConfig) else config.name
        raise ConfigurationError(f"Only AttrFormer goes on from another model, and this is '{other}'. Train it anew.")
    differing = [
        entry.name
        for entry in fields(config)
        if entry.name not in MAY_DIFFER and getattr(before, entry.name) != getattr(config, entry.name)
    ]
    if differing:
        named = ", ".join(f"model.{name}={getattr(before, name)}" for name in differing)
        raise ConfigurationError(f"The model to go on from has {named}. Give the same options, or train anew.")


@torch.no_grad()
def carry_over(start: ModelState, network: Network, relations: RelationSet, item_ids: IdMap) -> None:
    """Gives a new network what another one has learned about the same items, attribute values and relations.

    Items are matched by their external id, values by their label, relations and the heads that read them by name. What
    the other model does not have starts as it would without it, and so does an item that one of the two has no
    interaction of.

    Args:
        start: the model to go on from; its options are those of the network.
        network: new, changed in place.
        relations: of the new network.
        item_ids: of the new network.
    """
    assert isinstance(network, AttrFormerNetwork) and isinstance(start.network, AttrFormerNetwork)
    before = parameters_of(start.network)
    old_axes = _axes(start.network, start.relations, start.knowledge.item_ids)
    new_axes = _axes(network, relations, item_ids)
    for name, parameter in network.named_parameters():
        if name in before and before[name].dim() == parameter.dim():
            plain: list[Labels] = [None] * parameter.dim()
            _copy_shared(parameter, before[name], new_axes.get(name, plain), old_axes.get(name, plain))


def _axes(network: AttrFormerNetwork, relations: RelationSet, item_ids: IdMap) -> dict[str, list[Labels]]:
    """What the places of parameters stand for, by parameter; all others have the same meaning in every model."""
    ids = zip(item_ids.values.cast(pl.String).to_list(), (relations.popularity > 0).tolist(), strict=True)
    # An item without interactions has nothing to carry over; it gets no label that another one may have.
    items = tuple(name if touched else f"{UNTOUCHED}{name}" for name, touched in ids)
    axes: dict[str, list[Labels]] = {OWN_EMBEDDING: [items, None]}
    for feature in relations.features.values():
        axes[f"table.attribute.{module_key(feature.name)}"] = [feature.exact_labels, None]
    for name, relation in relations.items():
        own = relation.parameter_axes(relations)
        for group in ("relations", "position_relations"):
            axes |= {f"{group}.{module_key(name)}.{parameter}": labels for parameter, labels in own.items()}
    for name, _ in network.named_parameters():
        _, inside, column = name.rpartition(".recency.by_level.")
        labels = relations.categories.get(name_of_key(column).removeprefix("behaviour_")) if inside else None
        if labels is not None:
            # The first level is that of a missing value.
            axes[name] = [("", *labels)]
    heads = _head_places(network)
    for layer in range(len(network.layers)):
        attention = f"layers.{layer}.attention"
        axes[f"{attention}.value.weight"] = [heads, None]
        axes[f"{attention}.value.bias"] = [heads]
        axes[f"{attention}.output.weight"] = [None, heads]
    return axes


def _head_places(network: AttrFormerNetwork) -> tuple[str, ...]:
    """The places of all heads side by side: ordinary heads by number, relation heads by name."""
    config = network.config
    named = [MIXED] if network.mixing else network.head_names
    heads = [*(f"{number}" for number in range(config.heads)), *(f"relation {name}" for name in named)]
    return tuple(f"{head} / {place}" for head in heads for place in range(config.width // config.heads))


def _copy_shared(new: Tensor, old: Tensor, new_labels: list[Labels], old_labels: list[Labels]) -> None:
    """Copies the places that both parameters have; nothing where an axis without labels differs in length."""
    new_index: list[Tensor] = []
    old_index: list[Tensor] = []
    for axis in range(new.dim()):
        mine, theirs = new_labels[axis], old_labels[axis]
        if mine is None or theirs is None:
            if new.shape[axis] != old.shape[axis]:
                return
            shared = [(place, place) for place in range(new.shape[axis])]
        else:
            known = {label: place for place, label in enumerate(theirs)}
            shared = [(place, known[label]) for place, label in enumerate(mine) if label in known]
        places = torch.tensor(shared, dtype=torch.int64).view(-1, 2)
        shape = [-1 if other == axis else 1 for other in range(new.dim())]
        new_index.append(places[:, 0].view(shape))
        old_index.append(places[:, 1].view(shape))
    if not new_index:
        new.copy_(old)
        return
    new[tuple(new_index)] = old[tuple(old_index)].to(new.device)
