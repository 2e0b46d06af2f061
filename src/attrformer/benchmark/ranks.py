"""Ranks of every target in a small file, for paired tests long after the model is gone."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import CheckpointError, DataError
from attrformer.evaluation import metrics
from attrformer.evaluation.evaluation import Evaluation
from attrformer.evaluation.protocol import HIDDEN, RANKED, Protocol
from attrformer.io import CHECKSUM, array_checksum, has_checksum, parse_json, with_checksum, write_atomically

_FORMAT: Final = "attrformer-ranks-2"
_FORMATS: Final = ("attrformer-ranks-1", _FORMAT)
_ARRAYS: Final = "arrays"
"""Key of the header under which the checksum of all arrays stands."""

_NEVER: Final = 0
"""What stands in the file for `UNREACHABLE_RANK`, so that small numbers stay small."""


@dataclass(frozen=True, eq=False)
class Ranks:
    """Ranks of every target in both seen variants.

    Args:
        protocol: the conditions they were measured under.
        targets: digest of users and items, equal where two models were asked for the same.
        ranks: int64 `[n]` for "hidden" and "ranked", counted from 1; `metrics.UNREACHABLE_RANK` for what cannot be
            recommended.
        users: int64 `[n]`, who each target belongs to; None where each has a user of its own.
        same_time: bool `[n]`, whether each target has the time of the last interaction before it; None where that was
            not kept.
        repeats: bool `[n]`, whether the context of each target holds its item already; None where that was not kept.
        limit: ranks behind it were not kept, and are `metrics.UNREACHABLE_RANK`; None where all were.
    """

    protocol: Protocol
    targets: str
    ranks: dict[str, NDArray[np.int64]]
    users: NDArray[np.int64] | None = None
    same_time: NDArray[np.bool_] | None = None
    repeats: NDArray[np.bool_] | None = None
    limit: int | None = None

    def per_target(self, name: str, seen: str) -> NDArray[np.float64]:
        """A metric of ranks such as `NDCG@20` for each target, float64 `[n]`.

        Args:
            name: the metric.
            seen: "hidden" or "ranked".

        Raises:
            ConfigurationError: the metric is unknown, or looks at more than ranks, which is not kept.
            CheckpointError: it needs ranks that were not kept.
        """
        if self.limit is not None and metrics.parse_metric(name)[1] > self.limit:
            raise CheckpointError(
                f"{name} needs ranks behind {self.limit}, which are not kept. Run that row of the plan with --again."
            )
        return metrics.target_values(name, metrics.Ranking(self.protocol.items, {"ranks": self.ranks[seen]}))


def save_ranks(evaluation: Evaluation, path: Path) -> None:
    """Writes the ranks of an evaluation.

    Args:
        evaluation: what to keep of.
        path: the file, replaced as a whole where it exists; its folder is made where needed.
    """
    ranks = (evaluation.ranks[seen] for seen in (HIDDEN, RANKED))
    hidden, ranked = (np.where(found == metrics.UNREACHABLE_RANK, _NEVER, found) for found in ranks)
    arrays = {
        "hidden": _small(hidden),
        # Items of the history that stand above the target: small numbers, which compress well.
        "above": _small(ranked - hidden),
    }
    if evaluation.protocol.users != len(evaluation.users):
        arrays["users"] = _small(evaluation.users)
    if evaluation.same_time is not None:
        arrays["same_time"] = evaluation.same_time
    if evaluation.repeats is not None:
        arrays["repeats"] = evaluation.repeats
    header = {
        "format": _FORMAT,
        "protocol": evaluation.protocol.to_json(),
        "targets": digest(evaluation.users, evaluation.items),
    }
    header[_ARRAYS] = array_checksum(arrays)
    arrays["header"] = np.frombuffer(json.dumps(with_checksum(header)).encode(), dtype=np.uint8)

    def write(unfinished: Path) -> None:
        with unfinished.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    write_atomically(path, write)


def load_ranks(path: Path) -> Ranks:
    """Reads what `save_ranks` wrote.

    Raises:
        CheckpointError: the file is missing, damaged or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            header = parse_json(file["header"].tobytes())
            _require_whole(header, file)
            hidden, above = file["hidden"].astype(np.int64), file["above"].astype(np.int64)
            users = file["users"].astype(np.int64) if "users" in file else None
            known = {name: file[name].astype(bool) for name in ("same_time", "repeats") if name in file}
        if header["format"] not in _FORMATS:
            raise ValueError("another format")
        protocol = Protocol.from_json(header["protocol"])
        ranks = {HIDDEN: _reached(hidden), RANKED: _reached(hidden + above)}
        return Ranks(protocol, header["targets"], ranks, users, **known)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zlib.error, zipfile.BadZipFile, DataError) as error:
        raise CheckpointError(f"The ranks {path} cannot be read ({error}). Run that row of the plan again.") from error


def _require_whole(header: Any, file: Mapping[str, NDArray[Any]]) -> None:
    """Refuses what has another checksum than was written; files of earlier versions have none."""
    if header["format"] != _FORMAT or (CHECKSUM not in header and _ARRAYS not in header):
        return
    arrays = {name: file[name] for name in file if name != "header"}
    if not has_checksum(header) or header.get(_ARRAYS) != array_checksum(arrays):
        raise ValueError("it does not have the checksum that it names")


def _reached(stored: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(stored == _NEVER, metrics.UNREACHABLE_RANK, stored)


def digest(users: NDArray[np.int64], items: NDArray[np.int64]) -> str:
    """Sixteen letters that tell whether two evaluations have the same targets.

    Args:
        users: int64 `[n]`.
        items: int64 `[n]`.
    """
    both = np.stack([users.astype(np.int64), items.astype(np.int64)])
    return hashlib.sha256(np.ascontiguousarray(both).tobytes()).hexdigest()[:16]


def _small(values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers from 0 in the smallest type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
