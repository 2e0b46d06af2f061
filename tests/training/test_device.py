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


AMD, INTEL = "AMD EPYC", "Intel(R) Xeon(R)"


@pytest.mark.parametrize(
    ("able", "chosen"),
    [
        ({"amx_bf16": True, "avx512_bf16": True, "cpu_name": INTEL}, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": True, "cpu_name": INTEL}, torch.float32),
        ({"amx_bf16": False, "avx512_bf16": True, "cpu_name": AMD}, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": False, "cpu_name": AMD}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_a_cpu_takes_bfloat16_where_it_gains(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, object], chosen: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert choose_precision("auto", torch.device("cpu")) is chosen
