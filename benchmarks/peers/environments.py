"""A virtual environment for each peer, made once and thrown away with the work folder."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """A library and the script that trains its SASRec.

    Args:
        script: in this folder.
        requirements: file in this folder with what to install; None for the environment of the driver.
        bare: what to install afterwards without its dependencies.
    """

    script: str
    requirements: str | None = None
    bare: tuple[str, ...] = ()


PEERS = {
    "rectools": Peer("train_rectools.py", "requirements-rectools.txt"),
    # RecBole asks for an old ray, which only its search of settings uses.
    "recbole": Peer("train_recbole.py", "requirements-recbole.txt", ("recbole==1.2.1",)),
    "attrformer": Peer("train_attrformer.py"),
}


def interpreter(name: str, work: Path, python: str) -> str:
    """The interpreter that a peer runs in; its environment is made where it is not there yet.

    Args:
        name: of the peer.
        work: folder for environments.
        python: interpreter to make the environment with, or to use where the peer needs none of its own.

    Raises:
        subprocess.CalledProcessError: the environment cannot be made.
    """
    peer = PEERS[name]
    if peer.requirements is None:
        return python
    requirements = FOLDER / peer.requirements
    folder = work / f"venv-{name}"
    own = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = requirements.read_text(encoding="utf-8") + "\n".join(peer.bare)
    ready = folder / "ready.txt"
    if not ready.exists() or ready.read_text(encoding="utf-8") != wanted:
        install = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([*install, "-r", str(requirements)], check=True)
        if peer.bare:
            subprocess.run([*install, "--no-deps", *peer.bare], check=True)
        ready.write_text(wanted, encoding="utf-8")
    return str(own)


def variables(threads: int, keep_memory: bool) -> dict[str, str]:
    """Environment variables of a training.

    Args:
        threads: that every library which asks is to compute with.
        keep_memory: whether the C library keeps freed memory, as this project's training always does: a block of
            logits is otherwise mapped and unmapped for each batch.
    """
    found = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    if keep_memory:
        sizes = {"MMAP_THRESHOLD": 1 << 30, "TRIM_THRESHOLD": (1 << 31) - 1, "TOP_PAD": 1 << 26}
        found |= {f"MALLOC_{name}_": str(size) for name, size in sizes.items()}
    return found


def run_script(name: str, python: str, arguments: list[str], threads: int, keep_memory: bool) -> None:
    """Runs the script of a peer.

    Args:
        name: of the peer.
        python: the interpreter.
        arguments: of the script.
        threads: to compute with.
        keep_memory: whether the C library keeps freed memory.

    Raises:
        subprocess.CalledProcessError: the script failed.
    """
    command = [python, str(FOLDER / PEERS[name].script), *arguments]
    subprocess.run(command, check=True, env=os.environ | variables(threads, keep_memory))
