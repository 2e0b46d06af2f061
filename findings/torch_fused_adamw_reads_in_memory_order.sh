#!/usr/bin/env bash
# AdamW as one operation (`fused=True`) moves the wrong elements on a CPU where a gradient is a transposed view.
#
# Where: torch 2.13.0, `torch.optim.AdamW(..., fused=True)`, a gradient that was set by hand, such as one of
#   `torch.autograd.grad`, which gives that of a weight that is read as `weight.t()` as a transposed view.
# Guess before the run: the strides of a gradient make no difference, as without `fused`; or it is refused, as on CUDA
#   ("params, grads, exp_avgs, and exp_avg_sqs must have same dtype, device, and layout").
# Behaviour: neither. Parameter and gradient are read side by side in the order of memory, whatever their strides, and
#   nothing is said. `backward` copies gradients into the layout of their parameter, so that it is never seen there.
# Why it matters: gradients of several graphs that are added up (parts of a batch, several losses) train a network to
#   something else, with a loss that still falls.
# Output seen: "the same gradient, contiguous: fused as plain True; transposed: fused as plain False".
# Fails if that changes. Needs pip and Python 3.11; reads no code of this project.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet torch==2.13.0 numpy
"$folder/env/bin/python" -W ignore - <<'PY'
import sys

import torch


def moved(transposed: bool, fused: bool) -> torch.Tensor:
    torch.manual_seed(0)
    weight, inputs = torch.nn.Parameter(torch.randn(3, 5)), torch.randn(5, 3)
    optimizer = torch.optim.AdamW([weight], lr=0.1, fused=fused)
    for power in (1, 3):
        (gradient,) = torch.autograd.grad((weight.t() * inputs**power).sum(), [weight])
        weight.grad = gradient if transposed else gradient.contiguous()
        optimizer.step()
    return weight.detach()


same = [torch.allclose(moved(transposed, True), moved(transposed, False)) for transposed in (False, True)]
print(f"the same gradient, contiguous: fused as plain {same[0]}; transposed: fused as plain {same[1]}")
sys.exit(same != [True, False])
PY
