"""Ranks of many runs in one small file: what documents read of them, once the runs are done."""

from __future__ import annotations

import json
import lzma
import zipfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.benchmark.ranks import Ranks
from attrformer.errors import CheckpointError
from attrformer.evaluation.metrics import UNREACHABLE_RANK
from attrformer.evaluation.protocol import SEEN_VARIANTS, Protocol
from attrformer.io import parse_json, write_atomically

LIMIT: Final = 20
"""The longest list that documents show; of targets behind it only that is kept."""

_FORMAT: Final = "attrformer-rank-table-1"
_HEADER: Final = "header"
_BEYOND: Final = 0
_DAMAGED: Final = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, lzma.LZMAError, NotImplementedError)
_OF_TARGETS: Final = ("users", "same_time", "repeats")


class RankTable:
    """Reads the ranks of runs from one file.

    Args:
        path: of the file; a table without any run where there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._arrays: dict[str, NDArray[Any]] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._runs

    def __getitem__(self, key: str) -> Ranks:
        """The ranks of a run; those behind `LIMIT` are `UNREACHABLE_RANK`.

        Raises:
            CheckpointError: there is no such run, or the file is damaged.
        """
        if key not in self:
            raise CheckpointError(f"{self._path} has no ranks of {key}. Run that row of the plan with --again.")
        told = self._runs[key]
        name, column = told["targets"], int(told["column"])
        stored = self._array(f"{name}.ranks")[:, 2 * column : 2 * column + 2].astype(np.int64)
        ranks = np.where(stored == _BEYOND, UNREACHABLE_RANK, stored)
        return Ranks(
            Protocol.from_json(told["protocol"]),
            name.partition("-")[0],
            dict(zip(SEEN_VARIANTS, ranks.T, strict=True)),
            **{part: _as_known(self._array(f"{name}.{part}")) for part in told["known"]},
            limit=LIMIT,
        )

    def keys(self) -> list[str]:
        """Every run."""
        return list(self._runs)

    @cached_property
    def _runs(self) -> dict[str, dict[str, Any]]:
        if not self._path.is_file():
            return {}
        try:
            header = parse_json(self._read(_HEADER).tobytes())
        except ValueError:
            header = None
        if not isinstance(header, dict) or header.get("format") != _FORMAT:
            raise CheckpointError(f"{self._path} is no table of ranks of this version. Restore it from a copy.")
        runs: dict[str, dict[str, Any]] = header["runs"]
        return runs

    def _array(self, name: str) -> NDArray[Any]:
        # Decompressed once, since all runs on the same targets stand in one array.
        if name not in self._arrays:
            self._arrays[name] = self._read(name)
        return self._arrays[name]

    def _read(self, name: str) -> NDArray[Any]:
        try:
            with np.load(self._path, allow_pickle=False) as file:
                found: NDArray[Any] = file[name]
                return found
        except _DAMAGED as error:
            raise CheckpointError(f"{self._path} cannot be read ({error}). Restore it from a copy.") from error


def save_rank_table(path: Path, runs: Mapping[str, Ranks]) -> None:
    """Writes the ranks of many runs, those on the same targets side by side, which compresses best.

    Args:
        path: the file, replaced as a whole where it exists.
        runs: by key.
    """
    groups: dict[str, list[str]] = {}
    for key, ranks in runs.items():
        groups.setdefault(_targets_of(ranks), []).append(key)
    told: dict[str, dict[str, Any]] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name, keys in groups.items():
        first = runs[keys[0]]
        known = [part for part in _OF_TARGETS if getattr(first, part) is not None]
        arrays |= {f"{name}.{part}": _small(getattr(first, part)) for part in known}
        columns = [runs[key].ranks[seen] for key in keys for seen in SEEN_VARIANTS]
        stored = [np.where(ranks <= LIMIT, ranks, _BEYOND).astype(np.uint8) for ranks in columns]
        arrays[f"{name}.ranks"] = np.ascontiguousarray(np.stack(stored, axis=1))
        told |= {
            key: {"targets": name, "column": column, "known": known, "protocol": runs[key].protocol.to_json()}
            for column, key in enumerate(keys)
        }
    header = json.dumps({"format": _FORMAT, "limit": LIMIT, "runs": {key: told[key] for key in runs}})
    arrays[_HEADER] = np.frombuffer(header.encode(), dtype=np.uint8)
    write_atomically(path, lambda unfinished: _write(unfinished, arrays))


def _targets_of(ranks: Ranks) -> str:
    """The digest of the targets, and what is known of them, which not every version has kept."""
    known = "".join("0" if getattr(ranks, part) is None else "1" for part in _OF_TARGETS)
    return f"{ranks.targets}-{known}"


def _as_known(values: NDArray[Any]) -> NDArray[Any]:
    return values if values.dtype == bool else values.astype(np.int64)


def _small(values: NDArray[Any]) -> NDArray[Any]:
    return values if values.dtype == bool else values.astype(np.min_scalar_type(int(values.max(initial=0))))


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """An npz file like that of NumPy, by a method that packs these a third smaller than its own."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            # A fixed time, so that the same ranks give the same bytes.
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_LZMA
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
