"""Names of arrays and files that steps of a preparation hand on."""

from __future__ import annotations

from typing import Final

USERS: Final = "user"
ITEMS: Final = "item"
ORDER: Final = "order"
"""Numbers in the order of the times."""

SAME: Final = "same"
"""A number for what else tells rows apart."""

BEHAVIOUR: Final = "behaviour "
"""Before the name of a behaviour attribute."""

LENGTHS: Final = "lengths"
"""Interactions of each user."""

TIMES: Final = "times"
REPEATED: Final = "repeated"
"""How many rows repeat an earlier one in every column, and how many in user, item and time alone."""

PREPARED: Final = "interactions.prepared"
"""Name of the folder in a dataset folder."""

MANIFEST: Final = "manifest.json"
FILES: Final = "files"
"""Key of the manifest under which the sizes and checksums of the other files are."""

FORMAT: Final = 1
