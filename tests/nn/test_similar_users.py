from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.relations.builders import sequences

from attrformer.nn import similar_users
from attrformer.nn.similar_users import AlignedUsers, SimilarUsers
from attrformer.relations.user_index import UserIndex, latest_anchors

CPU = torch.device("cpu")
ITEMS, ANCHORS, HORIZON = 6, 3, 2
histories = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=7), min_size=1, max_size=8)


def index_of(rows: list[list[int]], count: int = 3) -> UserIndex:
    return UserIndex.build(sequences(rows), ITEMS, count=count, anchors=ANCHORS, horizon=HORIZON, candidates=64)


def asked(contexts: list[list[int]]) -> np.ndarray:
    found = sequences(contexts)
    return latest_anchors(found, np.arange(len(contexts)), found.lengths, ANCHORS)


@given(histories, histories, st.integers(1, 12), st.integers(-1, 7))
def test_the_table_finds_what_the_index_finds(
    rows: list[list[int]], contexts: list[list[int]], count: int, user: int
) -> None:
    index, anchors = index_of(rows, count), asked(contexts)
    users = np.full(len(anchors), min(user, len(rows) - 1), dtype=np.int64)
    wanted, found = index.align(anchors, users), similar_users._Table(index, CPU).align(anchors, users)
    np.testing.assert_array_equal(found.positions.numpy(), wanted.positions)
    np.testing.assert_array_equal(found.similarity.numpy(), wanted.similarity)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, ITEMS, 5).tolist() for _ in range(20)]
    index, anchors, users = index_of(rows), asked(rows), np.arange(20)
    whole = similar_users._Table(index, CPU).align(anchors, users)
    monkeypatch.setattr(similar_users, "BLOCK_ENTRIES", 60)
    parts = similar_users._Table(index, CPU).align(anchors, users)
    assert torch.equal(whole.positions, parts.positions) and torch.equal(whole.similarity, parts.similarity)


@pytest.fixture(params=[False, True], ids=["plain", "compiled"], scope="module")
def compiled(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param:
            pytest.importorskip("numba", reason="needs the extra `fast`")
            patch.setattr(similar_users, "MANY", 1)
            patch.setattr(similar_users, "is_ready", lambda: True)
        else:
            patch.setattr(similar_users, "is_ready", lambda: False)
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("compiled")
@given(histories, histories)
def test_reading_equals_that_of_the_index(rows: list[list[int]], contexts: list[list[int]]) -> None:
    index = index_of(rows)
    found = index.align(asked(contexts), np.full(len(contexts), -1, dtype=np.int64))
    wanted = index.read(found)
    aligned = AlignedUsers(torch.from_numpy(found.positions), torch.from_numpy(found.similarity))
    read = SimilarUsers(index, CPU).read(aligned, (len(contexts), 1))
    np.testing.assert_array_equal(read.users.squeeze(1).numpy(), wanted.users)
    np.testing.assert_array_equal(read.similarity.squeeze(1).numpy(), wanted.similarity)
    np.testing.assert_array_equal(read.following.squeeze(1).numpy(), wanted.following)


@pytest.mark.usefixtures("compiled")
@given(histories, st.lists(st.integers(-1, 60), min_size=1, max_size=9))
def test_what_similar_users_did_next_is_read_up_to_the_end_of_each(rows: list[list[int]], drawn: list[int]) -> None:
    items = [item for row in rows for item in row]
    owners = [user for user, row in enumerate(rows) for _ in row]
    ends = np.cumsum([len(row) for row in rows])
    positions = [min(position, len(items) - 1) for position in drawn]
    found = AlignedUsers(torch.tensor([positions], dtype=torch.int32), torch.ones(1, len(positions)))
    read = SimilarUsers(index_of(rows), CPU).read(found, (1, 1))
    for place, position in enumerate(positions):
        wanted = [-1] * HORIZON
        if position >= 0:
            after = items[position + 1 : min(position + 1 + HORIZON, int(ends[owners[position]]))]
            wanted[: len(after)] = after
        assert read.users[0, 0, place] == (owners[position] if position >= 0 else -1)
        assert read.following[0, 0, place].tolist() == wanted


@pytest.mark.parametrize("horizon", [1, 3])
def test_many_positions_are_read_as_one_by_one(horizon: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba", reason="needs the extra `fast`")
    rng = np.random.default_rng(horizon)
    rows = [rng.integers(0, ITEMS, int(rng.integers(0, 9))).tolist() for _ in range(60)]
    index = UserIndex.build(sequences(rows), ITEMS, count=3, anchors=ANCHORS, horizon=horizon, candidates=64)
    positions = torch.from_numpy(rng.integers(-1, sum(map(len, rows)), (1, 333)).astype(np.int32))
    found = {}
    for ready in (False, True):
        monkeypatch.setattr(similar_users, "is_ready", lambda ready=ready: ready)
        monkeypatch.setattr(similar_users, "MANY", 1)
        found[ready] = SimilarUsers(index, CPU).read(AlignedUsers(positions, torch.ones(1, 333)), (1, 1))
    assert bool((found[True].users < 0).any()) and bool((found[True].following >= 0).any())
    assert torch.equal(found[True].users, found[False].users)
    assert torch.equal(found[True].following, found[False].following)
