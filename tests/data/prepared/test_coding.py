"""Arrays of a part in a file, and ranges of their rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from attrformer.data.prepared.coding import STARTS, read_arrays, write_arrays


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 7), (3, 5), (7, 7)])
def test_a_range_is_that_of_the_whole(tmp_path: Path, start: int, stop: int) -> None:
    kinds = ("u1", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "?")
    arrays = {f"of {kind}": (np.arange(7) % 5).astype(kind) for kind in kinds}
    file = tmp_path / "coded.safetensors"
    write_arrays(file, {**arrays, STARTS: np.array([0, 3, 7])})
    assert read_arrays(file).keys() == {*arrays, STARTS}
    found = read_arrays(file, start, stop)
    assert found.keys() == arrays.keys()
    for name, values in arrays.items():
        assert found[name].dtype == values.dtype
        assert found[name].tolist() == values[start:stop].tolist() == read_arrays(file)[name][start:stop].tolist()
