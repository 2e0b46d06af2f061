"""Compiled look-ups in rows find exactly what the plain ones find."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.builders import example_of, network_of
from tests.relations.builders import relations_of, shop
from torch import Tensor

from attrformer.nn.candidate_rows import CandidateRows
from attrformer.nn.candidates import Candidates, candidates_of
from attrformer.nn.tables import SparseRows

pytest.importorskip("numba", reason="needs the extra `fast`")
pytestmark = pytest.mark.slow

ITEMS = 12


def table_of(rows: int, k: int, ragged: bool, generator: torch.Generator) -> SparseRows:
    """Rows with up to k entries, some of which are not used; ragged ones hold used entries alone."""
    indices, values = torch.zeros(rows, k, dtype=torch.int32), torch.zeros(rows, k)
    counts = torch.randint(0, k + 1, (rows,), generator=generator)
    for row, count in enumerate(counts.tolist()):
        if count:
            named = torch.randperm(ITEMS, generator=generator)[:count].sort().values
            indices[row, k - count :] = named.int()
            values[row, k - count :] = torch.rand(count, generator=generator) + 0.1
    if not ragged:
        return SparseRows(indices, values, ITEMS)
    used = values > 0
    starts = torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)])
    return SparseRows(indices[used], values[used], ITEMS, starts, k)


cases = given(st.integers(1, 8), st.integers(1, 6), st.booleans(), st.integers(0, 999))


@cases
def test_pairs(rows: int, k: int, ragged: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    table = table_of(rows, k, ragged, generator)
    named = torch.randint(0, rows, (2, 3), generator=generator)
    items = torch.randint(0, ITEMS, (2, 5), generator=generator)
    assert table.compiles
    assert torch.equal(table._compiled_pairs(named, items), table.pairs(named, items))


IN_A_SERVICE = """
import sys
import torch
from attrformer.compiled import rounding
from attrformer.nn import tables

table = tables.SparseRows(torch.zeros(9, 2, dtype=torch.int32), torch.ones(9, 2), 9)
rows = torch.zeros(2, 200, dtype=torch.long)
table.pairs(rows, rows)
assert rows.numel() * 200 > tables.MANY_PAIRS and "numba" not in sys.modules
with rounding(True):
    table.pairs(rows, rows)
assert "numba" in sys.modules
"""


def test_numba_is_not_imported_for_the_pairs_of_a_request() -> None:
    subprocess.run([sys.executable, "-c", IN_A_SERVICE], check=True)


def some(generator: torch.Generator) -> Candidates:
    places = torch.full((ITEMS + 1,), ITEMS + 1, dtype=torch.int32)
    certain = torch.randperm(ITEMS, generator=generator)[:5].sort().values
    nothing = torch.empty(0, dtype=torch.long)
    return candidates_of(certain, nothing, torch.empty(0), torch.tensor([2, 7]), places)


@cases
def test_rows_cut_to_candidates(rows: int, k: int, ragged: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    table, candidates = table_of(rows, k, ragged, generator), some(generator)
    every = torch.arange(rows)
    found, plain = (make(table, every, candidates) for make in (CandidateRows._compiled, CandidateRows.of))

    def whole(part: CandidateRows) -> Tensor:
        return torch.zeros(rows, part.columns).scatter_add_(1, part.indices.long(), part.values)

    assert torch.equal(whole(found), whole(plain))
    assert found.counts is not None and torch.equal(found.counts, (plain.values > 0).sum(1).int())
    assert plain.counts is None and (found.values[:, :1] > 0).flatten().tolist() == (found.counts > 0).tolist()


def test_what_relations_name_is_added_up_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    data = shop()
    relations = relations_of(data, dense_items=0, top_k=7)
    network, batch = network_of(relations), example_of(data, relations).batch
    found = []
    for least in (1 << 30, 0):
        monkeypatch.setattr("attrformer.nn.relations.row_table.MANY_ROWS", least)
        total = torch.zeros(data.item_count)
        network.add_named(batch, total)
        found.append(total)
    assert (found[0] > 0).any()
    assert torch.equal(*found)
