"""Files of one's own, named by an option or a variable: those that register models, relations, metrics or formats."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Final

from attrformer.errors import ConfigurationError

VARIABLE: Final = "ATTRFORMER_PLUGINS"
"""Environment variable that names files and modules, separated as PATH is; child processes read it too."""

MODELS_VARIABLE: Final = "ATTRFORMER_MODELS"
"""Another name for it, from when models alone could be registered."""

_loaded: Final[dict[str, ModuleType]] = {}


def load_plugins(names: Iterable[str] = ()) -> None:
    """Imports files or modules that register something; what was imported before is left as it is.

    Those that the environment variables name come first, and these are added to `ATTRFORMER_PLUGINS`, so that child
    processes have them. Nothing else in the library runs code that a file names: a saved model holds the names of its
    network and metrics and not their code.

    Args:
        names: paths ending in `.py` or of the folder of a package, or dotted names of importable modules.

    Raises:
        ConfigurationError: there is no such file or module, it fails, or another module has the file's name.
    """
    told = (os.environ.get(variable, "").split(os.pathsep) for variable in (VARIABLE, MODELS_VARIABLE))
    known = [name for part in told for name in part if name]
    wanted = dict.fromkeys(map(_absolute, [*known, *names]))
    for name in wanted:
        if name not in _loaded:
            _loaded[name] = _import(name)
    if wanted:
        os.environ[VARIABLE] = os.pathsep.join(wanted)


def loaded_names() -> tuple[str, ...]:
    """What was imported, as `load_plugins` takes it; files by their whole path."""
    return tuple(_loaded)


def loaded_plugins() -> dict[str, str]:
    """What was imported, by its short name, with the first letters of the SHA-256 of its file or whole package."""
    return {name.rpartition(os.sep)[2]: _digest(module) for name, module in _loaded.items()}


def are_named() -> bool:
    """Whether an environment variable names any."""
    return any(os.environ.get(variable) for variable in (VARIABLE, MODELS_VARIABLE))


def _absolute(name: str) -> str:
    is_path = name.endswith(".py") or os.sep in name or (Path(name) / "__init__.py").is_file()
    return str(Path(name).resolve()) if is_path else name


def _import(name: str) -> ModuleType:
    path = Path(name)
    # Names of modules stay as they are, those of files are absolute.
    if not path.is_absolute():
        return _imported(name, name)
    source = path / "__init__.py" if path.is_dir() else path
    if not source.is_file():
        raise ConfigurationError(f"There is no file {source} to read. Correct --plugins or {VARIABLE}.")
    if str(path.parent) not in sys.path:
        # Processes that are started for several runs at a time find the module by its name.
        sys.path.insert(0, str(path.parent))
    found = _imported(path.stem, name)
    if Path(found.__file__ or "").resolve() != source:
        raise ConfigurationError(
            f"{name} cannot be read, since another module is called '{path.stem}' ({found.__file__}). Rename the file."
        )
    return found


def _imported(module: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"{name} cannot be imported ({type(error).__name__}: {error}). Correct it, or --plugins and {VARIABLE}."
        ) from error


def _digest(module: ModuleType) -> str:
    source = Path(module.__file__ or "")
    files = sorted(source.parent.rglob("*.py")) if source.name == "__init__.py" else [source]
    return hashlib.sha256(b"".join(map(Path.read_bytes, files))).hexdigest()[:12] if source.is_file() else ""
