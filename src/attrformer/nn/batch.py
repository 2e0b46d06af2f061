"""What the network reads: padded histories and the places in them that are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from attrformer.nn.candidates import Candidates

Change = Callable[[Tensor], Tensor]


def at_target_positions(values: Tensor, places: Tensor) -> Tensor:
    """Values `[b, l, ...]` at the places `[b, t]`, `[b, t, ...]`."""
    if values.device.type != "cpu":
        return gathered(values, places)
    rows = torch.arange(values.shape[0], device=values.device).unsqueeze(1)
    return values[rows, places]


def gathered(values: Tensor, places: Tensor) -> Tensor:
    """The same as `at_target_positions`, by an operation whose gradient an accelerator makes without sorting."""
    index = places.view(*places.shape, *[1] * (values.dim() - 2))
    return values.gather(1, index.expand(-1, -1, *values.shape[2:]))


@dataclass(frozen=True, slots=True, eq=False)
class NeighbourBatch:
    """Similar training users for every place that a batch asks about.

    Args:
        users: int32 or int64 `[b, t, k]`, -1 for none.
        similarity: float32 `[b, t, k]`.
        following: int32 or int64 `[b, t, k, horizon]`, -1 for none.
    """

    users: Tensor
    similarity: Tensor
    following: Tensor

    def map(self, change: Change) -> NeighbourBatch:
        """The same with every tensor changed."""
        return NeighbourBatch(change(self.users), change(self.similarity), change(self.following))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Histories padded on the right, and the positions whose next item is asked for.

    Args:
        items: int64 `[b, l]`, item codes, `items` (the catalogue size) as padding.
        target_positions: int64 `[b, t]`, the positions whose next item is to be predicted.
        folds: int64 `[b]`, the fold of the relation tables that each row may see.
        user_features: int64 `[b]` user attribute codes by attribute name.
        times: int64 `[b, l]` seconds, or None.
        levels: int64 `[b, l]` levels of behaviour attributes by name, 0 for missing.
        similar_users: of the target positions, or None.
        user_codes: int64 `[b]`, the training user of each history, -1 for people that were not trained on;
            None in training.
        as_of: int64 `[b]`, seconds at which items have the values of attributes that change; None: at the time of each
            target position.
        item_states: by relation of an attribute that changes, int64 value codes of the item of each position `[b, l]`
            and of every item of the catalogue `[b, items]`; given in exported graphs only, which search no times.
    """

    items: Tensor
    target_positions: Tensor
    folds: Tensor
    user_features: dict[str, Tensor] = field(default_factory=dict)
    times: Tensor | None = None
    levels: dict[str, Tensor] = field(default_factory=dict)
    similar_users: NeighbourBatch | None = None
    user_codes: Tensor | None = None
    as_of: Tensor | None = None
    item_states: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def at_target_positions(self, values: Tensor) -> Tensor:
        """Values `[b, l, ...]` at the target positions, `[b, t, ...]`."""
        return at_target_positions(values, self.target_positions)

    def map(self, change: Change) -> Batch:
        """The same with every tensor changed."""
        return Batch(
            items=change(self.items),
            target_positions=change(self.target_positions),
            folds=change(self.folds),
            user_features={name: change(codes) for name, codes in self.user_features.items()},
            times=None if self.times is None else change(self.times),
            levels={name: change(levels) for name, levels in self.levels.items()},
            similar_users=None if self.similar_users is None else self.similar_users.map(change),
            user_codes=None if self.user_codes is None else change(self.user_codes),
            as_of=None if self.as_of is None else change(self.as_of),
            item_states={name: (change(then), change(now)) for name, (then, now) in self.item_states.items()},
        )

    def local(self, candidates: Candidates) -> Batch:
        """The same with rows of `Candidates.read` in place of item codes, for what reads history and neighbours."""
        similar = self.similar_users
        if similar is not None:
            # Only what comes right after the aligned position is read.
            first = similar.following[..., :1]
            following = torch.where(first >= 0, candidates.rows(first.clamp_min(0)), -1)
            similar = replace(similar, following=following)
        return replace(self, items=candidates.rows(self.items), similar_users=similar)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return self.map(lambda tensor: tensor.to(device))


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One training batch: what the network reads, and what came next.

    Args:
        batch: what the network reads.
        items: int64 `[b, t, w]`, upcoming items.
        counts: float32 `[b, t, w]`, their decayed counts.
        mask: float32 `[b, t]`, 0 for places that only pad.
        final: int64 `[b]`, the item right after the last position of each row.
        partners: another history of training before the same `final` item for each row (its own where there is no
            other), with its end as the target position; None where the network wants none.
        candidates: the items that the loss tells apart; None: the whole catalogue.
    """

    batch: Batch
    items: Tensor
    counts: Tensor
    mask: Tensor
    final: Tensor
    partners: Batch | None = None
    candidates: Candidates | None = None

    def map(self, change: Change) -> Example:
        """The same with every tensor changed."""
        return Example(
            self.batch.map(change),
            change(self.items),
            change(self.counts),
            change(self.mask),
            change(self.final),
            None if self.partners is None else self.partners.map(change),
        )
