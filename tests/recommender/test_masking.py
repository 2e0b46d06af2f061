from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from attrformer.recommender.choice import Choice
from attrformer.recommender.masking import FEW, mask


@pytest.mark.parametrize("count", [1, 3, 4, 5, 63], ids=str)
def test_few_and_many_closed_items_are_left_out_alike(count: int) -> None:
    scores = torch.arange(3.0 * 4 * FEW).reshape(3, 4 * FEW)
    nobody: Any = SimpleNamespace(contexts=None, places=np.arange(3))
    closed = np.random.default_rng(0).permutation(4 * FEW)[:count]
    right = scores.clone()
    right[:, closed.tolist()] = -torch.inf
    mask(scores, Choice(5, excluded=closed), nobody)
    assert torch.equal(scores, right)
