"""Whether numba is there to compile what takes longest, and how functions are given to it."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from threading import RLock
from typing import Any, Final

from attrformer.collector import spared
from attrformer.errors import AttrFormerWarning


def can_compile() -> bool:
    """Whether numba (extra `fast`) can be imported.

    It takes most of a second where nobody has asked before: ask where there is enough to compute.

    Warns:
        AttrFormerWarning: it is installed and cannot be imported; said once.
    """
    if importlib.util.find_spec("numba") is None:
        return False
    # Threads that ask for the first time together wait for one of them: numba makes itself ready once.
    with _IMPORTING:
        return _is_imported()


_IMPORTING: Final = RLock()


@cache
def _is_imported() -> bool:
    try:
        with spared():
            importlib.import_module("numba")
            _ready()
    except ImportError as error:
        warnings.warn(
            f"numba is installed and cannot be used ({error}), so that training and counting take several times as "
            "long. Update numba, or uninstall it.",
            AttrFormerWarning,
            stacklevel=3,
        )
        return False
    return True


def _ready() -> None:
    """Loads what the first compiled function would: half of numba, by objects that all stay."""
    # No part of what numba promises: without it, the first function loads the same.
    with suppress(ImportError, AttributeError):
        from numba.core.compiler_lock import global_compiler_lock
        from numba.core.registry import cpu_target

        # Another thread may be compiling by a decorator of its own.
        with global_compiler_lock:
            cpu_target.typing_context.refresh()
            cpu_target.target_context.refresh()


_ROUNDING: Final[ContextVar[bool]] = ContextVar("rounding", default=False)


@contextmanager
def rounding(allowed: bool) -> Iterator[None]:
    """Lets compiled passes whose results differ by rounding be used until the end of the block, or not.

    Args:
        allowed: whether they may be.
    """
    token = _ROUNDING.set(allowed)
    try:
        yield
    finally:
        _ROUNDING.reset(token)


def may_round() -> bool:
    """Whether compiled passes whose results differ by rounding may be used here, and numba is there to compile them."""
    return _ROUNDING.get() and can_compile()


def is_ready() -> bool:
    """Whether compiled passes cost no second of importing numba here: it has been imported, or this is a training."""
    return "numba" in sys.modules or may_round()


def compiler(**options: Any) -> Callable[[Any], Any]:
    """A decorator: a function is compiled when it is first called, and kept on disk for later processes.

    Only for modules that are imported where `can_compile` says so.

    Args:
        options: of `numba.njit`, beside those that all have.
    """
    import numba

    def compiled(function: Any) -> Any:
        try:
            found = numba.njit(function, nogil=True, cache=True, **options)
        except RuntimeError:  # Neither the folder of the file nor a cache of the user can be written.
            return numba.njit(function, nogil=True, **options)
        files = getattr(getattr(found, "_cache", None), "_cache_file", None)
        if files is not None:
            found._cache._cache_file = _CodeFiles(files, function.__module__)
        return found

    return compiled


@cache
def _source_of(module: str) -> str:
    """A digest of the source of a module and of what it imports of its package: compiled code holds that as well."""
    waiting, sources = [module], dict[str, str]()
    while waiting:
        name = waiting.pop()
        if name not in sources and name.partition(".")[0] == module.partition(".")[0]:
            sources[name], imported = _read(name)
            waiting += imported
    return hashlib.sha256(repr(sorted(sources.items())).encode()).hexdigest()


@cache
def _read(name: str) -> tuple[str, list[str]]:
    """The source of a module, and what it may import as it is loaded; both empty where it is none."""
    loader: Any = getattr(getattr(sys.modules.get(name), "__spec__", None), "loader", None)
    # Also of a package in a zip file.
    source = loader.get_source(name) or "" if hasattr(loader, "get_source") else ""
    found = list[str]()
    # What is imported later, or for types alone, is there in some processes only.
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        elif isinstance(node, ast.Import):
            found += [each.name for each in node.names]
    return source, found


class _CodeFiles:
    """Compiled code of a function on disk: a file for each signature, which says what it belongs to.

    numba keeps an index that names the file of a signature before that is written, and two processes may give one name
    to different signatures. Whoever comes next then runs the code of the other signature, or of an earlier source.

    Args:
        theirs: an `IndexDataCacheFile` of numba, in place of which this is used.
        module: name of the module of the function.
    """

    def __init__(self, theirs: Any, module: str) -> None:
        self._theirs, self._module = theirs, module

    def _mark(self, key: Any) -> tuple[Any, ...]:
        return self._theirs._version, self._theirs._source_stamp, _source_of(self._module), key

    def _path(self, key: Any) -> str:
        signature, machine, (_, enclosed) = key
        digest = hashlib.sha256(repr((signature, machine, enclosed)).encode()).hexdigest()[:16]
        return f"{self._theirs._index_path.removesuffix('.nbi')}.{digest}.nbc"

    def save(self, key: Any, data: Any) -> None:
        """Writes the code of a signature, whole or not at all."""
        # Without it a later process compiles the function once more.
        with suppress(OSError, ImportError), self._theirs._open_for_write(self._path(key)) as file:
            for part in (self._mark(key), data):
                file.write(self._theirs._dump(part))

    def load(self, key: Any) -> Any:
        """The code of a signature; None where there is none of this source, or it is damaged."""
        try:
            with open(self._path(key), "rb") as file:
                return pickle.load(file) if pickle.load(file) == self._mark(key) else None
        except Exception:
            return None
