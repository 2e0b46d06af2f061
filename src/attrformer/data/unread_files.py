"""Files in a dataset folder that seem to hold a table and are not read."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from attrformer.data.table_paths import ENDINGS, JSON, PARQUET, TABLE_NAMES, ending_of, files_in, unpacked_ending
from attrformer.data.vector_files import VECTOR_ENDINGS
from attrformer.data.vector_tables import VECTOR_FOLDERS

UNREAD: Final = " is not read; "
"""What stands in each sentence of `unread_in`."""

_PLAIN_TEXTS: Final = ("interactions.dat", "interactions.txt", "interactions.log")
_ARRAYS: Final = ".prepared"
_NAMED: Final = re.compile(r"^(interactions?|items?|users?|item_relations?|item_changes?)([^a-z]|$)")
_TABLES: Final = tuple(ending for ending in ENDINGS if unpacked_ending(ending) not in JSON)
_WHY: Final = (
    f"a table is called {', '.join(TABLE_NAMES[:-1])} or {TABLE_NAMES[-1]} and ends in .parquet, .feather, .csv, .tsv "
    "or .jsonl (the last three also .gz or .zst), or is a folder of such files"
)
_VECTORS: Final = f"files of vectors end in one of {', '.join(VECTOR_ENDINGS)}"


def unread_in(folder: Path, used: Collection[str]) -> list[str]:
    """A sentence for each file or folder that has the name of a table, or holds one by its ending, and is not read.

    Args:
        folder: of a dataset.
        used: names of the files and folders that are read, or of which something else is said.
    """
    others = [entry for entry in _shown(folder) if entry.name not in used and _seems_table(entry)]
    found = [f"{folder.name}: '{entry.name}'{UNREAD}{_WHY}" for entry in others]
    for name in VECTOR_FOLDERS:
        found += [f"{folder.name}: '{name}/{file.name}'{UNREAD}{_VECTORS}" for file in _no_vectors(folder / name)]
    return found


def held_by(folder: Path) -> str:
    """The first files and folders in a folder, in words."""
    names = [entry.name for entry in _shown(folder)]
    return f"it holds {', '.join(names[:5])}{', ...' if names[5:] else ''}" if names else "it is empty"


def renaming_of(folder: Path) -> str:
    """How an error about a missing table of interactions begins to say what to do.

    Args:
        folder: which may hold one with an ending that says nothing, such as interactions.dat.
    """
    texts = [entry.name for entry in _shown(folder) if entry.name.lower() in _PLAIN_TEXTS]
    return f"Rename {texts[0]} to interactions.csv or .tsv, or write" if texts else "Write"


def _shown(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "_")))


def _seems_table(entry: Path) -> bool:
    if entry.name in VECTOR_FOLDERS or entry.suffix == _ARRAYS:
        return False
    if _NAMED.match(entry.name.lower()) is not None:
        return True
    # Other folders may hold tables in parts; what raw files or copies lie in them says nothing.
    return (
        any(ending_of(file) in PARQUET for file in files_in(entry)) if entry.is_dir() else ending_of(entry) in _TABLES
    )


def _no_vectors(folder: Path) -> list[Path]:
    files = [file for file in _shown(folder) if file.is_file()] if folder.is_dir() else []
    return [file for file in files if file.suffix.lower() not in VECTOR_ENDINGS and not file.name.endswith(".ids.txt")]
