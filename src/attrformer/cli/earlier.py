"""Options of commands by the names that they had before: still read, and no longer listed in the help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from typer.core import TyperCommand

from attrformer.cli import console

_QUERY: Final = {"--attributes": "--user-attributes", "--seen": "--no-hide-seen", "--pin": "--pinned"}

EARLIER: Final = {"evaluate": {"--split": "--part"}, "recommend": _QUERY, "explain": _QUERY}
"""By command, the earlier name of an option to the name of today."""


class Command(TyperCommand):
    """A command whose options may be given by earlier names."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the arguments."""
        return super().parse_args(ctx, under_names_of_today(args, EARLIER.get(self.name or "", {})))


def under_names_of_today(args: list[str], names: Mapping[str, str]) -> list[str]:
    """Arguments of a command, with a warning for each earlier name; what stands behind `--` is left alone.

    Args:
        args: as they were given.
        names: the earlier name of an option to the name of today.
    """
    end = args.index("--") if "--" in args else len(args)
    found = []
    for arg in args[:end]:
        option, sign, value = arg.partition("=")
        name = names.get(option, option)
        if name != option:
            console.say(f"Warning: The option {option} is called {name} now. The earlier name is still read.")
        found.append(f"{name}{sign}{value}")
    return [*found, *args[end:]]
