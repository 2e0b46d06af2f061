"""AdamW of torch, without what it imports for its compilers."""

from __future__ import annotations

from inspect import unwrap
from typing import Any

import torch


class AdamW(torch.optim.AdamW):
    """`torch.optim.AdamW` by the same operations, a second of processor sooner.

    torch wraps methods of its optimizers so that `torch.compile` leaves them alone, and imports its compilers when one
    of these is first called. No step here is compiled so; the methods are those within the wrappers.
    """

    add_param_group = unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = unwrap(torch.optim.AdamW.zero_grad)
    state_dict = unwrap(torch.optim.AdamW.state_dict)
    load_state_dict = unwrap(torch.optim.AdamW.load_state_dict)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """See `torch.optim.AdamW.step`."""
        return unwrap(torch.optim.AdamW.step)(self, closure)
