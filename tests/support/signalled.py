"""Commands that a signal reaches at a known place, however slow the machine is and whoever else uses it."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import os, sys
from importlib import import_module

module, path, calls, number = sys.argv.pop(1).split(":")
*owners, name = path.split(".")
owner = import_module(module)
for each in owners:
    owner = getattr(owner, each)
own, made = getattr(owner, name), 0

def counted(*given, **more):
    global made
    found = own(*given, **more)
    made += 1
    if made == int(calls):
        os.kill(os.getpid(), int(number))
    return found

setattr(owner, name, counted)
from attrformer.cli import main
main()
"""


def signalled(number: int, after: str, calls: int, *words: object) -> subprocess.CompletedProcess[str]:
    """A command that gets a signal, from within its process, right after so many calls of a function.

    Whoever looks on from outside may come too late, and then the command is at its end.

    Args:
        number: of the signal.
        after: the function, as `module:name` or `module:Class.name`.
        calls: of it that return before.
        words: of the command.
    """
    command = [sys.executable, "-c", _PROGRAM, f"{after}:{calls}:{int(number)}", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
