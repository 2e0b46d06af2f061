"""Relation tables as tensors: rows over the catalogue, dense or top-k, and attribute features of items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from attrformer.compiled import can_compile, is_ready

MANY_PAIRS: Final = 1 << 16
"""Fewer pairs of rows and items are not worth a compiled pass."""

LEAST_PAIRS: Final = 1 << 22
"""Fewer are not worth importing numba for: whoever asks a service would wait for it."""

_LISTS: Final = WeakTensorKeyDictionary()


@dataclass(frozen=True, slots=True, eq=False)
class DenseRows:
    """Whole rows of a relation over a small catalogue.

    Args:
        values: `[rows, items]`, at least 0.
        columns: number of items; where it is larger, for inference, the rows and items that are not there are 0.
    """

    values: Tensor
    columns: int = 0

    def sums(self, rows: Tensor, weights: Tensor) -> Tensor:
        """Rows `[b, s]` added up with weights `[b, s]`, float32 `[b, 1, items]`."""
        weights = weights.to(self.values.dtype)
        missing = self.columns - self.values.shape[1]
        if missing > 0:
            weights, rows = weights * (rows < len(self.values)), rows.clamp_max(len(self.values) - 1)
        sums = F.embedding_bag(rows, self.values, per_sample_weights=weights, mode="sum").float().unsqueeze(1)
        return F.pad(sums, (0, missing)) if missing > 0 else sums

    def products(self, rows: Tensor, gradient: Tensor) -> Tensor:
        """The transpose of `sums`, from `[b, 1, items]` to `[b, 1, s]`."""
        return torch.bmm(gradient.to(self.values.dtype), self.values[rows].transpose(1, 2)).float()

    def pairs(self, rows: Tensor, items: Tensor) -> Tensor:
        """Values at `rows [b, t]` x `items [b, s]`, float32 `[b, t, s]`."""
        if self.columns <= self.values.shape[1]:
            # By one number for each entry, which is read many times as fast as by two.
            places = rows.unsqueeze(2) * self.values.shape[1] + items.unsqueeze(1)
            return self.values.flatten().index_select(0, places.flatten()).view(places.shape).float()
        known = [part < size for part, size in zip((rows, items), self.values.shape, strict=True)]
        row, item = (part.clamp_max(size - 1) for part, size in zip((rows, items), self.values.shape, strict=True))
        values = self.values[row.unsqueeze(2), item.unsqueeze(1)].float()
        return values * (known[0].unsqueeze(2) & known[1].unsqueeze(1))


@dataclass(frozen=True, slots=True, eq=False)
class SparseRows:
    """The k largest entries of each row of a relation, columns ascending within a row.

    Args:
        indices: int32 `[rows, k]`, item codes, ascending; unused places come first and hold item 0, value 0.
        values: float32 `[rows, k]`, at least 0.
        columns: number of items.
        starts: int64 `[rows + 1]`, where the entries of each row begin in `indices` and `values`, which have one axis
            then; None: all rows are equally long.
        longest: entries of the longest row, where there are starts.
    """

    indices: Tensor
    values: Tensor
    columns: int
    starts: Tensor | None = None
    longest: int = 0

    def entries(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Items and values of rows `[...]`, int32 and float32 `[..., k]`."""
        if self.starts is None:
            return self.indices[rows], self.values[rows]
        if not len(self.indices):
            return self.indices.new_zeros(*rows.shape, 1), self.values.new_zeros(*rows.shape, 1)
        starts, ends = self.starts[rows], self.starts[rows + 1]
        # An accelerator is not waited for: there the most entries that a row can have are taken.
        waits = rows.device.type == "cpu" and rows.numel() > 0
        k = max(1, int((ends - starts).max()) if waits else self.longest)
        places = ends.unsqueeze(-1) + torch.arange(-k, 0, device=rows.device)
        used = places >= starts.unsqueeze(-1)
        places.mul_(used)
        return self.indices[places] * used, self.values[places] * used

    @property
    def compiles(self) -> bool:
        """Whether compiled look-ups (`nn/row_kernels.py`) can read the rows."""
        return self.values.device.type == "cpu" and self.values.dtype == torch.float32 and can_compile()

    def ranges(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Where the entries of rows `[...]` begin and end in the flat entries, int64 `[...]`."""
        if self.starts is None:
            starts = rows * self.indices.shape[1]
            return starts, starts + self.indices.shape[1]
        return self.starts[rows], self.starts[rows + 1]

    def sums(self, rows: Tensor, weights: Tensor) -> Tensor:
        """Rows `[b, s]` added up with weights `[b, s]`, float32 `[b, 1, items]`."""
        total = torch.zeros(len(rows), self.columns, device=rows.device)
        indices, values = self.entries(rows)
        entries = (values * weights.unsqueeze(2)).flatten(1)
        return total.scatter_add_(1, indices.flatten(1).long(), entries).unsqueeze(1)

    def products(self, rows: Tensor, gradient: Tensor) -> Tensor:
        """The transpose of `sums`, from `[b, 1, items]` to `[b, 1, s]`."""
        indices, values = self.entries(rows)
        at = gradient.squeeze(1).gather(1, indices.flatten(1).long())
        return (at.view_as(values) * values).sum(2).unsqueeze(1)

    def union(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The items that some rows name, each once, and the rows over just these items.

        Args:
            rows: int64 `[b, s]`.

        Returns:
            int64 items `[b, u]`, unused places holding item 0 without values, and float32 `[b, s, u]`.
        """
        items, local = self.union_places(rows)
        dense = torch.zeros(*rows.shape, items.shape[1], device=rows.device)
        return items, dense.scatter_add_(2, local, self.entries(rows)[1])

    def union_places(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The items that some rows name, each once, and where among them each entry of the rows is.

        Args:
            rows: int64 `[b, s]`.

        Returns:
            int64 items `[b, u]`, unused places holding item 0, and int64 places `[b, s, k]`.
        """
        batch, length = rows.shape
        indices = self.entries(rows)[0]
        named = indices.flatten(1)
        ordered, order = named.sort(1)
        # A place is new where the item differs from the one before it; the running count numbers the distinct items.
        new = torch.ones_like(ordered, dtype=torch.bool)
        new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        number = new.long().cumsum_(1).sub_(1)
        # An accelerator is not waited for: there the most items that can be named are taken.
        waits = rows.device.type == "cpu"
        count = int(number[:, -1].max()) + 1 if waits else min(named.shape[1], self.columns)
        items = torch.zeros(batch, count, dtype=torch.long, device=rows.device)
        items.scatter_(1, number, ordered.long())
        return items, torch.empty_like(number).scatter_(1, order, number).view(batch, length, indices.shape[2])

    def pairs(self, rows: Tensor, items: Tensor) -> Tensor:
        """Values at `rows [b, t]` x `items [b, s]`, float32 `[b, t, s]`; 0 where an entry was not kept."""
        least = MANY_PAIRS if is_ready() else LEAST_PAIRS
        if rows.numel() * items.shape[1] >= least and self.compiles:
            return self._compiled_pairs(rows, items)
        indices, kept = self.entries(rows)
        named = indices.flatten(0, 1)
        wanted = items.unsqueeze(1).expand(-1, rows.shape[1], -1).flatten(0, 1).to(named.dtype).contiguous()
        # The last of equal columns is the kept entry; unused places of column 0 come before it.
        place = torch.searchsorted(named, wanted, right=True).sub_(1).clamp_min_(0)
        values = kept.flatten(0, 1).gather(1, place)
        return torch.where(named.gather(1, place) == wanted, values, 0.0).view(*rows.shape, items.shape[1])

    def _compiled_pairs(self, rows: Tensor, items: Tensor) -> Tensor:
        from attrformer.nn.row_kernels import pairs

        out = torch.zeros(*rows.shape, items.shape[1])
        slots = torch.full((max(self.columns, int(items.max()) + 1),), -1, dtype=torch.int32)
        entries = (self.indices.flatten(), self.values.flatten(), *self.ranges(rows), items.contiguous(), slots, out)
        pairs(*(tensor.numpy() for tensor in entries))
        return out


@dataclass(frozen=True, slots=True, eq=False)
class FeatureGroups:
    """phi_a of the catalogue, items with equal values taken together.

    Args:
        of_item: int64 `[items]`, the group of each item.
        features: `[values, groups]`, phi_a of each group; None where every item has at most one value, so that group g
            is value g with weight 1 and the last group holds the items without a value, or where there are slots.
        values: number of attribute values.
        slots: where the values of a group are few among many, int64 `[m, groups]`, the values of each group in slots;
            a product with `features` would then consist of zeros for the most part, or `features` is not there.
            None elsewhere.
        shares: float32 `[m, groups]`, the feature of each slot, 0 for an unused one; None where `slots` is.
    """

    of_item: Tensor
    features: Tensor | None
    values: int
    slots: Tensor | None = None
    shares: Tensor | None = None

    @property
    def count(self) -> int:
        """Number of groups."""
        if self.slots is not None:
            return self.slots.shape[1]
        return self.values + 1 if self.features is None else self.features.shape[1]

    def listed(self) -> tuple[Tensor, Tensor] | None:
        """Slots and shares of all groups, made and kept where they are not given; None where groups are the values."""
        if self.slots is not None and self.shares is not None:
            return self.slots, self.shares
        if self.features is None:
            return None
        found: tuple[Tensor, Tensor] | None = _LISTS.get(self.features)  # type: ignore[no-untyped-call]
        if found is None:
            slots = self.features.abs().topk(int((self.features != 0).sum(0).max()), 0).indices
            found = _LISTS[self.features] = slots, self.features.gather(0, slots)
        return found

    def from_values(self, profile: Tensor) -> Tensor:
        """`profile(t) . phi_a(group)`, from `[b, t, values]` to `[b, t, groups]`."""
        flat = profile.flatten(0, 1)
        if self.slots is None or self.shares is None:
            if self.features is None:
                return torch.cat([profile, profile.new_zeros(*profile.shape[:2], 1)], 2)
            return (flat @ self.features).view(*profile.shape[:2], self.count)
        out = flat.new_zeros(len(flat), self.count)
        for slot, share in zip(self.slots, self.shares, strict=True):
            out.addcmul_(flat.index_select(1, slot), share)
        return out.view(*profile.shape[:2], self.count)

    def to_values(self, gradient: Tensor) -> Tensor:
        """The transpose of `from_values`."""
        flat = gradient.flatten(0, 1)
        if self.slots is None or self.shares is None:
            if self.features is None:
                return gradient[:, :, : self.values]
            return (flat @ self.features.t()).view(*gradient.shape[:2], self.values)
        out = flat.new_zeros(len(flat), self.values)
        for slot, share in zip(self.slots, self.shares, strict=True):
            out.index_add_(1, slot, flat * share)
        return out.view(*gradient.shape[:2], self.values)
