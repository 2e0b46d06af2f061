"""One file of the ranks of many runs: what is shown follows from it, and what it lacks is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.benchmark.builders import add_result, evaluation, random_ranks

from attrformer.benchmark.rank_table import RankTable, save_rank_table
from attrformer.benchmark.ranks import load_ranks, save_ranks
from attrformer.benchmark.results import EVALUATIONS, RANK_TABLE, load_board
from attrformer.errors import CheckpointError
from attrformer.evaluation import UNREACHABLE_RANK


def test_ranks_up_to_the_limit_come_back_with_all_that_is_known(tmp_path: Path) -> None:
    seen = evaluation([1, 20, 21, UNREACHABLE_RANK], above=0)
    seen = replace(
        seen,
        ranks={"hidden": seen.ranks["hidden"], "ranked": np.array([3, 20, 500, UNREACHABLE_RANK])},
        users=np.array([5, 5, 300, 7]),
        repeats=np.array([True, False, False, False]),
        protocol=replace(seen.protocol, users=3),
    )
    plain = evaluation([2, 2, 2, 2], first_item=50)
    for name, found in (("a", seen), ("b", plain)):
        save_ranks(found, tmp_path / f"{name}.npz")
    runs = {name: load_ranks(tmp_path / f"{name}.npz") for name in ("a", "b")}
    save_rank_table(tmp_path / "table.npz", runs)
    table = RankTable(tmp_path / "table.npz")
    assert table.keys() == ["a", "b"] and "a" in table and "c" not in table
    first = table["a"]
    assert first.ranks["hidden"].tolist() == [1, 20, UNREACHABLE_RANK, UNREACHABLE_RANK]
    assert first.ranks["ranked"].tolist() == [3, 20, UNREACHABLE_RANK, UNREACHABLE_RANK]
    assert first.users is not None and first.users.tolist() == [5, 5, 300, 7] and first.users.dtype == np.int64
    assert first.repeats is not None and first.repeats.tolist() == [True, False, False, False]
    assert first.same_time is None and first.targets == runs["a"].targets and first.protocol == runs["a"].protocol
    assert table["b"].users is None and table["b"].ranks["hidden"].tolist() == [2, 2, 2, 2]
    np.testing.assert_array_equal(first.per_target("NDCG@20", "hidden"), runs["a"].per_target("NDCG@20", "hidden"))
    with pytest.raises(CheckpointError, match="NDCG@21 needs ranks behind 20, which are not kept"):
        first.per_target("NDCG@21", "hidden")
    with pytest.raises(CheckpointError, match=r"has no ranks of c\. Run that row"):
        table["c"]
    before = (tmp_path / "table.npz").read_bytes()
    save_rank_table(tmp_path / "table.npz", {key: table[key] for key in ("a", "b")})
    assert (tmp_path / "table.npz").read_bytes() == before


def test_results_read_the_table_where_a_run_has_no_file_of_its_own(tmp_path: Path) -> None:
    first, second = evaluation(random_ranks(1, 40)), evaluation(random_ranks(2, 40))
    add_result(tmp_path, "one", first)
    add_result(tmp_path, "two", second)
    files = {key: tmp_path / EVALUATIONS / f"shop.{key}.0.npz" for key in ("one", "two")}
    save_rank_table(tmp_path / RANK_TABLE, {"shop.one.0": load_ranks(files["one"])})
    files["one"].unlink()
    one, two = load_board(tmp_path).results
    assert one.ranks is not None and one.comparable(two)
    np.testing.assert_array_equal(one.per_target("NDCG@20", "hidden"), first.per_target("NDCG@20"))
    np.testing.assert_array_equal(two.per_target("NDCG@40", "hidden"), second.per_target("NDCG@40"))
    files["two"].unlink()
    assert load_board(tmp_path).results[1].ranks is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", None])
def test_a_damaged_table_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "table.npz"
    save_ranks(evaluation([1, 2]), tmp_path / "one.npz")
    if content is None:
        save_rank_table(path, {"one": load_ranks(tmp_path / "one.npz")})
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 255
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match=r"table\.npz"):
        RankTable(path)["one"].ranks  # noqa: B018
