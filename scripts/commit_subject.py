"""Refuses a commit message whose first line is empty or longer than 72 characters; the hook of `pre-commit` runs it."""

from __future__ import annotations

import sys
from pathlib import Path

LONGEST = 72


def problem(message: str) -> str | None:
    """What is wrong with a message; None where nothing is.

    Args:
        message: the whole text, as git hands it to a hook.
    """
    lines = [line.rstrip() for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0] if lines else ""
    if not subject:
        return "The message has no subject. Say on the first line what the commit does."
    if len(subject) > LONGEST:
        return f"The subject has {len(subject)} characters, {LONGEST} are allowed. Put the reason into the body."
    if len(lines) > 1 and lines[1]:
        return "The second line is not empty. Leave a blank line between the subject and the body."
    return None


if __name__ == "__main__":
    found = problem(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if found:
        sys.exit(found)
