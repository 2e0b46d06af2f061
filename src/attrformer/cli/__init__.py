"""The `attrformer` command."""

from __future__ import annotations


def main() -> None:
    """Runs the command line and exits."""
    from attrformer.cli.app import app

    app()


__all__ = ["main"]
