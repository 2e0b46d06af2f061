"""What relations add to the logits of the candidates of a step alone.

`restricted` turns each kind of contribution into one whose items are the candidates, so that the same blocks and
gradients serve a whole catalogue and a part of it. Nothing here has the size of the catalogue but look-ups in tables.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor

from attrformer.compiled import can_compile
from attrformer.errors import ConfigurationError
from attrformer.nn.candidate_rows import (
    MANY_ENTRIES,
    CandidateRowContribution,
    CandidateRows,
    CandidateWholeRows,
    SomeEntries,
)
from attrformer.nn.candidates import Candidates
from attrformer.nn.changing_values import ChangeTable, ChangingContribution
from attrformer.nn.contributions import (
    Block,
    Contribution,
    ContributionInputs,
    EntryContribution,
    FeatureContribution,
    RowContribution,
)
from attrformer.nn.fixed import LowCopies
from attrformer.nn.fused_loss import PosteriorTarget
from attrformer.nn.offsets import OffsetContribution
from attrformer.nn.tables import FeatureGroups, SparseRows
from attrformer.nn.vector_contributions import KeptPairsContribution, VectorContribution, packed, unpacked


@singledispatch
def restricted(part: Any, candidates: Candidates) -> Contribution:
    """A contribution to the logits of the candidates alone.

    Args:
        part: a contribution to the whole catalogue; one of a class from outside has a method
            `restricted(candidates)` that gives the other.
        candidates: of the step.

    Raises:
        ConfigurationError: it cannot be restricted.
    """
    own = getattr(part, "restricted", None)
    if own is None:
        raise ConfigurationError(
            "The loss is over candidates (training.loss is sampled, or auto and the catalogue large), and "
            f"{type(part).__name__} cannot be computed for some items alone. Give it a method restricted(candidates), "
            "or set training.loss=full."
        )
    found: Contribution = own(candidates)
    return found


def restricted_target(target: PosteriorTarget, candidates: Candidates) -> PosteriorTarget:
    """The target over the candidates; what it holds of other items is estimated by those that were drawn.

    Args:
        target: over the catalogue, all its upcoming items among the candidates.
        candidates: of the step.
    """
    weights = candidates.correction.exp()
    popularity = target.popularity[candidates.items] * weights
    return replace(
        target,
        items=candidates.among(target.items)[0],
        popularity=popularity / popularity.sum().clamp_min(1e-12),
        even=weights / weights.sum(),
    )


@restricted.register
def _(part: RowContribution, candidates: Candidates) -> Contribution:
    # Rows that several positions share are cut to the candidates once.
    named_rows, place = torch.unique(part.rows, return_inverse=True)
    table = part.table
    if isinstance(table, SparseRows):
        return CandidateRowContribution(CandidateRows.of(table, named_rows, candidates), place)
    items = candidates.items
    known = items.clamp_max(table.values.shape[1] - 1)
    values = _taken(table.values, named_rows.clamp_max(len(table.values) - 1), known)
    if table.columns > table.values.shape[1]:
        values = values * (items < table.values.shape[1]) * (named_rows < len(table.values)).unsqueeze(1)
    return CandidateRowContribution(CandidateWholeRows(values), place)


def _taken(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Some columns `[c]` of some rows `[n]` of a table, `[n, c]`."""
    many = len(rows) * len(columns) >= MANY_ENTRIES
    if not many or values.device.type != "cpu" or values.dtype != torch.float32 or not can_compile():
        return values[rows.unsqueeze(1), columns]
    from attrformer.nn.row_kernels import take

    out = torch.empty(len(rows), len(columns))
    take(*(tensor.numpy() for tensor in (values, rows, columns, out)))
    return out


@restricted.register
def _(part: EntryContribution, candidates: Candidates) -> Contribution:
    return SomeEntries.of(part.items, candidates)


@restricted.register
def _(part: FeatureContribution, candidates: Candidates) -> Contribution:
    groups = part.groups
    # Only groups that a candidate is of have evidence.
    of_candidate = groups.of_item[candidates.items]
    there = torch.zeros(groups.count, dtype=torch.bool, device=of_candidate.device).index_fill_(0, of_candidate, True)
    present = there.nonzero()[:, 0]
    of_item = (there.cumsum(0) - 1)[of_candidate]
    if groups.features is None:
        known = (present < groups.values).float().unsqueeze(0)
        slots = present.clamp_max(groups.values - 1).unsqueeze(0)
        return FeatureContribution(FeatureGroups(of_item, None, groups.values, slots, known))
    if groups.slots is not None and groups.shares is not None:
        slots, shares = groups.slots[:, present], groups.shares[:, present]
        return FeatureContribution(FeatureGroups(of_item, None, groups.values, slots, shares))
    return FeatureContribution(FeatureGroups(of_item, groups.features[:, present], groups.values))


@restricted.register
def _(part: OffsetContribution, candidates: Candidates) -> Contribution:
    return OffsetContribution(part.of_item[candidates.items])


@dataclass(frozen=True, eq=False)
class _ChangingValues(ChangingContribution):
    """The values of the candidates over time.

    Args:
        chosen: int64 `[c]`, the candidates.
    """

    chosen: Tensor | None = None

    def codes(self, rows: slice) -> Tensor:
        """See `ChangingContribution.codes`."""
        assert self.chosen is not None
        ranks = self.ranks[rows]
        # Targets of one time see the same values.
        distinct, place = torch.unique(ranks, return_inverse=True)
        return self.table.at(self.chosen, distinct.unsqueeze(1))[place]


@restricted.register
def _(part: ChangingContribution, candidates: Candidates) -> Contribution:
    table: ChangeTable = part.table
    return _ChangingValues(table, part.ranks, candidates.items)


@restricted.register
def _(part: VectorContribution, candidates: Candidates) -> Contribution:
    # The items of the history are candidates, so that each finds its own place; padding has no products.
    return VectorContribution(part.vectors[candidates.items], candidates.rows(part.items))


@dataclass(frozen=True, slots=True, eq=False)
class _SomePairs:
    """Evidence from kept pairs, of which only some are with candidates.

    Args:
        kept: int64 `[b, s, k]`, places among the candidates.
        inside: bool, same shape.
        columns: number of candidates.
    """

    kept: Tensor
    inside: Tensor
    columns: int

    def block(self, rows: slice, inputs: ContributionInputs, copies: LowCopies | None = None) -> Block:
        """See `Contribution.block`."""
        kept, inside = self.kept[rows], self.inside[rows]
        weights, values = unpacked(inputs, kept.shape[1])
        inner = KeptPairsContribution(kept, self.columns)
        masked = ContributionInputs(packed(weights, values * inside), inputs.gate)
        return _Masked(inner.block(slice(None), masked), packed(torch.ones_like(weights), inside.float()))


class _Masked:
    """A block some of whose inputs do not count.

    Args:
        block: what it is made of.
        mask: of the gradient of the weights.
    """

    def __init__(self, block: Block, mask: Tensor) -> None:
        self._block, self._mask = block, mask
        self.add_to, self.spoken = block.add_to, block.spoken

    def gradients(self, gradient: Tensor, factor: Tensor, needs_weights: bool) -> tuple[Tensor | None, Tensor]:
        """See `Block`."""
        of_weights, of_gate = self._block.gradients(gradient, factor, needs_weights)
        return None if of_weights is None else of_weights * self._mask, of_gate


@restricted.register
def _(part: KeptPairsContribution, candidates: Candidates) -> Contribution:
    places, inside = candidates.among(part.kept)
    return _SomePairs(places, inside, candidates.count)
