"""The held-out-item protocol: items that nobody acted on in training, to be ranked by their attributes alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.data.splits import Split, Targets, leave_one_out, told_users
from attrformer.errors import ConfigurationError, DataError

_TRAINABLE = 2
"""Interactions from which a history has something to predict."""


def held_out_items(dataset: Dataset, share: float = 0.1, seed: int = 0) -> Split:
    """Leave-one-out of which only targets are kept that are held-out items, which training never sees.

    A random half of the held-out items is kept for validation, the other half for test. A user whose last interaction
    is with a test item is a test target, a user whose interaction before that is with a validation item a validation
    target. Interactions with held-out items of either half are taken out of the training sequences and of all
    contexts. Every other item is trained on as under leave-one-out.

    Args:
        dataset: the data, sequences oldest first.
        share: of the items of the catalogue that are held out, between 0 and 1.
        seed: of the choice of items.

    Raises:
        ConfigurationError: the share is none, or leaves no item for one of the parts.
        DataError: no user has three interactions, or no user can be a target of one of the parts.
    """
    validation_items, test_items = _halves(dataset.item_count, share, seed)
    hidden = np.zeros(dataset.item_count, dtype=bool)
    hidden[validation_items] = hidden[test_items] = True
    base = leave_one_out(dataset)
    train = _without(base.train, hidden)
    validation, alone_before = _cold(base.validation, validation_items, hidden)
    test, alone = _cold(base.test, test_items, hidden)
    for part, targets in (("validation", validation), ("test", test)):
        if not len(targets):
            raise DataError(
                f"no user comes to a held-out item as {part} target from a history of other items",
                fix="Hold out a larger share of the items, or another seed's",
                source=dataset.name,
            )
    removed = len(base.train.items) - len(train.items)
    untrained = np.flatnonzero((base.train.lengths >= _TRAINABLE) & (train.lengths < _TRAINABLE))
    return Split(
        name="held-out-items",
        train=train,
        validation=validation,
        test=test,
        dropped=(
            f"{len(validation_items):,} of {dataset.item_count:,} items are held out for validation and "
            f"{len(test_items):,} for test; {removed:,} of {len(base.train.items):,} training interactions were with "
            "them and are left out",
            *base.dropped,
            *told_users(dataset, untrained, f"have fewer than {_TRAINABLE} training interactions left"),
            *told_users(dataset, alone_before, "are no validation targets since all they did before is held out"),
            *told_users(dataset, alone, "are no test targets since all they did before is held out"),
        ),
        held_out=np.flatnonzero(hidden),
    )


def _halves(items: int, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Item codes held out for validation and for test."""
    if not 0.0 < share < 1.0:
        raise ConfigurationError(f"share={share} of held-out items cannot be used. Give a number between 0 and 1.")
    half = round(share * items / 2)
    if not 0 < 2 * half < items:
        raise ConfigurationError(
            f"share={share} of {items} items are {2 * half} to hold out. Give a share that leaves items for training, "
            "validation and test."
        )
    order = np.random.default_rng(seed).permutation(items).astype(np.int64)
    return order[:half], order[half : 2 * half]


def _without(sequences: Sequences, hidden: NDArray[np.bool_]) -> Sequences:
    """The same rows without interactions with hidden items."""
    kept = np.flatnonzero(~hidden[sequences.items])
    lengths = np.bincount(sequences.row_of_position()[kept], minlength=len(sequences))
    return sequences.select(kept, offsets_of(lengths))


def _cold(targets: Targets, items: NDArray[np.int64], hidden: NDArray[np.bool_]) -> tuple[Targets, NDArray[np.int64]]:
    """The targets among the items, with hidden items out of their contexts; and the users left without a context."""
    rows = np.flatnonzero(np.isin(targets.items, items))
    found = targets.rows(rows)
    found = replace(found, contexts=_without(found.contexts, hidden))
    known = np.flatnonzero(found.contexts.lengths)
    return found.rows(known), np.delete(found.users, known)
