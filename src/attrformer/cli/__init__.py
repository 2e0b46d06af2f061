"""The `attrformer` command."""

from __future__ import annotations

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
    app()


__all__ = ["main"]
