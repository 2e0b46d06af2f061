"""Tensors that do not change, made once: small constants, and tables in the type of the large products."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

Numbers = tuple[int, ...] | tuple[bool, ...]


def constant(values: Numbers, device: torch.device) -> Tensor:
    """A tensor of fixed numbers, `[n]`, which nobody may write to.

    Args:
        values: whole numbers or truth values.
        device: where it is read; on an accelerator it is made once.
    """
    # On a CPU it costs nothing to make, and a model that is being exported must not leave its own tensors behind.
    return torch.tensor(values) if device.type == "cpu" else _kept(values, device)


@lru_cache
def _kept(values: Numbers, device: torch.device) -> Tensor:
    return torch.tensor(values, device=device)


class LowCopies:
    """Copies of tables that do not change, each made when it is first asked for and kept as long as its table lives.

    A relation's rows are read in every step of training, and products in bfloat16 read them at several times the speed
    where a processor has units for them. Scores are never made from the copies.

    Args:
        precision: type of the copies.
    """

    def __init__(self, precision: torch.dtype) -> None:
        self.precision = precision
        self._copies = WeakTensorKeyDictionary()
        self._lock = Lock()

    def of(self, table: Tensor) -> Tensor:
        """The table in the type of the copies; the table itself where it has that type.

        Args:
            table: any shape; it must not be written to between two calls.
        """
        if table.dtype == self.precision:
            return table
        # Threads that share out the blocks of a batch would each make a copy of their own at first.
        with self._lock:
            copy: Tensor | None = self._copies.get(table)  # type: ignore[no-untyped-call]
            if copy is None:
                copy = self._copies[table] = table.to(self.precision)
        return copy
