"""The `attrformer` command."""

from __future__ import annotations

import atexit
import os
import sys

from attrformer.collector import spared


def main() -> None:
    """Runs the command line and exits."""
    # Read once, when torch is first imported. Threads that spin while they wait for one another make training twenty
    # times slower as soon as another process wants a core (docs/lab-notes.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with spared():
            from attrformer.cli.app import app
    except KeyboardInterrupt:
        # Nothing has begun that could be left half.
        sys.stderr.write("\nInterrupted.\n")
        raise SystemExit(130) from None
    try:
        app()
    except SystemExit as done:
        _end_of_rank(done.code)
        raise


def _end_of_rank(code: str | int | None) -> None:
    """Ends a process that has joined others at once, its interpreter as it is; does nothing in other processes."""
    joining = sys.modules.get("attrformer.ranks.joining")
    if joining is None or not joining.has_joined():
        return
    # Threads of gloo outlive the process group. One that lets go of a tensor while the interpreter is taken down aborts
    # the process, and with it the job (torch 2.13).
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


__all__ = ["main"]
