"""Where and in which precision to train, and how the process keeps its memory."""

from __future__ import annotations

import ctypes
import platform
import warnings

import torch

from attrformer.compiled import can_compile
from attrformer.errors import AttrFormerWarning, ConfigurationError
from attrformer.nn.column_loss import LEAST_LOGITS

CPU_BLOCK, ACCELERATOR_BLOCK = 1 << 20, 1 << 26


def choose_device(name: str) -> torch.device:
    """The device that a configuration asks for.

    Args:
        name: "auto", or a torch device such as "cpu", "cuda:1", "mps".

    Raises:
        ConfigurationError: where the device is unknown or not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigurationError(
            f"training.device is '{name}', which cannot be used here. Try 'auto' or 'cpu'."
        ) from error
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The type of the large products: bfloat16 where the device gains from it.

    The choice depends on the hardware alone, never on a timing, so that the same seed gives the same model again.

    Args:
        name: "auto", "float32" or "bfloat16".
        device: where they run. On a CPU, "auto" takes bfloat16 where it has matrix units for it (AMX), and on AMD's
            processors with vector instructions for it (AVX512-BF16), which run at twice the rate of float32 or more;
            those of other makers were seen to be slower with them (docs/lab-notes.md).
    """
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16
    # Older releases of torch do not tell what a CPU can do.
    able: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    vectors = able.get("avx512_bf16") and str(able.get("cpu_name", "")).startswith("AMD")
    return torch.bfloat16 if device.type == "cpu" and (able.get("amx_bf16") or vectors) else torch.float32


def choose_block(wanted: int | None, device: torch.device) -> int:
    """Logits that are made at a time: few enough for the cache of a CPU, enough to keep an accelerator busy.

    Args:
        wanted: what the options say; None leaves it to the device.
        device: where they are made.
    """
    if wanted is not None:
        return wanted
    return CPU_BLOCK if device.type == "cpu" else ACCELERATOR_BLOCK


def replays(wanted: bool | None, device: torch.device) -> bool:
    """Whether training steps are recorded once for each shape and replayed.

    Args:
        wanted: what the options say; None leaves it to the device.
        device: where they are made; only CUDA devices can.

    Raises:
        ConfigurationError: they are to be, and the device cannot.
    """
    if wanted and device.type != "cuda":
        raise ConfigurationError(f"training.graphs is true, which needs a CUDA device and not {device}. Leave it out.")
    return device.type == "cuda" and wanted is not False


def compiles(wanted: bool | None) -> bool:
    """Whether compiled passes are used where there are some.

    Args:
        wanted: what the options say; None leaves it to whether numba is installed.

    Raises:
        ConfigurationError: they are to be used, and numba is not there.
    """
    if wanted and not can_compile():
        raise ConfigurationError(
            "training.compiled is true, and numba cannot be imported. Run pip install 'attrformer[fast]', or leave the "
            "option out."
        )
    return wanted is not False


def settles_compiled(wanted: bool | None, device: torch.device, logits: int) -> bool:
    """Whether a training that begins now has compiled passes, which change last bits of its weights.

    Args:
        wanted: what the options say; None leaves it to whether numba can be imported.
        device: where the model is trained.
        logits: about how many the loss of a step is over; numba is not imported for few.

    Raises:
        ConfigurationError: they are to be used, and numba is not there.
    """
    return compiles(wanted) and device.type == "cpu" and logits >= LEAST_LOGITS and can_compile()


def still_compiles(began: bool) -> bool:
    """Whether a training has compiled passes that may be a resumed one.

    Args:
        began: whether it had them when it began; without them it goes on without them.

    Warns:
        AttrFormerWarning: it had them, and numba is no longer there.
    """
    if began and not can_compile():
        warnings.warn(
            "This run began with numba, which cannot be imported now. Training goes on without it: steps take longer, "
            "and weights differ in their last bits from those of a run that was not interrupted. To go on as it began, "
            "stop it, run pip install 'attrformer[fast]' and resume again.",
            AttrFormerWarning,
            stacklevel=2,
        )
    return began and can_compile()


M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_THRESHOLD = -3


def keep_freed_memory() -> bool:
    """Tells the C library to reuse freed blocks instead of returning them to the system.

    Each block of logits is a few megabytes and lives for milliseconds; by default glibc maps and unmaps it every time,
    and the page faults take a quarter of a training step (docs/lab-notes.md). Does nothing where the C library is
    another one.

    Returns:
        Whether the setting was taken.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    wanted = {M_MMAP_THRESHOLD: 1 << 30, M_TRIM_THRESHOLD: (1 << 31) - 1, M_TOP_PAD: 1 << 26}
    return all([mallopt(option, value) == 1 for option, value in wanted.items()])
