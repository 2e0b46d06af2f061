"""Products of blocks beside those of torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

pytest.importorskip("numba", reason="needs the extra `fast`")
pytestmark = pytest.mark.slow

from numba.core.errors import TypingError  # noqa: E402

from attrformer.compiled import compiler  # noqa: E402
from attrformer.nn import row_product_kernels, shared_kernels  # noqa: E402
from attrformer.nn.block_products import COLUMNS, PAIRS, ROWS, add_product  # noqa: E402
from attrformer.nn.column_parts import bits  # noqa: E402


@compiler()
def _added(out: Any, left: Any, right: Any, first: Any, last: Any) -> None:
    for row in range(0, len(out), ROWS):
        for column in range(0, out.shape[1], COLUMNS):
            add_product(out, left, right, row, column, first, last)


def _numbers(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("first", "last"), [(0, 7), (2, 5), (3, 3)])
def test_a_block_gets_the_terms_that_are_asked_for(turned: bool, first: int, last: int) -> None:
    left, right, out = _numbers(2 * ROWS, 7), _numbers(7, 2 * COLUMNS), _numbers(2 * ROWS, 2 * COLUMNS)
    wanted = out + left[:, first:last] @ right[first:last]
    _added(out, np.ascontiguousarray(left.T).T if turned else left, right, first, last)
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("items", [3 * ROWS, 3 * ROWS + 5])
def test_products_with_a_few_rows_over_all_items(items: int) -> None:
    block, rows, columns = _numbers(items, COLUMNS), _numbers(ROWS, items), _numbers(ROWS, COLUMNS)
    out, wanted = np.zeros((ROWS, COLUMNS), np.float32), block + rows.T @ columns
    shared_kernels.product(rows, block, out)
    np.testing.assert_allclose(out, rows @ block, rtol=1e-4, atol=1e-4)
    shared_kernels.add_outer(block, rows, columns)
    np.testing.assert_allclose(block, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not PAIRS, reason="needs a processor that multiplies pairs of bfloat16")
@pytest.mark.parametrize(("length", "items", "targets"), [(21, 300, 40), (8, 257, 33), (1, 5, 1)])
def test_rows_are_added_up_where_they_lie(length: int, items: int, targets: int) -> None:
    torch.manual_seed(length)
    batch, tiles, filled = 2, -(-targets // COLUMNS), -(-length // ROWS) * ROWS
    table, named = torch.rand(9, items).bfloat16(), torch.randint(0, 9, (batch, filled))
    ends = torch.randint(1, length + 1, (batch, tiles)).sort(1).values
    tile = torch.arange(targets) // COLUMNS
    reads = torch.arange(length) < ends[:, tile].unsqueeze(2)
    weights = (torch.rand(batch, targets, length) * reads).bfloat16()
    rows = table[named[:, :length]].float()
    out = torch.ones(items, batch * targets + 3).bfloat16()
    said = weights.transpose(1, 2).contiguous()
    row_product_kernels.evidence(bits(table), named[:, :length].numpy(), bits(said), ends.numpy(), bits(out))
    wanted = torch.bmm(weights.float(), rows)
    own = out[:, : batch * targets].unflatten(1, (batch, targets)).permute(1, 2, 0)
    torch.testing.assert_close(own.float(), wanted, rtol=8e-3, atol=1e-6)
    assert not out[:, batch * targets :].any()
    gradient, found = torch.randn(items, batch * targets).bfloat16(), torch.zeros(batch, filled, tiles * COLUMNS)
    row_product_kernels.of_weights(bits(table), named.numpy(), bits(gradient), ends.numpy(), found.numpy())
    by_history = gradient.float().unflatten(1, (batch, targets)).permute(1, 0, 2)
    wanted = torch.bmm(rows, by_history).transpose(1, 2) * reads
    torch.testing.assert_close(found[:, :length, :targets].transpose(1, 2) * reads, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("place", "kind"), [(0, np.float64), (1, np.float64), (2, np.int32)])
def test_another_type_of_numbers_is_refused(place: int, kind: type) -> None:
    arrays = [_numbers(ROWS, COLUMNS), _numbers(ROWS, 3), _numbers(3, COLUMNS)]
    arrays[place] = arrays[place].astype(kind)
    with pytest.raises(TypingError, match="multiplied here"):
        _added(*arrays, 0, 3)


HERE = Path(__file__).parent
OTHERS = {
    "none beyond the first": {"NUMBA_CPU_NAME": "generic"},
    "AVX2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma"},
    "AVX-512 without pairs": {
        "NUMBA_CPU_NAME": "skylake-avx512",
        "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+avx512f,+avx512bw,+avx512dq,+avx512vl,+avx512cd",
    },
}


@pytest.mark.skipif(not ROWS > 2, reason="needs a processor that has the instructions of the others")
@pytest.mark.skipif("NUMBA_OTHER" in os.environ, reason="is one of the others")
@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_other_processors_compute_the_same(other: dict[str, str], tmp_path: Path) -> None:
    files = [__file__, str(HERE / "test_relation_mix.py"), str(HERE / "test_column_loss.py")]
    chosen = "test_block_products or places_of_padding or bfloat16"
    environment = {**os.environ, **other, "NUMBA_OTHER": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files, "-k", chosen]
    found = subprocess.run(command, env=environment, cwd=HERE.parents[1], capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]
