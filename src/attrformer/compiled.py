"""Whether numba is there to compile what takes longest, and how functions are given to it."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import Any, Final

from attrformer.collector import spared
from attrformer.errors import AttrFormerWarning


def can_compile() -> bool:
    """Whether numba (extra `fast`) can be imported.

    It takes most of a second where nobody has asked before: ask where there is enough to compute.

    Warns:
        AttrFormerWarning: it is installed and cannot be imported; said once.
    """
    return importlib.util.find_spec("numba") is not None and _is_imported()


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
        from numba.core.registry import cpu_target

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
            return numba.njit(function, nogil=True, cache=True, **options)
        except RuntimeError:  # Neither the folder of the file nor a cache of the user can be written.
            return numba.njit(function, nogil=True, **options)

    return compiled
