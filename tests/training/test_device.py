from __future__ import annotations

import pytest
import torch

from attrformer.errors import ConfigurationError
from attrformer.training.device import choose_device, choose_precision


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("name", ["toaster", "cuda:99", ""])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"training\.device"):
        choose_device(name)


def test_precision() -> None:
    cpu = torch.device("cpu")
    assert choose_precision("float32", cpu) is torch.float32
    assert choose_precision("bfloat16", cpu) is torch.bfloat16
    assert choose_precision("auto", torch.device("cuda")) is torch.bfloat16
    assert choose_precision("auto", torch.device("mps")) is torch.float32


@pytest.mark.parametrize(("matrix_units", "chosen"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_takes_bfloat16_only_with_matrix_units(
    monkeypatch: pytest.MonkeyPatch, matrix_units: bool, chosen: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": matrix_units}, raising=False)
    assert choose_precision("auto", torch.device("cpu")) is chosen
