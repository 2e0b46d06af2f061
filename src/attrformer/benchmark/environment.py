"""What a figure depends on beside its options: the machine, the versions and the commit."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch

import attrformer
from attrformer.errors import ConfigurationError

MIB = 2**20

COMMIT: Final = "ATTRFORMER_COMMIT"
"""Environment variable that names the commit where the source lies outside of a repository."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The state of the source that runs.

    Args:
        name: short hash of the commit; where the package is not run from a repository what the environment variable
            ATTRFORMER_COMMIT says, or "version X".
        changed: tracked files that differ from it.
    """

    name: str
    changed: tuple[str, ...] = ()


def commit(unimportant: Iterable[Path] = ()) -> Commit:
    """The commit of the package that runs.

    Args:
        unimportant: files and folders whose changes do not count, since no figure depends on them.
    """
    source = Path(attrformer.__file__).resolve().parent
    top = _git(source, "rev-parse", "--show-toplevel")
    name = _git(source, "rev-parse", "--short", "HEAD")
    if top is None or name is None:
        # A copy of the source without its history, in a container or on another machine, can be told.
        return Commit(os.environ.get(COMMIT) or f"version {attrformer.__version__}")
    root = Path(top)
    inside = [path.resolve() for path in unimportant if path.resolve().is_relative_to(root)]
    left_out = [f":(exclude){path.relative_to(root)}" for path in inside]
    found = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *left_out) or ""
    return Commit(name, tuple(line[3:] for line in found.splitlines() if line.strip()))


def check_clean(state: Commit) -> None:
    """Refuses source that differs from its commit, since its figures could not be had again.

    Raises:
        ConfigurationError: tracked files have changes.
    """
    if state.changed:
        raise ConfigurationError(
            f"There are changes since commit {state.name} in {', '.join(state.changed[:5])}"
            f"{' and others' if len(state.changed) > 5 else ''}. Commit them, or give --allow-dirty."
        )


def hardware(threads: int, device: str) -> dict[str, Any]:
    """Processor, cores, threads, memory, accelerator and versions.

    Args:
        threads: CPU threads that computed.
        device: where the model was.
    """
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "accelerator": device_name(torch.device(device)) if device.startswith("cuda") else None,
        "torch": version("torch"),
        "python": platform.python_version(),
    }


def peak_memory() -> float:
    """The most memory that this process held so far, in MiB."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        # getrusage also counts what the parent held when it started this process.
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) / 1024
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (MIB if sys.platform == "darwin" else 1024)


def device_name(device: torch.device) -> str:
    """What a device is called: the model of an accelerator, else its kind, as "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def peak_accelerator() -> float | None:
    """The most memory that this process held on an accelerator so far, in MiB; None where it used none."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return None
    return max(torch.cuda.max_memory_allocated(device) for device in range(torch.cuda.device_count())) / MIB


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.rstrip("\n")


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()
