"""The same seed trains the same model: the losses of two steps, and the scores that come of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.golden import store
from tests.golden.training import TRAINED, fitted, outcome

pytestmark = pytest.mark.slow

# With the plainest instruction set of torch, MKL and NumPy in place of the widest, losses differ by 3e-7 of themselves
# and scores, which go up to 20, by 3e-4 with dropout and by 1e-5 without (README.md).
LOSS, SCORES = 1e-5, 1e-4


@pytest.mark.parametrize("name", TRAINED)
def test_two_steps(name: str, tmp_path: Path) -> None:
    found, stored = outcome(fitted(name, tmp_path / "run"), tmp_path / "run"), store.read("training")[name]
    np.testing.assert_allclose(found["losses"], stored["losses"], rtol=LOSS)
    np.testing.assert_allclose(found["scores"], stored["scores"], rtol=SCORES, atol=SCORES)
