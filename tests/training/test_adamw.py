from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from attrformer.training.adamw import AdamW

PROGRAM = """
import sys
from tests.support.recommenders import small_config, small_dataset
from attrformer import AttrFormer
AttrFormer(small_config("training.epochs=1")).fit(small_dataset(), progress=False)
print(sorted(name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in sys.modules))
"""


def steps(kind: type[torch.optim.AdamW]) -> tuple[list[torch.Tensor], torch.optim.AdamW]:
    """Weights after some steps, in the middle of which the state is read back."""
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(3, 4)), torch.nn.Parameter(torch.randn(4))]
    groups = [{"params": parameters[:1], "weight_decay": 0.1}, {"params": parameters[1:], "weight_decay": 0.0}]
    optimizer = kind(groups, lr=0.05, fused=True)
    for number in range(6):
        if number == 3:
            state = optimizer.state_dict()
            optimizer = kind(groups, lr=0.05, fused=True)
            optimizer.load_state_dict(state)
        optimizer.zero_grad(set_to_none=True)
        (parameters[0] @ parameters[1]).square().sum().backward()
        optimizer.step()
    return [each.detach() for each in parameters], optimizer


def test_it_is_that_of_torch() -> None:
    (found, mine), (expected, other) = steps(AdamW), steps(torch.optim.AdamW)
    assert all(torch.equal(first, second) for first, second in zip(found, expected, strict=True))
    assert mine.state_dict()["param_groups"] == other.state_dict()["param_groups"]


@pytest.mark.slow
def test_a_training_does_not_import_the_compilers_of_torch() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
