from __future__ import annotations

import gc

import torch

from attrformer.nn.fixed import LowCopies


def test_a_copy_is_made_once_and_rounds_the_table() -> None:
    copies, table = LowCopies(torch.bfloat16), torch.rand(5, 7)
    copy = copies.of(table)
    assert copies.of(table) is copy
    assert torch.equal(copy, table.bfloat16())


def test_a_table_that_has_the_type_is_its_own_copy() -> None:
    table = torch.rand(3)
    assert LowCopies(torch.float32).of(table) is table


def test_a_copy_goes_with_its_table() -> None:
    copies, table = LowCopies(torch.bfloat16), torch.rand(3)
    copies.of(table)
    del table
    gc.collect()
    assert len(copies._copies) == 0
