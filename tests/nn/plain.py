"""The objective written plainly: dense logits, explicit targets, automatic differentiation, double precision."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from attrformer.nn.batch import Batch
from attrformer.nn.fused_loss import PosteriorTarget
from attrformer.relations.relation_set import RelationSet
from attrformer.relations.row_table import RowRelation


def rows_of(relation: RowRelation, keys: list[int], fold: int) -> Tensor:
    """R(key, j) for some keys as one fold sees it; 0 for keys beyond the table (padding)."""
    block = min(fold, relation.folds)
    rows = [
        torch.from_numpy(relation.row(min(key, relation.keys - 1), block)).double() * (key < relation.keys)
        for key in keys
    ]
    return torch.stack(rows)


def evidence(relations: RelationSet, name: str, batch: Batch, weights: Tensor) -> Tensor:
    """Catalogue evidence of a relation from its weights, `[b, t, items]`; t is 1 where the weights are shared."""
    weights, items = weights.double(), batch.items.tolist()
    if name in relations.rows:
        relation = relations.rows[name]
        rows = [rows_of(relation, row, fold) for row, fold in zip(items, batch.folds.tolist(), strict=True)]
        return weights @ torch.stack(rows)
    if name == "repeat":
        return weights @ torch.nn.functional.one_hot(batch.items, relations.n_items + 1)[..., :-1].double()
    if name == "similar_users":
        assert batch.similar_users is not None
        following = batch.similar_users.following.clamp_min(0).flatten(2)
        out = torch.zeros(*following.shape[:2], relations.n_items, dtype=torch.float64)
        return out.scatter_add(2, following, weights.expand_as(following))
    if name == "time_bucket":
        assert relations.time_bucket is not None and batch.times is not None
        moments = np.searchsorted(relations.time_bucket.edges, batch.times.numpy(), side="right").tolist()
        lift = relations.time_bucket.lift
        rows = [rows_of(lift, row, fold) for row, fold in zip(moments, batch.folds.tolist(), strict=True)]
        return weights @ torch.stack(rows)
    kind, _, attribute = name.partition("_")
    if kind == "item":
        return weights @ torch.from_numpy(relations.features[attribute].dense()).double().t()
    assert kind == "user"
    codes, lift = batch.user_features[attribute].tolist(), relations.users[attribute].lift
    rows = [rows_of(lift, [code], fold) for code, fold in zip(codes, batch.folds.tolist(), strict=True)]
    return weights * torch.stack(rows)


def posterior(target: PosteriorTarget, items: int, relation_evidence: Tensor | None) -> Tensor:
    """(n_j + alpha_0 pi_t(j)) / (sum n + alpha_0) for every target position, `[b, t, items]`."""
    batch, places, _ = target.items.shape
    out = torch.zeros(batch, places, items, dtype=torch.float64)
    from_relation, from_popularity, from_uniform = target.mixture
    for b in range(batch):
        for t in range(places):
            prior = from_popularity * target.popularity.double() + from_uniform / items
            spoken = (
                torch.zeros(items)
                if relation_evidence is None
                else relation_evidence[b, min(t, relation_evidence.shape[1] - 1)]
            )
            total = float(spoken.sum())
            prior = prior + from_relation * (spoken / total if total > 0 else torch.full((items,), 1 / items))
            counts = torch.zeros(items, dtype=torch.float64)
            for item, count in zip(target.items[b, t].tolist(), target.counts[b, t].tolist(), strict=True):
                counts[item] += count
            strength = float(counts.sum()) + target.strength
            if strength > 0:
                out[b, t] = (counts + target.strength * prior) / strength
    return out


def logits(hidden: Tensor, table: Tensor, spoken: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Content part plus gate times log(1 + evidence) of each (gate, evidence), `[b, t, items]`."""
    out = hidden.double() @ table.double().t()
    for gate, strength in spoken:
        out = out + gate.double().unsqueeze(2) * torch.log1p(strength)
    return out


def cross_entropy(values: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy of the masked places."""
    losses = -(target * torch.log_softmax(values, 2)).sum(2)
    return (losses * mask.double()).sum() / mask.double().sum()
