"""Files of ranks: exact and small."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.benchmark.builders import evaluation

from attrformer.benchmark.ranks import digest, load_ranks, save_ranks
from attrformer.errors import CheckpointError
from attrformer.evaluation.metrics import UNREACHABLE_RANK
from attrformer.evaluation.protocol import SEEN_VARIANTS


def test_ranks_come_back_as_they_were(tmp_path: Path) -> None:
    found = evaluation([1, 3, 70_000, 255, 256], above=2)
    save_ranks(found, tmp_path / "deep" / "ranks.npz")
    loaded = load_ranks(tmp_path / "deep" / "ranks.npz")
    assert loaded.protocol == found.protocol and loaded.users is None
    for seen in SEEN_VARIANTS:
        assert loaded.ranks[seen].dtype == np.int64
        np.testing.assert_array_equal(loaded.ranks[seen], found.ranks[seen])
        np.testing.assert_array_equal(loaded.per_target("NDCG@20", seen), found.per_target("NDCG@20", seen))
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["ranks.npz"]


def test_a_file_of_the_largest_dataset_can_be_committed(tmp_path: Path) -> None:
    # Ranks spread over the whole catalogue compress worst.
    ranks = np.random.default_rng(0).integers(1, 12_102, 22_363)
    found = evaluation(ranks)
    above = np.random.default_rng(1).integers(0, 9, 22_363)
    found = replace(found, ranks={"hidden": ranks, "ranked": ranks + above})
    save_ranks(found, tmp_path / "ranks.npz")
    assert (tmp_path / "ranks.npz").stat().st_size < 64 * 1024


def test_users_with_several_targets_are_kept(tmp_path: Path) -> None:
    found = evaluation([1, 2, 3, 4])
    found = replace(found, users=np.array([0, 0, 700, 2]), protocol=replace(found.protocol, users=3))
    save_ranks(found, tmp_path / "ranks.npz")
    loaded = load_ranks(tmp_path / "ranks.npz")
    assert loaded.users is not None and loaded.users.tolist() == [0, 0, 700, 2]


def test_which_targets_have_the_time_of_the_last_interaction_is_kept(tmp_path: Path) -> None:
    found = evaluation([1, 2, 3, 4])
    save_ranks(found, tmp_path / "ranks.npz")
    assert load_ranks(tmp_path / "ranks.npz").same_time is None
    same = np.array([True, False, False, True])
    save_ranks(replace(found, same_time=same), tmp_path / "ranks.npz")
    np.testing.assert_array_equal(load_ranks(tmp_path / "ranks.npz").same_time, same)


def test_targets_that_cannot_be_recommended_stay_misses(tmp_path: Path) -> None:
    never = UNREACHABLE_RANK
    found = evaluation([1, never, 3, never])
    repeats = np.array([False, True, False, False])
    found = replace(
        found, ranks={"hidden": found.ranks["hidden"], "ranked": np.array([4, 2, 3, never])}, repeats=repeats
    )
    save_ranks(found, tmp_path / "ranks.npz")
    loaded = load_ranks(tmp_path / "ranks.npz")
    for seen in SEEN_VARIANTS:
        assert loaded.ranks[seen].tolist() == found.ranks[seen].tolist()
    assert loaded.per_target("Recall@9999999999", "hidden").tolist() == [1.0, 0.0, 1.0, 0.0]
    assert loaded.repeats is not None and loaded.repeats.tolist() == repeats.tolist()
    with np.load(tmp_path / "ranks.npz") as file:
        assert file["hidden"].dtype == file["above"].dtype == np.uint8


def test_a_file_of_the_earlier_format_is_still_read(tmp_path: Path) -> None:
    found = evaluation([1, 3, 5], above=2)
    save_ranks(found, tmp_path / "ranks.npz")
    with np.load(tmp_path / "ranks.npz") as file:
        arrays = dict(file)
    header = json.loads(arrays["header"].tobytes()) | {"format": "attrformer-ranks-1"}
    header["protocol"] = {name: value for name, value in header["protocol"].items() if not name.endswith("_share")}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(tmp_path / "old.npz", **arrays)
    loaded = load_ranks(tmp_path / "old.npz")
    assert (loaded.protocol, loaded.repeats) == (found.protocol, None)
    assert loaded.ranks["ranked"].tolist() == [3, 5, 7]


def test_the_digest_tells_other_targets_apart() -> None:
    users, items = np.arange(5), np.array([4, 4, 1, 0, 2])
    assert digest(users, items) == digest(users.astype(np.int32), items.astype(np.int32))
    others = (digest(users, items[::-1]), digest(items, users), digest(users[:-1], items[:-1]))
    assert digest(users, items) not in others


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 half an archive"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ranks.npz").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"ranks\.npz cannot be read"):
        load_ranks(tmp_path / "ranks.npz")


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent\.npz cannot be read"):
        load_ranks(tmp_path / "absent.npz")
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    with pytest.raises(CheckpointError, match=r"other\.npz cannot be read"):
        load_ranks(tmp_path / "other.npz")
