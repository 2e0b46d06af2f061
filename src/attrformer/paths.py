"""Folders as they are given, and values as messages show them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from attrformer.errors import ConfigurationError


def folder_path(value: Any, name: str) -> Path:
    """A folder, there or to be made.

    Raises:
        ConfigurationError: it is no path, or a file stands in its place.
    """
    if not isinstance(value, (str, os.PathLike)) or isinstance(value, bytes) or not os.fspath(value):
        raise ConfigurationError(f"{name} is {shown(value)}. Give the path of a folder.")
    path = Path(value)
    for place in (path, *path.parents):
        if place.exists():
            if not place.is_dir():
                raise ConfigurationError(f"{name} is {path}, and {place} is a file. Give the path of a folder.")
            break
    return path


def shown(value: Any) -> str:
    """A value in a message, or its type where it is long."""
    text = repr(value)
    return text if len(text) <= 40 and "\n" not in text else f"a {type(value).__name__}"
