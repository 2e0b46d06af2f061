from __future__ import annotations

import torch

from attrformer.recommender.numerics import numerics


def test_kernels_are_deterministic_while_a_model_trains_and_the_callers_mode_is_put_back() -> None:
    before = torch.get_deterministic_debug_mode()
    try:
        for mode in ("default", "warn", "error"):
            torch.set_deterministic_debug_mode(mode)
            told = torch.get_deterministic_debug_mode()
            with numerics(1, torch.device("cpu"), 0, 1):
                assert torch.are_deterministic_algorithms_enabled()
                assert not torch.is_deterministic_algorithms_warn_only_enabled()
            assert torch.get_deterministic_debug_mode() == told
    finally:
        torch.set_deterministic_debug_mode(before)
