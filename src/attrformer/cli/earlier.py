"""Options of commands by the names that they had before: still read, and no longer listed in the help."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
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
        valued = {name for each in self.params if not getattr(each, "is_flag", True) for name in each.opts}
        return super().parse_args(ctx, under_names_of_today(args, EARLIER.get(self.name or "", {}), valued))


def under_names_of_today(args: list[str], names: Mapping[str, str], valued: Collection[str] = ()) -> list[str]:
    """Arguments of a command, with a warning for each earlier name; values and what stands behind `--` are left alone.

    Args:
        args: as they were given.
        names: the earlier name of an option to the name of today.
        valued: names of today of options whose value is the next argument.
    """
    found: list[str] = []
    given = iter(args)
    for arg in given:
        option, sign, value = arg.partition("=")
        name = names.get(option, option)
        if name != option:
            console.say(f"Warning: The option {option} is called {name} now. The earlier name is still read.")
        found.append(f"{name}{sign}{value}")
        if arg == "--":
            return [*found, *given]
        if name in valued and not sign:
            found += itertools.islice(given, 1)
    return found
