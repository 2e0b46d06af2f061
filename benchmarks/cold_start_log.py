"""The two parts of a log for `cold_start.py`, what is new in the second, and plain attribute similarity."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from attrformer.columns import ITEM, TIMESTAMP, USER
from attrformer.data import Dataset, Sequences, Split, Targets
from attrformer.data.splits import targets_at
from attrformer.errors import DataError
from attrformer.models.baselines.transitions import attribute_vectors
from attrformer.relations.config import RelationsConfig
from attrformer.relations.item_attribute import item_attribute_relation

DECAY = 0.7
"""An item of the history counts this much less for each step back."""

VALIDATION_SHARE = 0.1
"""Share of the users whose last training interaction tells when to stop; all else that there is, is trained on."""


class AttributeSimilarity:
    """Scores an item by the cosine of its attributes to those of the history, recent items first.

    Args:
        dataset: its item attributes.
        config: how attributes are cut and which values are kept.
    """

    def __init__(self, dataset: Dataset, config: RelationsConfig) -> None:
        features = [
            item_attribute_relation(attribute, buckets=config.buckets, max_values=config.max_values)
            for attribute in dataset.item_attributes.values()
        ]
        codes, weights, values = attribute_vectors([f for f in features if f is not None], dataset.item_count)
        rows = np.repeat(np.arange(len(codes)), codes.shape[1])
        shape = (dataset.item_count, max(values, 1))
        self._vectors = sparse.csr_array((weights.ravel(), (rows, codes.ravel())), shape=shape)

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        """Scores of the whole catalogue, float32 `[b, items]`."""
        row, items = contexts.row_of_position(), contexts.items
        back = contexts.offsets[row + 1] - 1 - np.arange(len(items))
        weights = (DECAY**back).astype(np.float32)
        shape = (len(contexts), self._vectors.shape[0])
        profile = sparse.csr_array((weights, items, contexts.offsets), shape=shape) @ self._vectors
        return torch.from_numpy((profile @ self._vectors.T).toarray())


@dataclass(frozen=True, slots=True, eq=False)
class TwoParts:
    """A log in two parts by time; what is to be predicted is in neither.

    Args:
        old: the older interactions, with the items and users that they hold.
        whole: all interactions.
        new: the newer interactions, as a table.
        new_items: rows of the items table about items that `old` has no interaction of.
        new_users: rows of the users table about users that `old` has no interaction of, None where there is no table.
        test: each user's very last interaction as targets, codes of `whole`.
        of_new_items: bool `[targets]`, whether the target is one of the new items.
    """

    old: Dataset
    whole: Dataset
    new: pl.DataFrame
    new_items: pl.DataFrame
    new_users: pl.DataFrame | None
    test: Split
    of_new_items: NDArray[np.bool_]

    def described(self) -> dict[str, Any]:
        """How large the parts are."""
        return {
            "older interactions": len(self.old.sequences.items),
            "newer interactions": len(self.new),
            "new items": len(self.new_items),
            "new users": self.whole.user_count - self.old.user_count,
            "targets": len(self.test.test),
            "targets that are new items": int(self.of_new_items.sum()),
        }


def two_parts(dataset: Dataset, share: float, folder: Path) -> TwoParts:
    """Cuts a log in two by time.

    Args:
        dataset: with times.
        share: of the interactions but for each user's last, the latest of which make the second part.
        folder: an empty one, in which tables are kept while they are read.

    Raises:
        DataError: the data have no times, or a part would be empty.
    """
    if dataset.sequences.times is None:
        raise DataError("cutting by time needs times", fix=f"Give a column '{TIMESTAMP}'", source=dataset.name)
    dataset.save(folder)
    log, items, users = (pl.read_parquet(folder / f"{name}.parquet") for name in ("interactions", "items", "users"))
    # Sequences are in order of time, so that the last row of a user is the latest.
    place = pl.int_range(pl.len()).over(USER)
    count = pl.len().over(USER)
    known = log.filter((place < count - 1) | (count < 3))
    targets = log.filter((place == count - 1) & (count >= 3))
    cut = known[TIMESTAMP].quantile(1.0 - share, interpolation="higher")
    old, new = known.filter(pl.col(TIMESTAMP) < cut), known.filter(pl.col(TIMESTAMP) >= cut)
    if old.is_empty() or new.is_empty():
        raise DataError("a part of the log is empty", fix="Choose another share", source=dataset.name)
    kinds = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["kinds"]

    def read(part: pl.DataFrame) -> Dataset:
        chosen = items.filter(pl.col(ITEM).is_in(part[ITEM].unique().to_list()))
        people = users.filter(pl.col(USER).is_in(part[USER].unique().to_list()))
        return Dataset.from_frames(part, chosen, people, name=dataset.name, kinds=kinds)

    first, whole = read(old), read(known)
    # A target that nobody acted on before is in neither catalogue.
    targets = targets.filter(pl.col(ITEM).is_in(known[ITEM].unique().to_list()))
    return TwoParts(
        old=first,
        whole=whole,
        new=new,
        new_items=items.filter(pl.col(ITEM).is_in(new[ITEM].unique().to_list())).filter(
            ~pl.col(ITEM).is_in(old[ITEM].unique().to_list())
        ),
        new_users=users.filter(pl.col(USER).is_in(new[USER].unique().to_list())).filter(
            ~pl.col(USER).is_in(old[USER].unique().to_list())
        )
        if len(users.columns) > 1
        else None,
        test=_test_split(whole, targets),
        of_new_items=~targets[ITEM].is_in(old[ITEM].unique().to_list()).to_numpy(),
    )


def _test_split(whole: Dataset, targets: pl.DataFrame) -> Split:
    users = whole.user_ids.encode(targets[USER]).astype(np.int64)
    parts = Targets(users, whole.sequences.rows(users), whole.item_ids.encode(targets[ITEM]))
    return Split("last interaction of each user", whole.sequences, parts, parts)


def split_of(dataset: Dataset, seed: int) -> Split:
    """All of a log for training but the last interaction of some users, by which the best epoch is chosen."""
    sequences = dataset.sequences
    able = np.flatnonzero(sequences.lengths >= 3)
    chosen = np.sort(np.random.default_rng(seed).permutation(able)[: max(1, round(VALIDATION_SHARE * len(able)))])
    stops = sequences.offsets[1:].copy()
    stops[chosen] -= 1
    last = sequences.offsets[chosen + 1] - 1
    validation = targets_at(sequences, chosen, last)
    train = sequences.slices(sequences.offsets[:-1], stops)
    return Split("last interaction of some users", train, validation, validation)
