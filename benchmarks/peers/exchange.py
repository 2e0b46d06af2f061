"""The driver's side of the handover: the split goes out, scores come back."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from benchmarks.peers import handover
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.data.splits import Split
from attrformer.errors import DataError


def export(dataset: Dataset, split: Split, folder: Path) -> str:
    """Writes what the peers may see of a leave-one-out split; the test targets stay here.

    Args:
        dataset: the data.
        split: of the data, with a target for every user.
        folder: made where needed.

    Returns:
        A digest of what was written, which each peer hands back.

    Raises:
        DataError: a user has no target.
    """
    if len(split.test) != dataset.user_count:
        raise DataError(
            f"{dataset.user_count - len(split.test)} users have no target, which not every peer can train on",
            fix="Filter the data, as with --core 5",
            source=dataset.name,
        )
    folder.mkdir(parents=True, exist_ok=True)
    train = split.train
    places = np.arange(len(train.items)) - np.repeat(train.offsets[:-1], train.lengths)
    handover.write_part(folder, "train", np.column_stack([train.row_of_position(), train.items, places]))
    targets = split.validation
    last = np.column_stack([targets.users, targets.items, train.lengths[targets.users]])
    handover.write_part(folder, "validation", last)
    digest = hashlib.sha256(f"{dataset.item_count}".encode())
    for part in handover.PARTS:
        digest.update((folder / f"{part}.csv").read_bytes())
    content = {"users": dataset.user_count, "items": dataset.item_count, "digest": digest.hexdigest()}
    (folder / handover.SPLIT).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return digest.hexdigest()


class HandedScores:
    """Scores made of the vectors that a peer handed back.

    Args:
        handed: what it handed back.
        item_count: items in the catalogue.

    Raises:
        DataError: the vectors are not of this catalogue.
    """

    def __init__(self, handed: handover.Handover, item_count: int) -> None:
        if len(handed.item_vectors) != item_count:
            raise DataError(
                f"the peer handed back {len(handed.item_vectors)} items, the catalogue has {item_count}",
                fix="Train the peer again",
            )
        self._rows = dict(zip(handed.users.tolist(), range(len(handed.users)), strict=True))
        self._vectors = torch.from_numpy(handed.vectors)
        self._items = torch.from_numpy(handed.item_vectors)
        self._unknown = torch.from_numpy(~handed.known)

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        """Scores `[b, n_items]`, minus infinity for items that the peer never saw.

        A user whom the peer cannot speak of has equal scores, which count against it.
        """
        rows = torch.tensor([self._rows.get(user, -1) for user in users.tolist()])
        vectors = torch.where(rows[:, None] >= 0, self._vectors[rows.clamp(min=0)], 0.0)
        return (vectors @ self._items.T).masked_fill_(self._unknown, -torch.inf)
