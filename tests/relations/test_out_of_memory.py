"""Counting logs that lie in files, in parts, with large arrays in files: the same to the bit as all in memory."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.relations.builders import categorical

from attrformer.data.id_map import IdMap
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.relations import compiled, parts, scratch
from attrformer.relations.base import Sources
from attrformer.relations.build import relations_from
from attrformer.relations.config import RelationsConfig
from attrformer.relations.folds import assign_folds
from attrformer.relations.parts import counted, higher_quantiles, parts_of
from attrformer.relations.scratch import memory_of_machine, scratch_array, within_memory

ITEMS, USERS = 60, 80


def log() -> Sequences:
    random = np.random.default_rng(0)
    lengths = random.integers(0, 60, USERS)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    items = (random.zipf(1.3, offsets[-1]) % ITEMS).astype(np.int32)
    return Sequences(offsets, items, np.sort(random.integers(0, 10**9, offsets[-1])))


def in_files(train: Sequences, folder: Path) -> Sequences:
    arrays = {}
    for name, array in train.to_arrays().items():
        np.save(folder / f"{name}.npy", array)
        arrays[name] = np.load(folder / f"{name}.npy", mmap_mode="r")
    return Sequences.from_arrays(arrays)


def everything(train: Sequences, config: RelationsConfig) -> dict[str, NDArray[Any]]:
    country = categorical("country", [f"c{user % 3}" for user in range(len(train))])
    sources = Sources(
        IdMap(pl.Series(range(ITEMS), dtype=pl.Int64)), None, {}, {"country": country}, {}, train,
        assign_folds(len(train), config.folds, 0), config.kept_entries(ITEMS),
    )  # fmt: skip
    found = relations_from(sources, config)
    arrays = {f"{name}/{part}": each for name in found for part, each in found[name].to_arrays()[0].items()}
    return arrays | {"popularity": found.popularity}


@pytest.mark.slow
@pytest.mark.parametrize("compiled_from", [0, 1 << 60])
@pytest.mark.parametrize("dense_items", [6, 6000])
def test_every_relation_is_the_same_out_of_memory(
    compiled_from: int, dense_items: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiled_from == 0:
        pytest.importorskip("numba")
    monkeypatch.setattr(compiled, "LEAST_PAIRS", compiled_from)
    config = RelationsConfig(dense_items=dense_items, top_k=20, indirect=True, similar_users=True, time_buckets=7)
    config = replace(config, cooccurrence_wide=replace(config.cooccurrence_wide, enabled=True))
    whole = everything(log(), config)
    assert {"indirect", "similar_users", "time_bucket", "user_country"} <= {name.partition("/")[0] for name in whole}
    monkeypatch.setattr(parts, "PART", 100)
    found = everything(in_files(log(), tmp_path), replace(config, memory=1e-9))
    assert whole.keys() == found.keys()
    for name in whole:
        np.testing.assert_array_equal(found[name], whole[name], err_msg=name)


@given(st.lists(st.integers(-50, 10**6), min_size=1, max_size=200), st.integers(1, 30), st.integers(2, 70))
def test_quantiles_are_those_of_numpy(values: list[int], part: int, count: int) -> None:
    numbers, shares = np.array(values, dtype=np.int64), np.arange(1, count) / count
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART", part)
        patch.setattr(parts, "_BINS", 16)
        found = higher_quantiles(numbers, shares)
    np.testing.assert_array_equal(found, np.quantile(numbers, shares, method="higher"))


@given(st.lists(st.integers(0, 9), min_size=0, max_size=20), st.integers(1, 12))
def test_parts_hold_every_interaction_once(lengths: list[int], most: int) -> None:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    train = Sequences(offsets, (np.arange(offsets[-1]) % 5).astype(np.int32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART", most)
        found = list(parts_of(train))
        np.testing.assert_array_equal(counted(train, 5), np.bincount(train.items, minlength=5))
    for part in found:
        assert len(part.items) <= most or len(part.lengths) == 1
    owners = [part.each(np.arange(len(train))) for part in found]
    np.testing.assert_array_equal(np.concatenate([*owners, []]), train.row_of_position())
    np.testing.assert_array_equal(np.concatenate([*(part.items for part in found), []]), train.items)


def test_an_array_above_its_share_lies_in_a_file_that_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with within_memory(1e-6 * scratch.SHARE):
        small, large = scratch_array((25, 10), np.float32), scratch_array((26, 10), np.float32)
    assert small.base is None and isinstance(large.base, np.memmap)
    assert large.shape == (26, 10) and not large.any()
    assert not list(tmp_path.iterdir())
    assert memory_of_machine() > 1 << 20


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room is not taken at once here")
def test_a_disk_without_room_is_said_before_anything_is_written() -> None:
    with within_memory(1e-9), pytest.raises(ConfigurationError, match="TMPDIR"):
        scratch_array((1 << 55,), np.int32)


@pytest.mark.parametrize("memory", [0, -1, float("inf")])
def test_memory_is_a_number_above_0(memory: float) -> None:
    with pytest.raises(ConfigurationError, match=r"memory is .* Give a number above 0, or null"):
        RelationsConfig(memory=memory)
